"""A benchmark of scores where the best source depends on the target: built by one command, its results shipped."""

from headstart.experiments.benchmark.standing import Standing, Standings, benchmark, static_list, static_tau
from headstart.experiments.benchmark.stored import Pair, Stored, read_pairs, read_stored

__all__ = [
    "Pair",
    "Standing",
    "Standings",
    "Stored",
    "benchmark",
    "read_pairs",
    "read_stored",
    "static_list",
    "static_tau",
]
