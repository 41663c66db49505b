"""`headstart few-shot`: which of these models needs the fewest examples?"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from headstart.cli._commands import command
from headstart.cli._options import (
    FORWARD,
    RESULT,
    Json,
    Models,
    Report,
    complete_target,
    named,
    running_from,
)
from headstart.cli._output import Output
from headstart.cli._progress import shown
from headstart.errors import InputError

WHAT = "The episodes"


@command(*FORWARD)
def few_shot(
    target: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET", help="Labelled data, whatever `headstart rank` reads.", autocompletion=complete_target
        ),
    ],
    models: Models = None,
    ways: Annotated[
        str | None,
        named(
            metavar="N",
            panel=WHAT,
            help="Classes of an episode, or all: your own each time; by default 5, or all where there are fewer.",
        ),
    ] = None,
    shots: Annotated[
        str, named(metavar="N,N", panel=WHAT, help="Examples of each class to learn from, with commas.")
    ] = "1,5,10",
    episodes: Annotated[int, named(min=2, metavar="N", panel=WHAT, help="Small tasks to draw.")] = 600,
    queries: Annotated[
        int, named(min=1, metavar="N", panel=WHAT, help="Examples of each class to judge an episode on, at most.")
    ] = 15,
    method: Annotated[
        str | None,
        named(
            metavar="NAME,NAME",
            panel=WHAT,
            help="centred, prototypes, cosine (nearest class means), ridge, logistic; by default all of them.",
        ),
    ] = None,
    cnaps: Annotated[
        Path | None,
        named(
            metavar="FILE",
            panel=WHAT,
            help="Adaptation networks that `hs.meta.save` wrote: one more row, adapted to each episode (slow).",
        ),
    ] = None,
    out: Annotated[Path | None, named(metavar="DIR", panel=RESULT, help="Save few_shot.json here.")] = None,
    report: Report = None,
    json: Json = None,
    **running: Any,
) -> None:
    """Rank pretrained models by their accuracy from a few examples of each class."""
    output = Output(json=json)
    from headstart.fewshot import few_shot as measure

    with shown(output.errors) as progress:
        found = measure(
            target[0] if len(target) == 1 else target,
            models,
            ways=None if ways is None else _ways(ways),
            shots=_numbers(shots),
            episodes=episodes,
            queries=queries,
            method=method,
            cnaps=cnaps,
            report=report,
            out=out,
            progress=progress,
            **running_from(running),
        )
    output.finish(found, out and out / "few_shot.json", report)


def _ways(text: str) -> int | Literal["all"]:
    if text == "all":
        return "all"
    if not text.isdigit():
        raise InputError(f"`--ways` must be a whole number or all; got {text!r}.")
    return int(text)


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InputError(f"`--shots` must be whole numbers with commas, as in 1,5,10; got {text!r}.")
    return [int(part) for part in parts]
