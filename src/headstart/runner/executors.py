"""Where jobs run: the protocol, its registry, and the executor that stays in this process."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from headstart.errors import InputError, did_you_mean
from headstart.runner.threads import limited

Item = TypeVar("Item")
Value = TypeVar("Value")
Answer = tuple[int, Any, Exception | None]  # the task's number, its value, or the exception that its job raised


class Executor(Protocol):
    """Runs a job over numbered items and yields answers as they finish.

    `tasks` is read only as fast as jobs can start. No exception of a job leaves `run`: it is part of the answer.
    """

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]: ...


EXECUTORS: dict[str, Callable[..., Executor]] = {}
Made = TypeVar("Made", bound=Callable[..., Executor])


def register(name: str) -> Callable[[Made], Made]:
    """Class decorator: `executor(name, ...)` then makes one."""

    def add(made: Made) -> Made:
        EXECUTORS[name] = made
        return made

    return add


def executor(name: str, **options: int | None) -> Executor:
    """The executor of that name.

    Raises:
        InputError: No executor has the name.

    Example:
        >>> executor("processes", workers=2)
        Processes(workers=2, threads=None)
    """
    if name not in EXECUTORS:
        raise InputError(f"unknown executor `{name}`.{did_you_mean(name, EXECUTORS)} Known: {', '.join(EXECUTORS)}.")
    return EXECUTORS[name](**options)


@register("inline")
@dataclass(frozen=True)
class Inline:
    """Runs one job after another in this process.

    Args:
        threads: Threads of numerical libraries during a job. None leaves their settings alone.
    """

    threads: int | None = None

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]:
        """Answers in the order of the tasks; Ctrl-C passes through."""
        for index, item in tasks:
            try:
                with limited(self.threads):
                    value = job(item)
            except Exception as error:  # every exception of a job belongs to its item
                yield index, None, error
            else:
                yield index, value, None
