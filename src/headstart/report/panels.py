"""Every score as one small plot, the sources in the same order in all of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from headstart.records import RankedSource, Ranking
from headstart.records.axis import Axis, Mark
from headstart.records.ranking_page import leaders, mark, places_for, score_axis
from headstart.scores import SCORES, Score
from headstart.wording import MINUS, bounds, shortened_inside

COSTS = {
    "probs": "source probabilities",
    "logits": "source logits",
    "source": "the source's own training data",
    "features": "features",
    "card": "published facts only",
    "nothing": "nothing: a baseline",
}
SHOWN = 24  # sources in view per panel; more are folded away
LONGEST_NAME = 40
ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Dot:
    """One source in one panel."""

    source: str
    short: str
    mark: Mark
    leads: bool
    sign: str  # refers to a remark below the panel, e.g. "a"


@dataclass(frozen=True)
class Remark:
    """A note on some sources in a panel: why a value is missing, or what to keep in mind about it."""

    sign: str
    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """One score over all sources."""

    name: str
    title: str
    meaning: str
    reads: str  # what it is computed from, and its bounds
    citation: str
    paper: str | None  # its web address
    sorts: bool  # this score orders the ranking
    axis: Axis
    shown: tuple[Dot, ...]
    folded: tuple[Dot, ...]
    remarks: tuple[Remark, ...]


def score_panels(ranking: Ranking) -> tuple[Panel, ...]:
    """One panel per score of the record, in its order."""
    return tuple(_panel(ranking, name) for name in ranking.scores)


def score_title(name: str) -> str:
    """How a score is called in a sentence; a score that this version does not know keeps its bare name."""
    return SCORES[name].title if name in SCORES else name


def _panel(ranking: Ranking, name: str) -> Panel:
    axis, places = score_axis(ranking.rows, name), places_for(ranking.rows, name)
    remarks = _remarks(ranking.rows, name)
    first = leaders(ranking)
    dots = tuple(
        Dot(
            source=row.source,
            short=shortened_inside(row.source, LONGEST_NAME),
            mark=mark(row, name, axis, places),
            leads=row.source in first,
            sign=_signs(row.source, remarks),
        )
        for row in ranking.rows
    )
    known = SCORES.get(name)
    return Panel(
        name=name,
        title=score_title(name),
        meaning=known.meaning if known else "",
        reads=_reads(known) if known else "",
        citation=ADDRESS.sub("", known.citation).rstrip(" ,;.") if known else "",
        paper=address[0] if known and (address := ADDRESS.search(known.citation)) else None,
        sorts=name == ranking.sort,
        axis=axis,
        shown=dots if len(dots) <= SHOWN + 6 else dots[:SHOWN],
        folded=() if len(dots) <= SHOWN + 6 else dots[SHOWN:],
        remarks=remarks,
    )


def _reads(score: Score) -> str:
    values = bounds(score.low, score.high).replace("-", MINUS)
    return f"Higher is better. Values: {values}. Reads {COSTS[score.needs]}."


def _remarks(rows: Iterable[RankedSource], name: str) -> tuple[Remark, ...]:
    """Notes and reasons, each once with the sources it applies to."""
    said: dict[str, list[str]] = {}
    for row in rows:
        found = row.scores.get(name)
        for text in found.notes if found else (f"no value: {row.unavailable.get(name, 'not computed')}",):
            said.setdefault(text, []).append(row.source)
    return tuple(Remark(_sign(i), text, tuple(sources)) for i, (text, sources) in enumerate(said.items()))


def _signs(source: str, remarks: Iterable[Remark]) -> str:
    return " ".join(remark.sign for remark in remarks if source in remark.sources)


def _sign(i: int) -> str:
    """a, b, ..., z, aa, ab, ...

    >>> _sign(0), _sign(25), _sign(26)
    ('a', 'z', 'aa')
    """
    letter = chr(ord("a") + i % 26)
    return letter if i < 26 else _sign(i // 26 - 1) + letter
