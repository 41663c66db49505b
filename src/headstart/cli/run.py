"""`headstart run`: from labelled data to a model that predicts, with the proof of what it gained."""

from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    DATA,
    HOW,
    RESULT,
    Json,
    Models,
    command_line,
    complete_target,
    named,
    reading_options,
    running_from,
    running_options,
)
from headstart.cli._output import check_places, console, on_stdout, show, write, wrote
from headstart.cli._progress import shown
from headstart.records.table import Prose


@command(*running_options(without=("limit", "batch_size", "workers")), *reading_options(), resumes=True)
def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="Labelled data, as for `headstart rank`.", autocompletion=complete_target
        ),
    ],
    models: Models = None,
    budget: Annotated[
        str | None,
        named(metavar="TIME", panel=HOW, help="Stop after 60s, 30m or 2h with the best so far; by default no limit."),
    ] = None,
    metric: Annotated[
        str | None, named(metavar="NAME", panel=HOW, help="What to forecast; accuracy for classes.")
    ] = None,
    test: Annotated[
        str | None, named(metavar="DATA", panel=DATA, help="Separate test data; by default a quarter is set aside.")
    ] = None,
    limit: Annotated[int | None, named(min=2, metavar="N", panel=DATA, help="Train on N examples.")] = None,
    out: Annotated[
        Path, named(metavar="DIR", panel=RESULT, help="Everything goes here; the same command resumes.")
    ] = Path("project"),
    json: Json = None,
    **running: Any,
) -> None:
    """Choose a model, transfer it, and prove on untouched examples what that gained; leaves a model that predicts."""
    check_places(json=json)
    from headstart.project import run as run_project

    with shown(console(errors=True)) as tell:
        done = run_project(
            target,
            models,
            out=out,
            budget=budget,
            metric=metric,
            test=test,
            limit=limit,
            progress=tell,
            command=command_line(),
            **running_from(running),
        )
    told = Prose((*wrote([out / "report.html"]), f"Predict: headstart predict {out / 'model'} NEW_DATA"))
    show([*done.view(), told], errors=on_stdout(json))
    write(json, done.to_json() + "\n")
