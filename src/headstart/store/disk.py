"""Where the cache is, how large it is, and errors for a full or read-only disk."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import CacheError, InputError
from headstart.store.shared import SharedFolder, usual_folder
from headstart.wording import URL

ROWS = "rows"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def default_folder() -> Path:
    """`$HEADSTART_CACHE`, which may be a URL, or this platform's folder for caches."""
    if chosen := os.environ.get("HEADSTART_CACHE"):
        return SharedFolder.at(chosen) if URL.match(chosen) else Path(chosen).expanduser()
    return usual_folder()


def folder_of(cache: object) -> Path | None:
    """The folder for an option `cache`: the default for True, none for False or None, the path, or a copy of a URL."""
    if cache is None or cache is False:
        return None
    if cache is True:
        return default_folder()
    if isinstance(cache, SharedFolder):
        return cache
    if not isinstance(cache, str | os.PathLike):
        raise InputError(f"`cache` must be True, False, a folder or a URL; got {cache!r}.")
    return SharedFolder.at(cache) if isinstance(cache, str) and URL.match(cache) else Path(cache)


def cache_size(root: Path) -> int:
    """Size of the cached rows under `root`, in bytes."""
    return sum(_size(path) for path in (root / ROWS).rglob("*"))


@contextmanager
def disk_errors(folder: Path, needed: int) -> Iterator[None]:
    """Turn any OSError inside the block into a CacheError that names the folder and the next step."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CacheError(
                f"no room left for the cache at {folder}: {_lacking(folder, needed)}. Free some space, or name "
                "another disk with `--cache FOLDER`."
            ) from error
        raise CacheError(
            f"cannot write to the cache at {folder}: {error.strerror or error}. "
            "Name a writable folder with `--cache FOLDER`."
        ) from error


def _lacking(folder: Path, needed: int) -> str:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if hasattr(os, "statvfs") and (disk := os.statvfs(folder)).f_files and not disk.f_favail:
        return "the disk has no free inodes, so it cannot hold another file"
    return f"{needed:,} bytes are needed and {shutil.disk_usage(folder).free:,} bytes are free"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # another process deleted it meanwhile
        return 0
