"""`headstart benchmark`: how well scores foretell real transfers where the best source depends on the target."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headstart.errors import InputError
from headstart.records import check_destination, write_atomically

if TYPE_CHECKING:
    from headstart.evaluation import Correlation
    from headstart.experiments.benchmark import Standing, Standings

COMPARE, BUILD = "Comparing scores", "Building the benchmark anew"
STYLES = {"score": "", "baseline": "yellow", "confound": "yellow", "ceiling": "cyan"}


def benchmark(
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
        Path | None, typer.Option("--json", metavar="FILE", help="Write all rows.", rich_help_panel=COMPARE)
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
    from headstart.experiments.benchmark import benchmark as compare

    check_destination(json, folder=False)
    if build:
        if out is None or results is not None:
            raise InputError("`--build` writes to a folder: give `--out FOLDER`, and no `--results`.")
        _build(out, data or [], processes)
        results = out
    elif data or out:
        raise InputError("`--data` and `--out` are for building; add `--build`.")
    standings = compare(score, results=results, weights=weights, level=level)  # type: ignore[arg-type]
    _print(standings, Console(highlight=False, markup=False))
    if json is not None:
        write_atomically(json, standings.to_json().encode())


def _build(out: Path, data: list[str], processes: int) -> None:
    from headstart.experiments.benchmark.build import build as make
    from headstart.experiments.data_sets import parse_places

    errors = Console(stderr=True, highlight=False, markup=False)
    make(
        out,
        places=parse_places(data),
        processes=processes,
        progress=lambda done, total, what: errors.print(f"[{done}/{total}] {what}"),
    )


def _print(standings: "Standings", console: Console) -> None:
    counts = f"{len(standings.sources)} sources that differ in training data, {len(standings.targets)} targets"
    console.print(Text(f"{counts}; outcomes of {standings.created}", style="bold"))
    console.print(
        f"Weighted tau: hyperbolic weights by the ranks of {_whose(standings.weights)}. Regret: points of accuracy "
        f"lost by taking a score's first choice. In brackets: {standings.level:.0%} intervals over targets."
    )
    for outcome in dict.fromkeys(row.outcome for row in standings.rows):
        console.print()
        console.print(_table(outcome, standings.of(outcome)))
    if standings.left_out:
        console.print()
    for name, why in standings.left_out.items():
        console.print(Text(f"{name} left out: {why}", style="dim"))


def _table(outcome: str, rows: "tuple[Standing, ...]") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    targets = max(row.targets for row in rows)
    table.add_column(f"outcome: {outcome}, {targets} targets", no_wrap=True)
    for title in ("weighted tau", "Kendall", "regret", "top-1"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = [_cell(one, digits) for one, digits in ((row.weighted_tau, 2), (row.kendall, 2), (row.regret, 1))]
        name = row.score if row.targets == targets else f"{row.score} (targets: {row.targets})"
        table.add_row(Text(name, style=STYLES[row.kind]), *cells, _cell(row.top1, 2))
    return table


def _cell(one: "Correlation", digits: int) -> str:
    if one.value is None:
        return "-"
    ends = "" if one.low is None else f" [{one.low:.{digits}f}, {one.high:.{digits}f}]"
    return f"{one.value:.{digits}f}{ends}"


def _whose(weights: str) -> str:
    return {"both": "score and outcome, averaged", "score": "the score", "outcome": "the outcome"}[weights]
