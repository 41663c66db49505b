"""`map`: one job over many items, on any executor, with results that survive the driver."""

import builtins
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from headstart.errors import CacheError, InputError

Item = TypeVar("Item")
Value = TypeVar("Value")
Answer = tuple[int, Any, Exception | None]  # the task's number, its value, or the exception that its job raised


class Executor(Protocol):
    """Runs a job over numbered items and yields answers as they finish.

    `tasks` is read only as fast as jobs can start. No exception of a job leaves `run`: it is part of the answer.
    """

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]: ...


@dataclass(frozen=True)
class Inline:
    """Runs one job after another in this process."""

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]:
        """Answers in the order of the tasks; Ctrl-C passes through."""
        for index, item in tasks:
            try:
                value = job(item)
            except Exception as error:  # every exception of a job belongs to its item
                yield index, None, error
            else:
                yield index, value, None


class Store(Protocol[Value]):
    """Where finished values are kept under their keys; a `dict` keeps them until the process ends."""

    def __getitem__(self, key: str, /) -> Value: ...  # raises KeyError where there is none

    def __setitem__(self, key: str, value: Value, /) -> None: ...


@dataclass(frozen=True)
class Result(Generic[Item, Value]):
    """The result of one item: a value, or the exception that its job raised."""

    item: Item
    index: int  # the item's place among `items`
    value: Value | None = None
    error: Exception | None = None
    stored: bool = False  # read from the store instead of computed
    note: str = ""  # why the value could not be stored, if it could not

    def get(self) -> Value:
        """The value; raises the job's exception if there is none."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # a job may return None


def map(
    job: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    on: Executor,
    key: Callable[[Item], str] | None = None,
    store: Store[Value] | None = None,
) -> Iterator[Result[Item, Value]]:
    """Call `job` on every item and yield results as they finish, in any order.

    An exception in a job, or the death of a worker process, becomes the `error` of that item's result. Stored values
    are not computed again, and each new one is stored before it is yielded, so the same call resumes after a kill. The
    numbers do not depend on the executor, given equal thread counts.

    Args:
        job: A pure function of its item. Worker processes need one that can be pickled: a function of a module, or a
            `functools.partial` of one.
        items: What to call it on; without a store it is read only as fast as jobs can start.
        on: Where jobs run: `Inline()`, `Processes(4)`, or any other `Executor`.
        key: Names everything that decides an item's value; required with `store`.
        store: Where values are kept. If one cannot be written (a full disk), its result has a `note` and the run
            continues.

    Raises:
        InputError: `store` without `key`, or a job that cannot be pickled.

    Example:
        >>> from headstart.runner import Inline, map
        >>> kept = {"-2": 2}
        >>> results = list(map(abs, [-1, -2], on=Inline(), key=str, store=kept))
        >>> [(result.item, result.get(), result.stored) for result in results]
        [(-2, 2, True), (-1, 1, False)]
        >>> kept
        {'-2': 2, '-1': 1}
    """
    if store is not None and key is None:
        raise InputError("`store` needs `key`: a function that names everything that decides an item's value.")
    if store is None or key is None:
        taken: list[Item] = []

        def given(item: Item) -> Item:
            taken.append(item)
            return item

        tasks = enumerate(builtins.map(given, items))  # unlike a generator, it asks again where nothing was left
        return (Result(taken[index], index, value, error) for index, value, error in on.run(job, tasks))
    items = list(items)
    return _resumed(job, items, [key(item) for item in items], on, store)


def _resumed(
    job: Callable[[Item], Value], items: list[Item], keys: list[str], on: Executor, store: Store[Value]
) -> Iterator[Result[Item, Value]]:
    waiting: list[int] = []
    for index, item in enumerate(items):
        try:
            yield Result(item, index, store[keys[index]], stored=True)
        except KeyError:
            waiting.append(index)
    late: list[Result[Item, Value]] = []  # stored by another process while this one was working

    def todo() -> Iterator[tuple[int, Item]]:
        for index in waiting:
            try:
                late.append(Result(items[index], index, store[keys[index]], stored=True))
            except KeyError:
                yield index, items[index]

    for index, value, error in on.run(job, todo()):
        note = _keep(store, keys[index], value) if error is None else ""
        yield Result(items[index], index, value, error, note=note)
        while late:
            yield late.pop()
    yield from late


def _keep(store: Store[Value], key: str, value: Value) -> str:
    try:
        store[key] = value
    except CacheError as error:
        return f"the result was not stored: {error}"
    return ""
