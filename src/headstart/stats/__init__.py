"""How far a number can be trusted: group jackknife intervals, and paired inference on the order of several sources.

Arrays in, numbers out. Nothing here knows what a score measures: it sees the value on all examples and the values with
one group of examples left out at a time.
"""

from headstart.stats.jackknife import Estimate, jackknife, jackknife_groups, pseudo_values, share_interval
from headstart.stats.racing import Standing, compare, forecast, growing_sizes, halving_plan, level_of_each
from headstart.stats.ranks import (
    PairedRanks,
    clearly_better,
    difference_errors,
    paired_ranks,
    probability_best,
    rank_intervals,
)
from headstart.stats.staged import Stage, staged_ranks

__all__ = [
    "Estimate",
    "PairedRanks",
    "Stage",
    "Standing",
    "clearly_better",
    "compare",
    "difference_errors",
    "forecast",
    "growing_sizes",
    "halving_plan",
    "jackknife",
    "jackknife_groups",
    "level_of_each",
    "paired_ranks",
    "probability_best",
    "pseudo_values",
    "rank_intervals",
    "share_interval",
    "staged_ranks",
]
