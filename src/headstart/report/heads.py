"""What LEEP sees: for each source class, which of the target's classes it stands for."""

from dataclasses import dataclass

from headstart.records import HeadView, RankedSource, Ranking
from headstart.wording import isolated, percentage, shortened

MOST_ROWS = 40  # source classes drawn per source, the most used ones
MOST_COLUMNS = 48  # target classes drawn; beyond that the cells are too narrow to see
MOST_DRAWN = 5_000  # cells on one page, so that it stays small and quick to open
LEVELS = 10  # shades
FAINTEST = 0.05  # a cell below this is left empty: a haze of tiny shares hides the structure
LONGEST_HEADING = 18
ROOM_FOR_NUMBERS = 14  # target classes beside which the values still fit into the cells


@dataclass(frozen=True)
class Cell:
    """One visible P(target class given source class)."""

    at: float  # left edge, percent of the width
    middle: float
    level: int  # 1 (faint) to LEVELS (certain)
    text: str  # "" where a number would be too small to matter


@dataclass(frozen=True)
class Strip:
    """One source class."""

    name: str
    weight: str
    cells: tuple[Cell, ...]
    label: str  # the same in words


@dataclass(frozen=True)
class Heading:
    """One target class over the strips."""

    short: str
    name: str


@dataclass(frozen=True)
class HeatMap:
    """One source's head over the target's classes."""

    source: str
    headings: tuple[Heading, ...]
    strips: tuple[Strip, ...]
    cell_width: float  # percent
    covered: str  # share of the target's probability mass that the drawn source classes hold
    hidden_columns: int  # target classes not drawn

    @property
    def size(self) -> int:
        """Cells drawn; a strip with its names weighs as much as four of them on the page."""
        return sum(4 + len(strip.cells) for strip in self.strips)


@dataclass(frozen=True)
class Heads:
    """The heat maps of a page, best source first, and the sources that found no room."""

    maps: tuple[HeatMap, ...]
    left_out: tuple[str, ...]


def head_views(ranking: Ranking, room: int = MOST_DRAWN) -> Heads:
    """Heat maps in the order of the ranking; where they no longer fit, the sources are only named."""
    maps: list[HeatMap] = []
    left_out: list[str] = []
    for row in ranking.rows:
        drawn = _heat_map(row, row.head) if row.head and row.head.classes and row.head.source_classes else None
        if drawn is None:
            continue
        if room < drawn.size and maps:
            left_out.append(row.source)
            continue
        room -= drawn.size
        maps.append(drawn)
    return Heads(tuple(maps), tuple(left_out))


def _heat_map(row: RankedSource, head: HeadView) -> HeatMap:
    rows = range(min(len(head.source_classes), MOST_ROWS))
    columns = _columns(head, rows)
    width = 100 / len(columns)
    return HeatMap(
        source=row.source,
        headings=tuple(Heading(shortened(head.classes[c], LONGEST_HEADING), head.classes[c]) for c in columns),
        strips=tuple(_strip(head, z, columns, width) for z in _diagonal(head, rows, columns)),
        cell_width=round(width, 3),
        covered=percentage(sum(head.weights[z] for z in rows)),
        hidden_columns=len(head.classes) - len(columns),
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


def _strip(head: HeadView, z: int, columns: list[int], width: float) -> Strip:
    values = [head.conditional[c][z] for c in columns]
    return Strip(
        name=head.source_classes[z],
        weight=percentage(head.weights[z]),
        cells=tuple(_cell(k, value, width, len(columns)) for k, value in enumerate(values) if value >= FAINTEST),
        label=_label(head, z),
    )


def _cell(k: int, value: float, width: float, columns: int) -> Cell:
    level = min(max(round(value * LEVELS), 1), LEVELS)
    text = f"{value:.2f}".lstrip("0") if value >= 0.095 and columns <= ROOM_FOR_NUMBERS else ""
    return Cell(round(width * k, 2), round(width * (k + 0.5), 2), level, text if value < 0.995 else text and "1")


def _label(head: HeadView, z: int) -> str:
    """The strongest target classes of one source class in words, for a reader who cannot see the strip."""
    values = [row[z] for row in head.conditional]
    strongest = sorted(range(len(values)), key=lambda c: -values[c])[:3]
    return ", ".join(f"{isolated(head.classes[c])} {percentage(values[c])}" for c in strongest if values[c] >= FAINTEST)
