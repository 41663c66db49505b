"""Rows kept on disk, addressed by content: a source processes each example once."""

from headstart.store.care import Held, bytes_of, held, move, prune
from headstart.store.disk import cache_size, default_folder, folder_of
from headstart.store.rows import RowStore
from headstart.store.writer import RowWriter

__all__ = [
    "Held",
    "RowStore",
    "RowWriter",
    "bytes_of",
    "cache_size",
    "default_folder",
    "folder_of",
    "held",
    "move",
    "prune",
]
