"""Writing rows as they are made, so that a killed run loses about a second of work."""

import time
from types import TracebackType

import numpy as np

from headstart.store.gathered import Gathered
from headstart.store.rows import RowStore, as_keys
from headstart.store.shard import Shard

FLUSH_SECONDS = 1.0
FAN_IN = 16  # so many shards of one generation become one of the next: few files, each row rewritten log_16 n times


class RowWriter:
    """Collects rows and writes a shard about once a second; a context manager that writes the rest when left.

    Rows added before an error or Ctrl-C are kept.

    Example:
        >>> import tempfile, pathlib
        >>> store = RowStore(pathlib.Path(tempfile.mkdtemp()), "0123abcd")
        >>> with RowWriter(store) as writer:
        ...     writer.add([b"0123456789abcdef"], {"features": np.ones((1, 3), np.float32)})
        >>> store.read([b"0123456789abcdef"])["features"].tolist()
        [[1.0, 1.0, 1.0]]
    """

    def __init__(self, store: RowStore) -> None:
        self.store = store
        self._digests: list[bytes] = []
        self._rows: list[dict[str, np.ndarray]] = []
        self._generations: list[list[Shard]] = [[]]
        self._flushed = time.monotonic()

    def __enter__(self) -> "RowWriter":
        self.store.sweep()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()

    def add(self, digests: list[bytes], fields: dict[str, np.ndarray]) -> None:
        """Add the rows of some examples: one matrix (k, width) a field.

        Raises:
            CacheError: The disk is full or the folder cannot be written.
        """
        self._digests += digests
        self._rows.append(fields)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was added since the last time.

        Raises:
            CacheError: The disk is full or the folder cannot be written.
        """
        digests, rows = self._digests, self._rows
        self._digests, self._rows = [], []
        if digests:
            fields = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
            self._keep(self.store.add(as_keys(digests), fields), 0)
        self._flushed = time.monotonic()

    def _keep(self, shard: Shard | None, generation: int) -> None:
        if shard is None:  # another process has merged it with its own
            return
        if generation == len(self._generations):
            self._generations.append([])
        shards = self._generations[generation]
        shards.append(shard)
        if len(shards) == FAN_IN:
            self._generations[generation] = []
            keys = np.concatenate([shard.keys for shard in shards])
            self._keep(self.store.replace(shards, keys, Gathered.whole(shards)), generation + 1)
