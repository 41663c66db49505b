"""Runs pure jobs over items, in this process or in several, and resumes from results that are already stored."""

from headstart.runner.cluster import Ray
from headstart.runner.mapping import Answer, Executor, Inline, Result, Store, map
from headstart.runner.processes import Processes
from headstart.runner.progress import Event, Progress, counted, listener
from headstart.runner.workers import Workers, on_workers, workers_of

__all__ = [
    "Answer",
    "Event",
    "Executor",
    "Inline",
    "Processes",
    "Progress",
    "Ray",
    "Result",
    "Store",
    "Workers",
    "counted",
    "listener",
    "map",
    "on_workers",
    "workers_of",
]
