"""`headstart report`: the page of whatever was saved, made again."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.records import check_destination


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="What a command wrote: the folder of `--out`, also of several runs, or a file.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the page here, not to report.html beside the records.", show_default=False
        ),
    ] = None,
) -> None:
    """Make the HTML page of a saved ranking, of transfers, a clustering or a project, without any model."""
    from headstart.loading import load_record
    from headstart.report import write_report

    record = load_record(run)
    place = out or (run if run.is_dir() else run.parent) / "report.html"
    check_destination(place, folder=False)
    typer.echo(f"Wrote {write_report(record, place)}")
