"""`headstart benchmark`: how well scores foretell real transfers where the best source depends on the target."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._given import refuse_given
from headstart.cli._output import check_places, on_stdout, write
from headstart.errors import InputError
from headstart.records import check_destination

COMPARE, BUILD = "Comparing scores", "Building the benchmark anew"


def benchmark(
    context: typer.Context,
    score: Annotated[
        str, typer.Option("--score", metavar="NAME,...", help="Scores to compare.", rich_help_panel=COMPARE)
    ] = "all",
    results: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Results of your own build.", rich_help_panel=COMPARE, show_default=False),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            metavar="WHOSE", help="Ranks that weigh the tau: outcome, score or both.", rich_help_panel=COMPARE
        ),
    ] = "both",
    level: Annotated[
        float,
        typer.Option(min=0.5, max=0.999, metavar="X", help="Coverage of the intervals.", rich_help_panel=COMPARE),
    ] = 0.95,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all rows; - is standard output.", rich_help_panel=COMPARE),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the tables, Kendall's tau included; or -.", rich_help_panel=COMPARE),
    ] = None,
    build: Annotated[
        bool,
        typer.Option("--build", help="Train the sources and carry out the transfers; resumes.", rich_help_panel=BUILD),
    ] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH...",
            help="Where data sets lie.",
            rich_help_panel=BUILD,
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the build goes.", rich_help_panel=BUILD, show_default=False),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, metavar="N", help="Worker processes.", rich_help_panel=BUILD)] = 1,
) -> None:
    """Compare scores on sources that differ in training data only, against baselines and a reliability ceiling.

    The outcomes of the transfers come with headstart, so this takes seconds. `--build --out FOLDER` makes them anew.
    """
    from headstart.cli._grids import present
    from headstart.experiments.benchmark import benchmark as compare
    from headstart.experiments.benchmark.page import standing_grids
    from headstart.experiments.grid import page

    check_places(json=json, markdown=markdown)
    check_destination(out, folder=True)
    if build:
        if out is None or results is not None:
            raise InputError("`--build` writes to a folder: give `--out FOLDER`, and no `--results`.")
        _build(out, data or [], processes)
        results = out
    else:
        refuse_given(context, ("data", "out", "processes"), "a comparison", "builds nothing", ", or add `--build`")
    standings = compare(score, results=results, weights=weights, level=level)  # type: ignore[arg-type]
    present(standing_grids(standings), errors=on_stdout(json, markdown))
    write(markdown, page(standing_grids(standings, whole=True)))
    write(json, standings.to_json() + "\n")


def _build(out: Path, data: list[str], processes: int) -> None:
    from headstart.experiments.benchmark.build import build as make
    from headstart.experiments.data_sets import parse_places

    make(
        out,
        places=parse_places(data),
        processes=processes,
        progress=lambda done, total, what: typer.echo(f"[{done}/{total}] {what}", err=True),
    )
