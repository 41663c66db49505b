"""The option `workers`: how many processes, or a cluster."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from headstart.errors import InputError
from headstart.runner.cluster import Ray
from headstart.runner.mapping import Executor, Inline
from headstart.runner.processes import Processes

Workers = int | str
RAY = "ray"


def workers_of(value: object) -> Workers:
    """`workers` as a number of processes, "ray" or "ray://HOST:PORT".

    Raises:
        InputError: It is none of these.

    Example:
        >>> workers_of("4"), workers_of("ray")
        (4, 'ray')
    """
    if isinstance(value, str) and (value == RAY or value.startswith("ray://")):
        return value
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = value
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"`workers` must be a number of processes, `ray` or `ray://HOST:PORT`; got {value!r}.")
    if number < 1:
        raise InputError(f"`workers` must be at least 1 process; got {number}.")
    return number


def on_workers(
    workers: object, share: Callable[[Any], float] | None = None, *, threads: int | None = None
) -> AbstractContextManager[Executor]:
    """This process for one worker, else worker processes or Ray, which are kept until the block ends.

    Args:
        workers: As for `workers_of`.
        share: The part of a GPU that an item needs; Ray places tasks by it.
        threads: Threads of numerical libraries in each process; by default a share of the processors.
    """
    count = workers_of(workers)
    if isinstance(count, str):
        return Ray(None if count == RAY else count, threads=threads, share=share)
    return nullcontext(Inline()) if count == 1 else Processes(count, threads)
