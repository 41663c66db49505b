"""Writing rows while they are computed, so that a killed run loses about a second of work."""

import time
from types import TracebackType

import numpy as np

from headstart.errors import CacheError
from headstart.store.care import announce
from headstart.store.rows import RowStore, as_keys
from headstart.store.segment import SegmentWriter, layout_of
from headstart.store.shared import SharedFolder

FLUSH_SECONDS = 1.0
SHARE_SECONDS = 30.0  # after which the rows so far go to the URL of a shared cache


class RowWriter:
    """Writes rows about once a second and when the block ends, also by an error or Ctrl-C.

    If the disk is full or read-only, rows stay in memory for this run and the store notes it.

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
        self._segment: SegmentWriter | None = None
        self._failed: CacheError | None = None
        self._flushed = self._begun = time.monotonic()

    def __enter__(self) -> "RowWriter":
        self.store.set_aside()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()
        self._close()

    def add(self, digests: list[bytes], fields: dict[str, np.ndarray]) -> None:
        """Add the rows of some examples: one matrix (k, width) per field."""
        self._digests += digests
        self._rows.append(fields)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows added since the last flush."""
        digests, rows = self._digests, self._rows
        self._digests, self._rows = [], []
        if digests:
            self._write(as_keys(digests), rows)
        if time.monotonic() - self._begun > SHARE_SECONDS and isinstance(self.store.root, SharedFolder):
            self._close()
        self._flushed = time.monotonic()

    def _write(self, keys: np.ndarray, parts: list[dict[str, np.ndarray]]) -> None:
        try:
            if self._failed is None:
                if self._segment is None:
                    self._segment = SegmentWriter(self.store.folder, layout_of(parts[0]))
                    self._begun = time.monotonic()
                announce(self.store.root, self.store.folder)
                self._segment.append(keys, parts)
        except CacheError as error:
            self._failed = error
            self._close()
        if self._failed is not None:
            fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            self.store.hold(keys, fields, self._failed)

    def _close(self) -> None:
        if self._segment is not None:
            segment, self._segment = self._segment, None
            segment.close()
            self._share(segment.name)

    def _share(self, segment: str) -> None:
        """Copy a finished segment to the URL of a shared cache; if that fails, a note says so."""
        if isinstance(self.store.root, SharedFolder):
            try:
                self.store.root.push(self.store.folder, segment)
            except CacheError as error:
                self.store.notes.append(f"forward passes stay on this machine: {error}")
