"""Mean outcome in five levels of a score, with error bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from headstart.report.plots.canvas import COLOURS, in_lines, panels, save, style
from headstart.report.plots.scatter import Cloud

LEVELS = 5

Binned = Sequence[tuple[float | None, float | None, int]]  # mean, standard error, count: one a level


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
