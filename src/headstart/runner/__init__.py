"""Runs pure jobs over items, in this process or in several, and resumes from results that are already stored."""

from headstart.runner.executors import EXECUTORS, Executor, Inline, executor, register
from headstart.runner.mapping import Result, Store, map
from headstart.runner.processes import Processes, on_workers
from headstart.runner.progress import Event, Progress, listener

__all__ = [
    "EXECUTORS",
    "Event",
    "Executor",
    "Inline",
    "Processes",
    "Progress",
    "Result",
    "Store",
    "executor",
    "listener",
    "map",
    "on_workers",
    "register",
]
