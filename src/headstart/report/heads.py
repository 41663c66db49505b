"""What LEEP sees: for each source class, which of the target's classes it stands for."""

from dataclasses import dataclass
from html import escape

from headstart.records import HeadView, RankedSource, Ranking, Table
from headstart.records.table import Column
from headstart.wording import isolated, percentage, plural, shortened

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
