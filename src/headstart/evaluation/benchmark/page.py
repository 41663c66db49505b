"""The standings of scores as tables: the columns that fit a terminal, or all of them for a page."""

from typing import TYPE_CHECKING

from headstart.evaluation.forecast import Correlation
from headstart.records import Prose, Table, titled
from headstart.wording import MISSING

if TYPE_CHECKING:
    from headstart.evaluation.benchmark.standing import Standing, Standings

WHOSE = {"both": "score and outcome, averaged", "score": "the score", "outcome": "the outcome"}


def standing_tables(standings: "Standings", *, whole: bool = False) -> list[Table | Prose]:
    """A table for each kind of outcome, and notes on them all.

    Args:
        whole: With the columns that a narrow terminal has no room for: the kind of row, and Kendall's tau.
    """
    notes = (
        "the sources share one architecture and differ in training data",
        f"weighted tau: hyperbolic weights by the ranks of {WHOSE[standings.weights]}",
        "regret: points of accuracy lost by taking a score's first choice, drawn where it ties sources",
        "top-1: share of targets whose best source a score puts first",
        f"in brackets: {standings.level:.0%} intervals of the means over targets, from six targets up",
        *(f"{name} left out: {why}" for name, why in standings.left_out.items()),
    )
    outcomes = dict.fromkeys(row.outcome for row in standings.rows)
    return [part for outcome in outcomes for part in _table(outcome, standings, whole)] + [Prose(notes)]


def _table(outcome: str, standings: "Standings", whole: bool) -> list[Table | Prose]:
    header = ("score", "kind", "weighted tau", "Kendall", "regret", "top-1")
    cells = [(row.score, row.kind, *_numbers(row)) for row in standings.of(outcome)]
    kept = range(6) if whole else (0, 2, 4, 5)
    size = f"{len(standings.sources)} sources on {len(standings.targets)} targets"
    return titled(
        f"Outcome: {outcome} ({size}, {standings.created})",
        [header[i] for i in kept],
        [[row[i] for i in kept] for row in cells],
        words=2 if whole else 1,
    )


def _numbers(row: "Standing") -> tuple[str, ...]:
    return _cell(row.weighted_tau, 2), _cell(row.kendall, 2), _cell(row.regret, 1), _cell(row.top1, 2)


def _cell(one: Correlation, digits: int) -> str:
    """`0.78 [0.69,0.85]`; without the interval where there is none."""
    if one.value is None:
        return MISSING
    ends = "" if one.low is None else f" [{one.low:.{digits}f},{one.high:.{digits}f}]"
    return f"{one.value:.{digits}f}{ends}"
