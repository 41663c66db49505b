"""`headstart evaluate`: saved transfers against saved trainings from scratch."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._output import check_places, on_stdout, show, write, wrote
from headstart.records import Prose, check_destination


def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `headstart transfer` wrote.")],
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="The metric to compare by.")] = None,
    margin: Annotated[float, typer.Option(min=0, metavar="X", help="Smallest difference that matters.")] = 0.01,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, metavar="X", help="Coverage of the intervals.")] = 0.95,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the comparisons; - is standard output.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page.")] = None,
) -> None:
    """Say what saved transfers gained over training from scratch, from their records alone."""
    from headstart.evaluation import evaluate as compare
    from headstart.report import write_results

    check_places(json=json)
    check_destination(report, folder=False)
    found = compare(runs, metric=metric, margin=margin, level=level)
    told = [Prose(wrote([write_results(found, report)]))] if report else []
    show([*found.view(), *told], errors=on_stdout(json))
    write(json, found.to_json() + "\n")
