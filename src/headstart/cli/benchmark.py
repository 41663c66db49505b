"""`headstart benchmark`: how well scores predict real transfers where the best source depends on the target."""

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli._commands import command
from headstart.cli._options import Workers
from headstart.cli._output import check_places, on_stdout, present, write
from headstart.records import as_markdown


@command(needs_words=False)
def benchmark(
    score: Annotated[str, typer.Option("--scores", metavar="NAME,...", help="Scores to compare.")] = "all",
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
    workers: Workers = "1",
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
    from headstart.evaluation.benchmark import benchmark as compare
    from headstart.evaluation.benchmark.page import standing_tables

    check_places(json=json, markdown=markdown)
    standings = compare(score, results=results, weights=weights, level=level, workers=workers)  # type: ignore[arg-type]
    present(standings.view(), errors=on_stdout(json, markdown))
    write(markdown, as_markdown(standing_tables(standings, whole=True)) + "\n")
    write(json, standings.to_json() + "\n")
