"""One shard: an immutable file of rows, written whole or not at all, believed only while its checksum holds.

A shard is an ordinary safetensors file: `keys` (n, 16) bytes and one matrix a field, with a SHA-256 of everything in
its metadata. It is written here and not by the safetensors library because the rows may exceed the memory: blocks go
to the file one by one, and reading maps the file instead of loading it.
"""

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from headstart.store.disk import disk_errors

SUFFIX = ".rows.safetensors"
TEMPORARY = ".part-"
BLOCK_BYTES = 8 << 20
KEY = np.dtype("S16")  # fixed width, so stripped zeros at the end change neither order nor equality
_TYPES: dict[str, np.dtype] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "U8": np.dtype("u1"),
}
_NAMES: dict[np.dtype, str] = {dtype: name for name, dtype in _TYPES.items()}
_NO_CHECKSUM = "0" * 64

Layout = Mapping[str, tuple[np.dtype, int]]  # field -> (type, width of a row)
Block = Callable[[str, slice], np.ndarray]  # field, rows wanted -> (k, width)


class DamagedShardError(Exception):
    """The file is not what was written: cut short, altered, or no shard at all."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Rows of one file, mapped into memory, read only."""

    path: Path
    keys: np.ndarray  # (n,) of KEY
    fields: dict[str, np.ndarray]  # name -> (n, width), memory-mapped

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def layout(self) -> Layout:
        """Type and row width of each field."""
        return {name: (array.dtype, array.shape[1]) for name, array in self.fields.items()}

    @cached_property
    def order(self) -> np.ndarray:
        """The permutation that sorts the keys."""
        return np.argsort(self.keys, kind="stable")

    def find(self, keys: np.ndarray) -> np.ndarray:
        """Row of each key, -1 where this shard has none."""
        slots = np.searchsorted(self.keys, keys, sorter=self.order)
        rows = self.order[np.minimum(slots, len(self) - 1)]
        return np.where(self.keys[rows] == keys, rows, -1)

    def run_of(self, keys: np.ndarray) -> slice | None:
        """Where `keys` stand side by side in this shard, in that order; None where they do not."""
        for start in np.flatnonzero(self.keys == keys[0]):
            if np.array_equal(self.keys[start : start + len(keys)], keys):
                return slice(int(start), int(start) + len(keys))
        return None


def read_shard(path: Path) -> Shard:
    """Map a shard after comparing its checksum.

    Raises:
        DamagedShardError: It is not what was written.
        FileNotFoundError: Another process merged it away.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        header, start = _read_header(file, size)
        if _checksum_of(file, header) != header["__metadata__"]["checksum"]:
            raise DamagedShardError("its checksum differs")
        matrices = {
            name: _mapped(file, entry, start) for name, entry in header.items() if name != "__metadata__"
        }  # mapped while open: the rows stay readable even if another process deletes the file
    keys = np.frombuffer(matrices.pop("keys").tobytes(), KEY)
    return Shard(path, keys, matrices)


def write_shard(folder: Path, keys: np.ndarray, layout: Layout, block: Block) -> Path:
    """Write rows as one shard and return its path; a reader sees all of it or nothing.

    Args:
        folder: Where shards lie; made if need be.
        keys: (n,) of KEY. They give the file its name, so two processes with the same rows write the same file.
        layout: Type and width of each field.
        block: The rows of a field in a slice, as an array (k, width).

    Raises:
        CacheError: The disk is full or the folder cannot be written.
    """
    path = folder / f"{hashlib.sha256(keys.tobytes()).hexdigest()[:32]}{SUFFIX}"
    header = _header(len(keys), layout)
    needed = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    with disk_errors(folder, needed):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"  # with the rights of an ordinary file
        try:
            with open(temporary, "xb") as file:
                _write(file, header, _pieces(keys, layout, block))
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


def row_blocks(count: int, row_bytes: int) -> Iterable[slice]:
    """Slices of about BLOCK_BYTES that cover `count` rows."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _header(count: int, layout: Layout) -> dict:
    header: dict = {"__metadata__": {"made_by": "headstart rows 1", "checksum": _NO_CHECKSUM}}
    end = 0
    with_keys: Layout = {"keys": (_TYPES["U8"], KEY.itemsize), **layout}
    for name, (dtype, width) in with_keys.items():
        start, end = end, end + count * dtype.itemsize * width
        header[name] = {"dtype": _NAMES[dtype], "shape": [count, width], "data_offsets": [start, end]}
    return header


def _encoded(header: dict) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)  # rows start on a cache line
    return struct.pack("<Q", len(text)) + text


def _pieces(keys: np.ndarray, layout: Layout, block: Block) -> Iterable[bytes]:
    yield keys.tobytes()
    for name, (dtype, width) in layout.items():
        for rows in row_blocks(len(keys), dtype.itemsize * width):
            yield np.ascontiguousarray(block(name, rows), dtype).tobytes()


def _write(file: BinaryIO, header: dict, pieces: Iterable[bytes]) -> None:
    checksum = hashlib.sha256(_encoded(header))
    file.write(_encoded(header))
    for piece in pieces:
        checksum.update(piece)
        file.write(piece)
    header["__metadata__"]["checksum"] = checksum.hexdigest()  # as long as the zeros it replaces
    file.seek(0)
    file.write(_encoded(header))
    file.flush()


def _read_header(file: BinaryIO, size: int) -> tuple[dict, int]:
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length) if length <= size else b"")
        end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        _ = header["__metadata__"]["checksum"], header["keys"]["shape"]
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise DamagedShardError("its header cannot be read") from error
    start = 8 + length
    if size != start + end:
        raise DamagedShardError(f"it is {size} bytes long and {start + end} were written")
    return header, start


def _checksum_of(file: BinaryIO, header: dict) -> str:
    blank = {**header, "__metadata__": {**header["__metadata__"], "checksum": _NO_CHECKSUM}}
    checksum = hashlib.sha256(_encoded(blank))
    while piece := file.read(BLOCK_BYTES):
        checksum.update(piece)
    return checksum.hexdigest()


def _mapped(file: BinaryIO, entry: dict, start: int) -> np.ndarray:
    first, end = entry["data_offsets"]
    shape: tuple[int, ...] = tuple(entry["shape"])
    dtype = _TYPES[entry["dtype"]]
    if first == end:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, mode="r", offset=start + first, shape=shape)
