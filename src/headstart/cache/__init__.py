"""Rows kept on disk, addressed by content: what a source made of an example is computed once."""

from headstart.cache.disk import cache_size, clear_cache, default_folder, folder_of
from headstart.cache.store import RowStore
from headstart.cache.writer import RowWriter

__all__ = ["RowStore", "RowWriter", "cache_size", "clear_cache", "default_folder", "folder_of"]
