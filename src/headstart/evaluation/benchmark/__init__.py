"""A benchmark of scores where the best source depends on the target: built by one command, its results shipped."""

from headstart.evaluation.benchmark.standing import Standing, Standings, benchmark, static_list
from headstart.evaluation.benchmark.stored import Pair, Scored, Stored, quantised, read_pairs, read_stored, write_stored

__all__ = [
    "Pair",
    "Scored",
    "Standing",
    "Standings",
    "Stored",
    "benchmark",
    "quantised",
    "read_pairs",
    "read_stored",
    "static_list",
    "write_stored",
]
