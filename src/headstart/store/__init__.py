"""Rows kept on disk, addressed by content: a source processes each example once."""

from headstart.store.disk import cache_size, clear_cache, default_folder, folder_of
from headstart.store.rows import RowStore
from headstart.store.writer import RowWriter

__all__ = ["RowStore", "RowWriter", "cache_size", "clear_cache", "default_folder", "folder_of"]
