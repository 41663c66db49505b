"""Figures of records and arrays; nothing else in headstart needs matplotlib (extra `plots`)."""

from headstart.report.plots.convergence import LevelCurve, draw_convergence
from headstart.report.plots.levels import draw_levels
from headstart.report.plots.records import plot_comparison, plot_ranking
from headstart.report.plots.scatter import Cloud, draw_scatter
from headstart.report.plots.selection import Candidates, draw_selection

__all__ = [
    "Candidates",
    "Cloud",
    "LevelCurve",
    "draw_convergence",
    "draw_levels",
    "draw_scatter",
    "draw_selection",
    "plot_comparison",
    "plot_ranking",
]
