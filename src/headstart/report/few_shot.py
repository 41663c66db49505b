"""The page of few-shot accuracies: curves over the shots with their intervals, and the tables."""

import os
from dataclasses import dataclass
from pathlib import Path

from headstart.records import FewShot
from headstart.records.axis import Tick, axis_over
from headstart.report.page import filled, write_page

WIDTH, HEIGHT = 720, 300  # of the drawing, in pixels
COLOURS = ("#0b6b66", "#c2571a", "#5b4bb0", "#a1242b", "#4f7a1f", "#1f6fb2", "#b0892c", "#8c3f8f")


@dataclass(frozen=True)
class Curve:
    """One source's accuracies, placed on the drawing."""

    source: str
    colour: str
    points: tuple[tuple[float, float, float, float, str], ...]  # x, y, ends of the interval, title


def write_few_shot(found: FewShot, path: str | os.PathLike[str]) -> Path:
    """Write the page as one HTML file, whole or not at all, and return its path.

    Raises:
        WriteError: The file cannot be written.
    """
    curves, ticks = drawn(found)
    page = filled(
        "few_shot.html.jinja", found=found, parts=found.view(), curves=curves, ticks=ticks, width=WIDTH, height=HEIGHT,
        columns=[(_across(place, len(found.shots)), few) for place, few in enumerate(found.shots)],
    )  # fmt: skip
    return write_page(path, page)


def drawn(found: FewShot) -> tuple[list[Curve], tuple[Tick, ...]]:
    """The curves of the first sources, one a colour, and the ticks of accuracy in percent of the height."""
    rows = found.rows[: len(COLOURS)]
    shown = [[row.at(row.leading(found.method), few) for few in found.shots] for row in rows]
    axis = axis_over(value for points in shown for point in points for value in (point.low, point.high))

    def down(value: float) -> float:
        return round(HEIGHT * (1 - axis.at(value) / 100), 1)

    curves = [
        Curve(
            row.source,
            colour,
            tuple(
                (
                    _across(place, len(points)) + 4 * number, down(point.accuracy), down(point.low), down(point.high),
                    f"{row.source}, {point.shots} shots: {point.accuracy:.3f} ({point.low:.3f} to {point.high:.3f})",
                )
                for place, point in enumerate(points)
            ),
        )
        for number, (row, colour, points) in enumerate(zip(rows, COLOURS, shown, strict=False))
    ]  # fmt: skip
    return curves, axis.ticks(5)


def _across(place: int, count: int) -> float:
    """Where the place-th of `count` numbers of shots lies.

    >>> _across(0, 3), _across(2, 3)
    (60.0, 540.0)
    """
    return 60.0 + (WIDTH - 240.0) * place / max(1, count - 1)
