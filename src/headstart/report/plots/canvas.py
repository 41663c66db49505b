"""A row of panels, and how it is saved; nothing here changes matplotlib's global settings."""

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.errors import require
from headstart.records import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")  # one more than colours: 72 pairs before one comes again
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "headstart",  # the same drawing gives the same file
    "svg.fonttype": "none",  # text stays text
}
INCH = (3.6, 3.2)  # of a panel
NARROWEST = 5.0  # room for the title over a single panel
WIDEST = 40  # letters in a line of a panel's title
LETTERS = 12  # of the whole title, in an inch


def style() -> AbstractContextManager[Any]:
    """The settings of all drawings, for a `with`.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    context: AbstractContextManager[Any] = require("matplotlib", "drawing", "plots").rc_context(STYLE)
    return context


def panels(count: int, title: str, height: float = INCH[1]) -> tuple["Figure", list["Axes"]]:
    """A figure of `count` panels side by side, at most four in a row, each `height` inches high."""
    from headstart.report.plots.drawing import Drawing

    columns = min(count, 4)
    rows = -(-count // columns)
    width = max(INCH[0] * columns, NARROWEST)
    figure = Drawing(figsize=(width, height * rows + 0.4), layout="constrained")
    figure.suptitle(_broken(title, int(LETTERS * width)), fontsize=10)
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    return figure, axes


def _broken(title: str, letters: int) -> str:
    """A title that is wider than so many letters in lines: its clauses first, then their words."""
    if len(title) <= letters:
        return title
    return "\n".join(textwrap.fill(clause, letters) for clause in title.replace("; ", ";\n").splitlines())


def in_lines(name: str) -> str:
    """A panel's title, broken where it is wider than the panel.

    Example:
        >>> in_lines("mobilenetv1_025_128_imagenet on Fashion-MNIST")
        'mobilenetv1_025_128_imagenet on\\nFashion-MNIST'
    """
    return textwrap.fill(name, WIDEST, break_long_words=False, break_on_hyphens=False)


def save(figure: "Figure", stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.svg; returns both paths."""
    places = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")]
    with writing(places[0]):
        stem.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(places[0], dpi=150)
    with writing(places[1]):
        figure.savefig(places[1], metadata={"Date": None})
    return places


def best_fit(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The two ends of the least-squares line; None where x does not vary.

    Example:
        >>> ends = best_fit([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
        >>> [[round(float(value), 6) for value in end] for end in ends]
        [[0.0, 2.0], [1.0, 5.0]]
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(a) < 2 or np.ptp(a) == 0:
        return None
    slope, start = np.polyfit(a, b, 1)
    ends = np.array([a.min(), a.max()])
    return ends, slope * ends + start
