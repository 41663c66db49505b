"""Where rows go while they are made, and where they come from at the end: the cache, or memory."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np

from headstart.data.target import Target
from headstart.errors import ExampleError
from headstart.store import RowStore, RowWriter

Fields = dict[str, np.ndarray]  # field -> (k, width)


class MemorySink:
    """Rows kept in memory and nowhere else.

    Args:
        examples: How many the target has.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._arrays: Fields = {}

    def __enter__(self) -> "MemorySink":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return

    def missing(self) -> np.ndarray:
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

    def rows(self, kept: np.ndarray) -> Fields:
        """The rows of the examples `kept`, in that order."""
        whole = len(kept) == self._examples
        return {name: array if whole else array[kept] for name, array in self._arrays.items()}


class CacheSink:
    """Rows kept in a `RowStore`, where equal examples share one.

    Args:
        target: Its examples are hashed.
        root: The cache folder.
        fingerprint: Of the source.
        pool: Threads that read and hash.
        skip: Called with the index and the error of an example that cannot be read at all.
    """

    def __init__(
        self,
        target: Target,
        root: Path,
        fingerprint: str,
        pool: ThreadPoolExecutor,
        skip: Callable[[int, Exception], None],
    ) -> None:
        self._store = RowStore(root, fingerprint)
        self._writer = RowWriter(self._store)
        self._digests: dict[int, bytes] = {}
        for index, digest in enumerate(pool.map(lambda i: _digest(target, i), range(len(target)))):
            if isinstance(digest, ExampleError):
                skip(index, digest)
            else:
                self._digests[index] = digest
        self._alike: dict[bytes, list[int]] = defaultdict(list)
        for index, digest in self._digests.items():
            self._alike[digest].append(index)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the cache has to say: rows set aside because they were damaged, or that could not be written."""
        return tuple(self._store.notes)

    def __enter__(self) -> "CacheSink":
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.__exit__(kind, error, trace)

    def missing(self) -> np.ndarray:
        """Indices of the examples that need a row: the first of each content that the cache has none of."""
        firsts = np.array([indices[0] for indices in self._alike.values()], dtype=np.int64)
        return firsts[~self._store.has(self._alike.keys())]

    def alike(self, index: int) -> list[int]:
        """The examples that share this one's row."""
        return self._alike[self._digests[index]]

    def add(self, indices: list[int], fields: Fields) -> None:
        """Keep the rows of some examples; in memory where the disk takes no more."""
        self._writer.add([self._digests[index] for index in indices], fields)

    def rows(self, kept: np.ndarray) -> Fields:
        """The rows of the examples `kept`, in that order; mapped into memory where they lie in one piece."""
        return self._store.read(self._digests[int(index)] for index in kept)


def _digest(target: Target, index: int) -> bytes | ExampleError:
    try:
        return target.examples.digest(index)
    except ExampleError as error:
        return error
