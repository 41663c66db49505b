"""How far a transfer is ahead of training from scratch, epoch by epoch, one curve a level of the score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.report.plots.canvas import COLOURS, in_lines, panels, save, style


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
