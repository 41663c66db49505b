"""Decoding and preparing examples in background threads, a bounded way ahead of the network."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from headstart.data.target import Target
from headstart.errors import ExampleError, HeadstartError, ModelError

AHEAD = 64  # prepared examples that may wait for the network; at 224 pixels about 40 MB
Prepared = tuple[int, Any]  # index of the example, and what the source's preprocessing returned


def decoders() -> int:
    """How many threads decode: one per core that this process may use, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores)


@contextmanager
def workers(threads: int | None = None, name: str = "headstart-decode") -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, as a rule those that decode, that drops queued calls when the block is left."""
    pool = ThreadPoolExecutor(threads or decoders(), thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Feed:
    """Prepared examples in the order of `indices`, decoded ahead of their use; `skip` hears of unreadable ones."""

    def __init__(
        self,
        pool: Executor,
        target: Target,
        indices: Iterable[int],
        prepare: Callable[[object], object],
        skip: Callable[[int, Exception], None],
    ) -> None:
        self._pool, self._target, self._prepare, self._skip = pool, target, prepare, skip
        self._todo = deque(indices)
        self._waiting: deque[tuple[int, Future[object]]] = deque()
        self._fill()

    @property
    def remaining(self) -> int:
        """How many examples have not been taken."""
        return len(self._todo) + len(self._waiting)

    def take(self, count: int) -> list[Prepared]:
        """The next `count` readable examples; fewer at the end."""
        batch: list[Prepared] = []
        while len(batch) < count:
            self._fill(count)
            if not self._waiting:
                break
            index, future = self._waiting.popleft()
            try:
                batch.append((index, future.result()))
            except ExampleError as error:
                self._skip(index, error)
        return batch

    def _fill(self, count: int = 0) -> None:
        while self._todo and len(self._waiting) < max(AHEAD, 2 * count):
            index = self._todo.popleft()
            self._waiting.append((index, self._pool.submit(self._one, index)))

    def _one(self, index: int) -> object:
        example = self._target.examples.load(index)
        try:
            return self._prepare(example)
        except HeadstartError:
            raise
        except Exception as error:  # foreign code may raise anything
            raise ModelError(
                f"the source's preprocessing fails on {self._target.ids[index]}: {type(error).__name__}: {error}."
            ) from error
