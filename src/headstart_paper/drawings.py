"""The drawings of the paper's figures: scatters, levels, curves and choices, written as PNG and SVG."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.records import writing
from headstart.report.plots import COLOURS, panels, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")  # one more than colours: 72 different pairs
WIDEST = 40  # letters in a line of a panel's title
LEVELS = 5

Binned = Sequence[tuple[float | None, float | None, int]]  # mean, standard error, count: one a level


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of one colour."""

    name: str  # for the legend
    scores: np.ndarray  # (n,)
    outcomes: np.ndarray  # (n,)


def draw_scatter(
    clouds: Mapping[str, Sequence[Cloud]],
    stem: Path,
    *,
    title: str,
    x_label: str = "LEEP",
    y_label: str = "test accuracy",
) -> list[Path]:
    """One panel a source, as in Figure 1; returns the files written.

    Args:
        clouds: Panel's title -> its clouds.
        stem: The files' path without a suffix.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with style():
        figure, axes = panels(len(clouds), title)
        for axis, (name, members) in zip(axes, clouds.items(), strict=True):
            for place, cloud in enumerate(members):
                colour = COLOURS[place % len(COLOURS)]
                axis.scatter(
                    cloud.scores,
                    cloud.outcomes,
                    s=14,
                    alpha=0.6,
                    color=colour,
                    marker=MARKERS[place % len(MARKERS)],
                    linewidths=0,
                    label=cloud.name,
                )
                line = best_fit(cloud.scores, cloud.outcomes)
                if line is not None:
                    axis.plot(*line, color=colour, linewidth=1.5)
            axis.set(title=in_lines(name), xlabel=x_label, ylabel=y_label)
            axis.legend(frameon=False, fontsize=8)
        return save(figure, stem)


@dataclass(frozen=True, eq=False)
class LevelCurve:
    """One level's mean difference to the reference, after each epoch."""

    level: int  # 1: lowest
    tasks: int
    difference: np.ndarray  # (epochs,) accuracy of the transfer minus the reference's last
    error: np.ndarray | None = None  # (epochs,) standard error; None with one task


def draw_convergence(curves: Mapping[str, Sequence[LevelCurve]], stem: Path, *, title: str) -> list[Path]:
    """One panel a source, one curve a level, as in Figure 4; returns the files written.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with style():
        figure, axes = panels(len(curves), title)
        for axis, (name, members) in zip(axes, curves.items(), strict=True):
            for curve in members:
                epochs = np.arange(1, len(curve.difference) + 1)
                colour = COLOURS[(curve.level - 1) % len(COLOURS)]
                axis.plot(epochs, curve.difference, color=colour, label=f"level {curve.level} ({curve.tasks})")
                if curve.error is not None:
                    low, high = curve.difference - curve.error, curve.difference + curve.error
                    axis.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
            axis.axhline(0, color="#888888", linewidth=0.8)
            axis.set(title=in_lines(name), xlabel="epoch", ylabel="accuracy minus that of scratch at its end")
            axis.legend(frameon=False, fontsize=8, title="level (tasks)", title_fontsize=8)
        return save(figure, stem)


@dataclass(frozen=True, eq=False)
class Strand:
    """One score's coefficient after each of some epochs, with its interval."""

    name: str  # for the legend
    epochs: Sequence[int]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def draw_strands(found: Mapping[str, Sequence[Strand]], stem: Path, *, title: str) -> list[Path]:
    """One panel a row of the table, one line a score with its 95 % band; returns the files written.

    Args:
        found: Panel's title -> its scores. A score has one colour in all panels.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    names = list(dict.fromkeys(strand.name for strands in found.values() for strand in strands))
    with style():
        figure, axes = panels(len(found), title)
        handles = {}
        for axis, (name, strands) in zip(axes, found.items(), strict=True):
            for strand in strands:
                place = names.index(strand.name)
                colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
                (handles[strand.name],) = axis.plot(
                    strand.epochs, strand.values, color=colour, marker=marker, markersize=3, linewidth=1.2
                )
                axis.fill_between(strand.epochs, strand.low, strand.high, color=colour, alpha=0.1, linewidth=0)
            ticks = strands[0].epochs
            axis.set_xscale("log")
            axis.set_xticks(ticks, map(str, ticks))
            axis.minorticks_off()
            axis.set(title=in_lines(name), xlabel="epochs trained", ylabel="correlation with the outcome")
            axis.axhline(0, color="#888888", linewidth=0.8)
        figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=6, fontsize=8)
        return save(figure, stem)


@dataclass(frozen=True, eq=False)
class Candidates:
    """One panel: a score of every candidate and what the candidate reached."""

    names: Sequence[str]  # (m,)
    scores: np.ndarray  # (m,)
    outcomes: np.ndarray  # (m,)


def draw_selection(found: Mapping[str, Candidates], stem: Path, *, title: str) -> list[Path]:
    """One panel a score, one legend for all; returns the files written.

    Args:
        found: Label of the score -> candidates.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with style():
        figure, axes = panels(len(found), title)
        names = list(dict.fromkeys(name for group in found.values() for name in group.names))
        handles = {}
        for axis, (label, group) in zip(axes, found.items(), strict=True):
            line = best_fit(group.scores, group.outcomes)
            if line is not None:
                axis.plot(*line, color="#999999", linewidth=1.0, zorder=0)
            for name, score, outcome in zip(group.names, group.scores, group.outcomes, strict=True):
                place = names.index(name)
                handles[name] = axis.scatter(
                    score, outcome, s=45, color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)]
                )
            axis.set(xlabel=label, ylabel="test accuracy")
        figure.legend(
            [handles[name] for name in names], names, loc="outside lower center", ncols=min(4, len(names)), fontsize=8
        )
        return save(figure, stem)


def draw_levels(
    clouds: Mapping[str, Sequence[Cloud]],
    binned: Mapping[str, Sequence[Binned]],
    stem: Path,
    *,
    title: str,
    y_label: str,
) -> list[Path]:
    """One panel a source: the mean outcome at each level of the score; returns the files written.

    Args:
        clouds: Panel's title -> what was binned, for the names.
        binned: Panel's title -> for each cloud its levels, lowest first; an empty level has no mean.
        stem: The files' path without a suffix.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with style():
        figure, axes = panels(len(clouds), title)
        for axis, (name, members) in zip(axes, clouds.items(), strict=True):
            for place, (cloud, found) in enumerate(zip(members, binned[name], strict=True)):
                width = 0.8 / len(members)
                there = [(level, *entry) for level, entry in enumerate(found, start=1) if entry[0] is not None]
                x = np.array([entry[0] for entry in there]) + (place - (len(members) - 1) / 2) * width
                heights = [entry[1] or 0.0 for entry in there]
                errors = [entry[2] or 0.0 for entry in there]
                colour = COLOURS[place % len(COLOURS)]
                axis.bar(x, heights, width, yerr=errors, color=colour, alpha=0.85, capsize=2, label=cloud.name)
                for at, entry in zip(x, there, strict=True):
                    axis.annotate(str(entry[3]), (at, 0), ha="center", va="bottom", fontsize=6, color="white")
            axis.set(
                title=in_lines(name),
                xlabel="level of the score (1: lowest)",
                ylabel=y_label,
                xticks=range(1, LEVELS + 1),
            )
            axis.margins(y=0.2)  # room for the legend
            axis.legend(frameon=False, fontsize=8, loc="upper left")
        return save(figure, stem)


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
