"""One segment: the rows of one run, in files that only this run appends to, used only while their checksums match.

`NAME.FIELD` holds the rows of a field as plain numbers. `NAME.rows` is the index: a line of JSON with the type and
width of each field, then for every batch its number of rows, a checksum and the digests. Rows are on disk before their
batch enters the index, so a kill leaves at most rows that nothing points to. There are no locks, which network disks
lack: SQLite's WAL would need them, and with rows as blobs it was slower than these files.
"""

import json
import os
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path

import numpy as np

from headstart.store.disk import disk_errors
from headstart.store.shared import SUFFIX

KEY = np.dtype("S16")  # fixed width, so stripped zeros at the end change neither order nor equality
_BATCH = struct.Struct("<II")  # rows, checksum

Layout = Mapping[str, tuple[np.dtype, int]]  # field -> (type, width of a row)
Fields = Mapping[str, np.ndarray]  # field -> (n, width)


class DamagedSegmentError(Exception):
    """The files are not what was written."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows and their keys, read-only; memory-mapped if they are on disk."""

    keys: np.ndarray  # (n,) of KEY
    fields: Fields

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def layout(self) -> Layout:
        """Type and row width of each field."""
        return layout_of(self.fields)

    @cached_property
    def order(self) -> np.ndarray:
        """The permutation that sorts the keys."""
        return np.argsort(self.keys, kind="stable")

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Row of each key, -1 if this segment lacks it."""
        slots = np.searchsorted(self.keys, keys, sorter=self.order)
        rows = self.order[np.minimum(slots, len(self) - 1)]
        return np.where(self.keys[rows] == keys, rows, -1)

    def run_of(self, keys: np.ndarray) -> slice | None:
        """Where `keys` are consecutive and in this order; None if they are not."""
        for start in np.flatnonzero(self.keys == keys[0]):
            if np.array_equal(self.keys[start : start + len(keys)], keys):
                return slice(int(start), int(start) + len(keys))
        return None


class SegmentWriter:
    """Appends batches to a new segment.

    After a CacheError (a full or read-only disk) the segment ends with the previous batch.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.name = folder, uuid.uuid4().hex
        self._header = json.dumps({field: [dtype.str, width] for field, (dtype, width) in layout.items()}).encode()
        self._files: dict[str, FileIO] = {}  # unbuffered: a failed write is not retried when the file closes
        with disk_errors(folder, len(self._header)):
            folder.mkdir(parents=True, exist_ok=True)
            self._index = FileIO(folder / f"{self.name}{SUFFIX}", "xb")
            _write(self._index, memoryview(self._header + b"\n"))
            for field in layout:
                self._files[field] = FileIO(folder / f"{self.name}.{field}", "xb")

    def close(self) -> None:
        """Close the files."""
        for file in (*self._files.values(), self._index):
            with disk_errors(self.folder, 0):
                file.close()

    def append(self, keys: np.ndarray, parts: Sequence[Fields]) -> None:
        """Add a batch, whole or not at all; its rows may be in several parts. Nothing may follow a CacheError."""
        checksum = zlib.crc32(keys.tobytes(), zlib.crc32(self._header))
        with disk_errors(self.folder, keys.nbytes + sum(array.nbytes for part in parts for array in part.values())):
            for field, file in self._files.items():
                for part in parts:
                    rows = np.ascontiguousarray(part[field]).data.cast("B")
                    checksum = zlib.crc32(rows, checksum)
                    _write(file, rows)
                os.fsync(file.fileno())
            _write(self._index, memoryview(_BATCH.pack(len(keys), checksum) + keys.tobytes()))
            os.fsync(self._index.fileno())


def rows_in(index: Path) -> int:
    """How many rows an index lists; their content is not read."""
    return sum(len(keys) for keys, _ in _batches(index.read_bytes().partition(b"\n")[2]))


def read_segment(path: Path) -> Segment | None:
    """The rows of an index, memory-mapped once their checksums match; None if it has no rows yet."""
    header, whole, content = path.read_bytes().partition(b"\n")
    batches = _batches(content)
    if not header or (not whole and header.startswith(b"{")):  # its writer was killed, or has only begun
        return None
    try:
        layout = {field: (np.dtype(name), int(width)) for field, (name, width) in json.loads(header).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedSegmentError("its index cannot be read") from error
    if not batches:
        return None
    keys = np.concatenate([keys for keys, _ in batches])
    fields = {field: _mapped(path.with_suffix(f".{field}"), len(keys), *form) for field, form in layout.items()}
    start = 0
    for batch, expected in batches:
        checksum = zlib.crc32(batch.tobytes(), zlib.crc32(header))
        for array in fields.values():
            checksum = zlib.crc32(array[start : start + len(batch)].data.cast("B"), checksum)
        if checksum != expected:
            raise DamagedSegmentError("its checksum differs")
        start += len(batch)
    return Segment(keys, fields)


def layout_of(fields: Fields) -> Layout:
    """Type and row width of each field."""
    return {name: (array.dtype, array.shape[1]) for name, array in fields.items()}


def _batches(content: bytes) -> list[tuple[np.ndarray, int]]:
    """Keys and checksum of each whole batch, without one that a killed or running writer has not finished."""
    batches, at = [], 0
    while at + _BATCH.size <= len(content):
        count, checksum = _BATCH.unpack_from(content, at)
        at += _BATCH.size
        if at + count * KEY.itemsize > len(content):
            break
        batches.append((np.frombuffer(content, KEY, count, at), checksum))
        at += count * KEY.itemsize
    return batches


def _mapped(path: Path, count: int, dtype: np.dtype, width: int) -> np.ndarray:
    try:
        return np.memmap(path, dtype, mode="r", shape=(count, width))
    except (ValueError, FileNotFoundError) as error:
        raise DamagedSegmentError(f"rows of {path.name} are missing") from error


def _write(file: FileIO, content: memoryview) -> None:
    while content:
        content = content[file.write(content) :]
