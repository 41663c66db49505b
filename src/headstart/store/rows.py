"""Rows on disk, addressed by source fingerprint and example digest: another order or a renamed file finds them too.

Two processes that work on the same rows compute them twice at worst.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from headstart.errors import CacheError, InputError
from headstart.store.care import announce
from headstart.store.disk import ROWS, disk_errors
from headstart.store.segment import KEY, DamagedSegmentError, Layout, Segment, read_segment
from headstart.store.shared import SUFFIX, SharedFolder

IN_MEMORY = 256 << 20  # bytes of scattered rows that are copied to memory; more are copied to a file
BLOCK_BYTES = 8 << 20


class RowStore:
    """The cached rows of one source.

    Args:
        root: The cache folder, made when the first row is written; a `SharedFolder` is kept in step with its URL.
        fingerprint: Hash of everything that changes the rows: weights, preprocessing and layer, never a name.

    `notes` lists what is passed over because it is damaged, and what could not be written.
    """

    def __init__(self, root: Path, fingerprint: str) -> None:
        if not re.fullmatch(r"[0-9A-Za-z_-]{4,200}", fingerprint):
            raise InputError(f"`fingerprint` must be a hash (letters and digits), got {fingerprint!r}.")
        self.root, self.folder = root, root / ROWS / fingerprint
        self.notes: list[str] = []
        self._known: dict[Path, tuple[int, Segment | None]] = {}  # with the size of the index when it was read
        self._held: list[Segment] = []
        self._damaged: list[Path] = []

    def has(self, digests: Iterable[bytes]) -> np.ndarray:
        """Which of the examples have rows: (n,) bool."""
        return _locate(self.segments(), as_keys(digests))[0] >= 0

    def read(self, digests: Iterable[bytes]) -> dict[str, np.ndarray]:
        """The rows in the order of `digests`: a read-only matrix per field. A row that is missing is a CacheError."""
        keys = as_keys(digests)
        segments = self.segments()
        if len(keys) == 0:
            return {}
        for segment in segments:
            if (run := segment.run_of(keys)) is not None:
                return {name: array[run] for name, array in segment.fields.items()}
        segment_of, rows = _locate(segments, keys)
        if (segment_of < 0).any():
            raise CacheError(
                f"{int((segment_of < 0).sum())} of {len(keys)} rows are not in the cache at {self.folder}; "
                "another process may have cleared it. Run again."
            )
        folder = self.folder if _bytes(segments[0].layout) * len(keys) > IN_MEMORY else None
        try:
            return _gather(segments, segment_of, rows, folder)
        except CacheError:  # no room for the file: try it with memory
            return _gather(segments, segment_of, rows, None)

    def hold(self, keys: np.ndarray, fields: dict[str, np.ndarray], why: CacheError) -> None:
        """Keep rows that cannot be written in memory for the life of this store, and note it once."""
        for array in fields.values():
            array.flags.writeable = False
        self._held.append(Segment(keys, fields))
        note = f"forward passes are not saved for the next run: {why}"
        self.notes += [note] if note not in self.notes else []

    def segments(self) -> list[Segment]:
        """All undamaged segments, the longest first. Damaged ones are passed over with a note."""
        if isinstance(self.root, SharedFolder):
            self.root.pull(self.folder)
        announce(self.root, self.folder)
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            with suppress(FileNotFoundError):  # another process cleared it, or set it aside
                size = path.stat().st_size
                if self._known.get(path, (-1, None))[0] != size:
                    self._known[path] = size, self._opened(path)
        found = [segment for _, segment in self._known.values() if segment is not None]
        segments = sorted([*found, *self._held], key=len, reverse=True)
        for one, other in pairwise(segments):
            if one.layout != other.layout:
                raise CacheError(
                    f"the cache at {self.folder} holds rows of different shapes ({_words(one.layout)}; "
                    f"{_words(other.layout)}) for one source. Delete that folder and run again."
                )
        return segments

    def set_aside(self) -> None:
        """Rename the damaged files, now that their rows are made again; who only reads leaves them for that one."""
        for path in self._damaged:
            with suppress(OSError):  # in a read-only folder the file stays, and is skipped each time
                path.replace(path.with_suffix(".damaged"))

    def _opened(self, path: Path) -> Segment | None:
        try:
            return read_segment(path)
        except FileNotFoundError:
            raise
        except DamagedSegmentError as error:
            reason = f"were set aside because {error}"
            self._damaged.append(path)
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        self.notes.append(f"cached rows in {path} {reason}; they are computed again")
        return None


def as_keys(digests: Iterable[bytes]) -> np.ndarray:
    """Digests of 16 bytes as one array (n,) that sorts and compares fast."""
    digests = list(digests)
    if bad := next((digest for digest in digests if len(digest) != KEY.itemsize), None):
        raise InputError(f"a digest must be {KEY.itemsize} bytes, got {len(bad)}.")
    return np.frombuffer(b"".join(digests), KEY)


def _locate(segments: Sequence[Segment], keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each key the index of a segment that has it (-1: none), and its row there."""
    segment_of = np.full(len(keys), -1)
    rows = np.full(len(keys), -1)
    for index, segment in enumerate(segments):
        open_ = np.flatnonzero(segment_of < 0)
        if open_.size == 0:
            break
        found = segment.find(keys[open_])
        hit = found >= 0
        segment_of[open_[hit]] = index
        rows[open_[hit]] = found[hit]
    return segment_of, rows


def _gather(
    segments: Sequence[Segment], segment_of: np.ndarray, rows: np.ndarray, folder: Path | None
) -> dict[str, np.ndarray]:
    """Scattered rows, copied to memory, or to unnamed files in `folder` that disappear with the arrays."""
    found = {}
    for name, (dtype, width) in segments[0].layout.items():
        matrix = _empty(len(rows), dtype, width, folder)
        step = max(1, BLOCK_BYTES // max(1, dtype.itemsize * width))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            for index in np.unique(segment_of[part]):
                mine = np.flatnonzero(segment_of[part] == index)
                matrix[start + mine] = segments[index].fields[name][rows[part][mine]]
        matrix.flags.writeable = False
        found[name] = matrix
    return found


def _empty(count: int, dtype: np.dtype, width: int, folder: Path | None) -> np.ndarray:
    if folder is None:
        return np.empty((count, width), dtype)
    size = count * width * dtype.itemsize
    with disk_errors(folder, size), tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, but crashes a mapped write
        return np.memmap(file, dtype, mode="r+", shape=(count, width))


def _bytes(layout: Layout) -> int:
    return sum(dtype.itemsize * width for dtype, width in layout.values())


def _words(layout: Layout) -> str:
    return ", ".join(f"{name} {width} wide" for name, (_, width) in sorted(layout.items()))
