"""Where computed rows are kept until the pass ends: in the cache, or in memory."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.target import Target
from headstart.errors import ExampleError
from headstart.store import RowStore, RowWriter

Array = np.ndarray[Any, np.dtype[Any]]
Fields = dict[str, Array]  # field -> (k, width)


class MemorySink:
    """Rows of a target of `examples` examples, in memory."""

    notes: tuple[str, ...] = ()
    writing: AbstractContextManager[object] = nullcontext()

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._arrays: Fields = {}

    def missing(self) -> Array:
        """Indices of the examples that need a row."""
        return np.arange(self._examples)

    def alike(self, index: int) -> list[int]:
        """The examples that share this one's row."""
        return [index]

    def add(self, indices: list[int], fields: Fields) -> None:
        """Keep the rows of some examples."""
        for name, rows in fields.items():
            if name not in self._arrays:
                self._arrays[name] = np.empty((self._examples, rows.shape[1]), rows.dtype)
            self._arrays[name][indices] = rows

    def rows(self, kept: Array) -> Fields:
        """The rows of the examples `kept`, in that order."""
        whole = len(kept) == self._examples
        return {name: array if whole else array[kept] for name, array in self._arrays.items()}


class CacheSink:
    """Rows in a `RowStore`, where equal examples share one; add them inside `with sink.writing`.

    `key` is `Source.cache_key`; the threads of `pool` hash the examples, and `skip` hears of those that cannot be read.
    """

    def __init__(
        self, target: Target, root: Path, key: str, pool: Executor, skip: Callable[[int, Exception], None]
    ) -> None:
        self.store = RowStore(root, key)
        self.writing = RowWriter(self.store)
        self._digests: dict[int, bytes] = {}
        self._alike: dict[bytes, list[int]] = defaultdict(list)

        def digest(index: int) -> bytes | ExampleError:
            try:
                return target.examples.digest(index)
            except ExampleError as error:
                return error

        for index, found in enumerate(pool.map(digest, range(len(target)))):
            if isinstance(found, ExampleError):
                skip(index, found)
            else:
                self._digests[index] = found
                self._alike[found].append(index)

    @property
    def notes(self) -> tuple[str, ...]:
        """Rows that were damaged, or that could not be written."""
        return tuple(self.store.notes)

    def missing(self) -> Array:
        """Indices of the examples that need a row: the first of each content that the cache does not hold."""
        firsts = np.array([indices[0] for indices in self._alike.values()], dtype=np.int64)
        missing: Array = firsts[~self.store.has(self._alike.keys())]
        return missing

    def alike(self, index: int) -> list[int]:
        """The examples that share this one's row."""
        return self._alike[self._digests[index]]

    def add(self, indices: list[int], fields: Fields) -> None:
        """Keep the rows of some examples; in memory once the disk is full."""
        self.writing.add([self._digests[index] for index in indices], fields)

    def rows(self, kept: Array) -> Fields:
        """The rows of the examples `kept`, in that order; mapped into memory where they lie in one piece."""
        return self.store.read(self._digests[int(index)] for index in kept)
