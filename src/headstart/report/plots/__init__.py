"""Figures of a ranking and of a comparison; nothing here changes matplotlib's global settings."""

import textwrap
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.errors import InputError, require
from headstart.records import Comparison, Ranking
from headstart.wording import shortened_inside

__all__ = ["COLOURS", "panels", "plot_comparison", "plot_ranking", "style"]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
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
LONGEST = 40  # characters of a name beside the axis
QUIET = "#999999"
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


def plot_ranking(ranking: Ranking, score: str | None = None) -> "Figure":
    """One score of every source with its 95 % interval, in the order of the ranking; the leaders are coloured.

    Raises:
        InputError: No source has the score.
        MissingExtra: matplotlib is not installed.
    """
    name = score or ranking.sort
    rows = [(place, row, found) for place, row in enumerate(ranking.rows) if (found := row.scores.get(name))]
    if not rows:
        raise InputError(f"no source has the score `{name}`. Scores of this ranking: {', '.join(ranking.scores)}.")
    with style():
        figure, (axis,) = panels(1, f"{name} on {ranking.target.name}", height=1.2 + 0.3 * len(rows))
        for line, (place, _, found) in enumerate(rows):
            colour = COLOURS[0] if place < ranking.tied else QUIET
            if found.low is not None and found.high is not None:
                axis.plot([found.low, found.high], [line, line], color=colour, linewidth=3, alpha=0.5)
            axis.plot(found.value, line, "o", color=colour)
        axis.set_yticks(range(len(rows)), [shortened_inside(row.source, LONGEST) for _, row, _ in rows])
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xlabel(f"{name} (higher is better; lines: 95 % intervals)")
    return figure


def plot_comparison(comparison: Comparison) -> "Figure":
    """The gain over training from scratch with its interval and, where both trained by epochs, the lead per epoch.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    speed, metric = comparison.convergence, comparison.metric.replace("_", " ")
    with style():
        title = f"{comparison.method} of {comparison.source}: {comparison.verdict}"
        figure, (first, *others) = panels(1 if speed is None else 2, title)
        first.bar([0, 1], [comparison.scratch, comparison.transfer], color=[QUIET, COLOURS[0]], width=0.6)
        if comparison.low is not None and comparison.high is not None:
            reach = [[comparison.gain - comparison.low], [comparison.high - comparison.gain]]
            first.errorbar([1], [comparison.transfer], yerr=reach, color="black", capsize=4)
        first.set(xticks=[0, 1], xticklabels=["from scratch", comparison.method], ylabel=metric)
        first.set_title(f"gain {comparison.gain:+.3f}")
        if speed is not None:
            (second,) = others
            second.plot(np.arange(1, len(speed.difference) + 1), speed.difference, color=COLOURS[0])
            second.axhline(0, color=QUIET, linewidth=0.8)
            second.set(xlabel="epoch", ylabel="validation quality: transfer minus scratch", title="lead per epoch")
    return figure
