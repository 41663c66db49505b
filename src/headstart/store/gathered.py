"""Rows picked from several shards in the order asked for, block by block."""

import tempfile
from pathlib import Path

import numpy as np

from headstart.store.disk import disk_errors
from headstart.store.shard import TEMPORARY, Shard, row_blocks


class Gathered:
    """A view of rows that lie scattered; nothing is copied before a block is asked for.

    Args:
        shards: Where the rows lie; all of one layout.
        shard_of: (n,) index into `shards`.
        rows: (n,) row within that shard.
    """

    def __init__(self, shards: list[Shard], shard_of: np.ndarray, rows: np.ndarray) -> None:
        self.shards, self.shard_of, self.rows = shards, shard_of, rows
        self.layout = shards[0].layout
        self.nbytes = sum(len(rows) * dtype.itemsize * width for dtype, width in self.layout.values())

    @classmethod
    def whole(cls, shards: list[Shard]) -> "Gathered":
        """Every row of the shards, one after another."""
        counts = [len(shard) for shard in shards]
        rows = np.concatenate([np.arange(count) for count in counts])
        return cls(shards, np.repeat(np.arange(len(shards)), counts), rows)

    def block(self, name: str, part: slice) -> np.ndarray:
        """Rows of one field in a slice of the order: (k, width)."""
        shard_of, rows = self.shard_of[part], self.rows[part]
        dtype, width = self.layout[name]
        block = np.empty((len(rows), width), dtype)
        for index in np.unique(shard_of):
            mine = shard_of == index
            block[mine] = self.shards[index].fields[name][rows[mine]]
        return block

    def to_memory(self) -> dict[str, np.ndarray]:
        """All rows as ordinary arrays, read only like the mapped ones."""
        arrays = {name: self.block(name, slice(None)) for name in self.layout}
        for array in arrays.values():
            array.flags.writeable = False
        return arrays

    def to_file(self, folder: Path) -> dict[str, np.ndarray]:
        """All rows in nameless files that vanish with the arrays, mapped into memory.

        Raises:
            CacheError: The disk is full or the folder cannot be written.
        """
        return {name: self._field_to_file(name, folder) for name in self.layout}

    def _field_to_file(self, name: str, folder: Path) -> np.ndarray:
        dtype, width = self.layout[name]
        with disk_errors(folder, self.nbytes), tempfile.TemporaryFile(dir=folder, prefix=TEMPORARY) as file:
            for part in row_blocks(len(self.rows), dtype.itemsize * width):
                file.write(self.block(name, part).tobytes())
            file.flush()
            return np.memmap(file, dtype, mode="r", shape=(len(self.rows), width))
