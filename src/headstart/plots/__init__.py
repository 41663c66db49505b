"""Drawings of arrays as PNG and SVG: the only room that knows matplotlib (extra `plots`)."""

from headstart.plots.convergence import LevelCurve, draw_convergence
from headstart.plots.levels import draw_levels
from headstart.plots.scatter import Cloud, draw_scatter
from headstart.plots.selection import Candidates, draw_selection

__all__ = [
    "Candidates",
    "Cloud",
    "LevelCurve",
    "draw_convergence",
    "draw_levels",
    "draw_scatter",
    "draw_selection",
]
