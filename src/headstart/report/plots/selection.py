"""Choice among candidate sources: each score against the outcome, one marker a candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.report.plots.canvas import COLOURS, MARKERS, best_fit, panels, save, style


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
