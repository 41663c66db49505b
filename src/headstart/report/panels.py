"""Every score as one small plot, the sources in the same order in all of them."""

import re
from dataclasses import dataclass
from html import escape
from itertools import combinations

from headstart.records import Ranking, Table
from headstart.records.axis import axis_svg, interval_svg
from headstart.records.ranking_page import leaders, mark, places_for, ranked, score_axis
from headstart.records.table import Column, Tone, breakable
from headstart.scores import SCORES, Score
from headstart.wording import MINUS, bounds, isolated, plural, shortened_inside

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
class Panel:
    """One score over all sources."""

    name: str
    title: str
    meaning: str
    reads: str  # what it is computed from, and its bounds
    agreement: str  # how its order compares with the ranking's; "" where there is nothing to compare
    citation: str
    paper: str | None  # its web address
    shown: Table
    folded: Table | None
    remarks: dict[str, str]  # sign -> why a value is missing, or what to keep in mind about it


def score_panels(ranking: Ranking) -> list[Panel]:
    """One panel per score of the record, in its order."""
    return [_panel(ranking, name, f"grid-{place}") for place, name in enumerate(ranking.scores)]


def score_title(name: str) -> str:
    """How a score is called in a sentence; a score that this version does not know keeps its bare name."""
    return SCORES[name].title if name in SCORES else name


def _panel(ranking: Ranking, name: str, grid: str) -> Panel:
    remarks = _remarks(ranking, name)
    signs = {text: _sign(place) for place, text in enumerate(remarks)}
    of_source = [" ".join(signs[text] for text in signs if row.source in remarks[text]) for row in ranking.rows]
    dots = _dots(ranking, name, grid, of_source)
    many = dots.height > SHOWN + 6  # folding a handful away hides more than it saves
    known: Score | None = SCORES.get(name)
    address = ADDRESS.search(known.citation) if known else None
    return Panel(
        name=name,
        title=score_title(name),
        meaning=known.meaning if known else "",
        reads=_reads(known) if known else "",
        agreement=_agreement(ranking, name),
        citation=ADDRESS.sub("", known.citation).rstrip(" ,;.") if known else "",
        paper=address[0] if address else None,
        shown=dots.rows(0, SHOWN) if many else dots,
        folded=_dots(ranking, name, f"{grid}-more", of_source).rows(SHOWN, None) if many else None,
        remarks={signs[text]: text for text in signs},
    )


def _agreement(ranking: Ranking, name: str) -> str:
    """How many pairs of sources a score orders as the ranking does, and which it puts first if another."""
    values = [(row.scores[name].value, row.source) for row in ranked(ranking) if name in row.scores]
    pairs = [(a, b) for a, b in combinations([value for value, _ in values], 2) if a != b]
    if name == ranking.sort or not pairs:
        return ""
    agreed, (_, first) = sum(a > b for a, b in pairs), max(values, key=lambda one: one[0])
    if agreed == len(pairs):
        return "It orders the sources as the ranking does."
    other = "" if first == values[0][1] else f", and puts {isolated(first)} first"
    return (
        f"It disagrees with the ranking on {len(pairs) - agreed:,} of {plural(len(pairs), 'pair')} of sources{other}."
    )


def _dots(ranking: Ranking, name: str, grid: str, signs: list[str]) -> Table:
    """Source, dot with interval, and value; signs refer to the remarks below."""
    rows, first = ranking.rows, leaders(ranking)
    axis, places = score_axis(rows, name), places_for(rows, name)
    marks = [mark(row, name, axis, places) for row in rows]
    short = [breakable(shortened_inside(row.source, LONGEST_NAME)) for row in rows]
    names = [
        f'<bdi class="name" title="{escape(row.source)}">{text}</bdi>' for row, text in zip(rows, short, strict=True)
    ]
    plots = ["" if placed.at is None else interval_svg(placed, grid, 18, 3.2) for placed in marks]
    values = [placed.text + f"<sup>{sign}</sup>" * bool(sign) for placed, sign in zip(marks, signs, strict=True)]
    tones: tuple[Tone, ...] = tuple("good" if row.source in first else "plain" for row in rows)
    columns = (
        Column("source", (), False, tuple(names), '<span class="unseen">source</span>'),
        Column("", (), False, tuple(plots), axis_svg(axis, grid, score_title(name), 2)),
        Column("value", (), True, tuple(values), '<span class="unseen">value</span>'),
    )
    return Table(columns, tones)


def _reads(score: Score) -> str:
    values = bounds(score.low, score.high).replace("-", MINUS)
    return f"Higher is better. Values: {values}. Reads {COSTS[score.needs]}."


def _remarks(ranking: Ranking, name: str) -> dict[str, list[str]]:
    """Notes and reasons, each once with the sources it applies to."""
    said: dict[str, list[str]] = {}
    for row in ranking.rows:
        found = row.scores.get(name)
        for text in found.notes if found else (f"no value: {row.unavailable.get(name, 'not computed')}",):
            said.setdefault(text, []).append(row.source)
    return said


def _sign(i: int) -> str:
    """a, b, ..., z, aa, ab, ...

    >>> _sign(0), _sign(25), _sign(26)
    ('a', 'z', 'aa')
    """
    letter = chr(ord("a") + i % 26)
    return letter if i < 26 else _sign(i // 26 - 1) + letter
