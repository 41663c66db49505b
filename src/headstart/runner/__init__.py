"""Runs pure jobs over items, in this process or in several, and resumes from results that are already stored."""

from headstart.runner.mapping import Answer, Executor, Inline, Result, Store, map
from headstart.runner.processes import Processes, on_workers
from headstart.runner.progress import Event, Progress, listener

__all__ = [
    "Answer",
    "Event",
    "Executor",
    "Inline",
    "Processes",
    "Progress",
    "Result",
    "Store",
    "listener",
    "map",
    "on_workers",
]
