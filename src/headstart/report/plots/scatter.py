"""Score against outcome, one point a task, with the best-fit line of each way to transfer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.report.plots.canvas import COLOURS, MARKERS, best_fit, in_lines, panels, save, style


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
