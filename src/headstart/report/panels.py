"""Every score as one small plot, the sources in the same order in all of them; and what LEEP sees of each source."""

import re
from dataclasses import dataclass
from html import escape
from itertools import combinations

from headstart.records import HeadView, RankedSource, Ranking, Table
from headstart.records.axis import axis_svg, interval_svg
from headstart.records.ranking_page import leaders, mark, places_for, ranked, score_axis
from headstart.records.table import Column, Tone, breakable
from headstart.scores import SCORES, Score
from headstart.wording import MINUS, bounds, isolated, percentage, plural, shortened, shortened_inside

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


MOST_ROWS = 40  # source classes drawn per source, the most used ones
MOST_COLUMNS = 48  # target classes drawn; beyond that the cells are too narrow to see
MOST_DRAWN = 5_000  # cells on one page, so that it stays small and quick to open
LEVELS = 10  # shades
FAINTEST = 0.05  # a cell below this is left empty: a haze of tiny shares hides the structure
LONGEST_HEADING = 18
ROOM_FOR_NUMBERS = 14  # target classes beside which the values still fit into the cells


@dataclass(frozen=True)
class HeatMap:
    """One source's head over the target's classes: a row per source class, a column of shades per target class."""

    source: str
    table: Table
    covered: str  # share of the target's probability mass that the drawn source classes hold
    note: str  # about target classes that are not drawn
    size: int  # cells drawn; a row with its names weighs as much as four of them on the page


def head_views(ranking: Ranking, room: int = MOST_DRAWN) -> tuple[list[HeatMap], list[str]]:
    """Heat maps in the order of the ranking, and the sources for which the page has no room."""
    maps: list[HeatMap] = []
    left_out: list[str] = []
    for row in ranking.rows:
        if not (row.head and row.head.classes and row.head.source_classes):
            continue
        drawn = _heat_map(row, row.head)
        if room < drawn.size and maps:
            left_out.append(row.source)
            continue
        room -= drawn.size
        maps.append(drawn)
    return maps, left_out


def _heat_map(row: RankedSource, head: HeadView) -> HeatMap:
    rows = range(min(len(head.source_classes), MOST_ROWS))
    columns = _columns(head, rows)
    order = _diagonal(head, rows, columns)
    strips = [_strip(head, z, columns) for z in order]
    names = [(head.classes[c], shortened(head.classes[c], LONGEST_HEADING)) for c in columns]
    headings = "".join(f'<span title="{escape(name)}"><bdi>{escape(short)}</bdi></span>' for name, short in names)
    hidden = len(head.classes) - len(columns)
    table = Table(
        (
            Column("source class", tuple(head.source_classes[z] for z in order), right=False),
            Column("", ("",) * len(order), False, tuple(strips), f'<div class="headings">{headings}</div>'),
            Column("mass", tuple(percentage(head.weights[z]) for z in order)),
        )
    )
    return HeatMap(
        source=row.source,
        table=table,
        covered=percentage(sum(head.weights[z] for z in rows)),
        note=f"{plural(hidden, 'target class', 'target classes')} with less mass not drawn." if hidden else "",
        size=4 * len(order) + sum(head.conditional[c][z] >= FAINTEST for c in columns for z in order),
    )


def _columns(head: HeadView, rows: range) -> list[int]:
    """The target classes to draw, in their own order: those that the drawn source classes hold most of."""
    classes = range(len(head.classes))
    if len(classes) <= MOST_COLUMNS:
        return list(classes)
    mass = [sum(head.weights[z] * head.conditional[c][z] for z in rows) for c in classes]
    return sorted(sorted(classes, key=lambda c: -mass[c])[:MOST_COLUMNS])


def _diagonal(head: HeadView, rows: range, columns: list[int]) -> list[int]:
    """Source classes grouped by the target class they stand for, the clearest first: structure shows as a diagonal."""

    def strongest(z: int) -> tuple[int, float]:
        k = max(range(len(columns)), key=lambda k: head.conditional[columns[k]][z])
        return k, -head.conditional[columns[k]][z]

    return sorted(rows, key=strongest)


def _strip(head: HeadView, z: int, columns: list[int]) -> str:
    """One source class as a row of shaded cells; the title says the same in words."""
    width, cells = 100 / len(columns), ""
    for k, c in enumerate(columns):
        value = head.conditional[c][z]
        if value < FAINTEST:
            continue
        level = min(max(round(value * LEVELS), 1), LEVELS)
        cells += f'<rect class="h{level}" x="{width * k:.2f}%" width="{width:.3f}%" height="100%"/>'
        if value >= 0.095 and len(columns) <= ROOM_FOR_NUMBERS:
            text = f"{value:.2f}".lstrip("0") if value < 0.995 else "1"
            cells += f'<text class="t{level}" x="{width * (k + 0.5):.2f}%" y="15">{text}</text>'
    return (
        f'<svg class="strip" role="img" width="100%" height="22"><title>{escape(_label(head, z))}</title>'
        f'<rect class="track" width="100%" height="100%"/>{cells}</svg>'
    )


def _label(head: HeadView, z: int) -> str:
    values = [row[z] for row in head.conditional]
    strongest = sorted(range(len(values)), key=lambda c: -values[c])[:3]
    return ", ".join(f"{isolated(head.classes[c])} {percentage(values[c])}" for c in strongest if values[c] >= FAINTEST)
