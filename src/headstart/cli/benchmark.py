"""`headstart benchmark`: how well scores predict real transfers where the best source depends on the target."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._output import check_places, on_stdout, write


def benchmark(
    score: Annotated[str, typer.Option("--score", metavar="NAME,...", help="Scores to compare.")] = "all",
    results: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Results of your own `headstart reproduce benchmark`.", show_default=False),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(metavar="WHOSE", help="Ranks that weigh the tau: outcome, score or both."),
    ] = "both",
    level: Annotated[
        float,
        typer.Option(min=0.5, max=0.999, metavar="X", help="Coverage of the intervals."),
    ] = 0.95,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all rows; - is standard output."),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the tables, Kendall's tau included; or -."),
    ] = None,
) -> None:
    """Compare scores by how well they predict real transfers of 18 small networks to 12 targets.

    The outcomes of the transfers come with headstart, so this takes seconds.
    """
    from headstart.cli._grids import present
    from headstart.evaluation.benchmark import benchmark as compare
    from headstart.evaluation.benchmark.page import standing_grids
    from headstart.records import page

    check_places(json=json, markdown=markdown)
    standings = compare(score, results=results, weights=weights, level=level)  # type: ignore[arg-type]
    present(standing_grids(standings), errors=on_stdout(json, markdown))
    write(markdown, page(standing_grids(standings, whole=True)))
    write(json, standings.to_json() + "\n")
