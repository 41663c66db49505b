"""Where the cache lies, how large it is, and what a full or forbidden disk means in words."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import CacheError, InputError

ROWS = "rows"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def default_folder() -> Path:
    """`$HEADSTART_CACHE`, or the folder that this platform keeps caches in."""
    if chosen := os.environ.get("HEADSTART_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "headstart"


def folder_of(cache: object) -> Path | None:
    """The folder that an option `cache` means: True the usual one, False or None none, a path that one.

    Raises:
        InputError: It is something else.
    """
    if cache is None or cache is False:
        return None
    if cache is True:
        return default_folder()
    if not isinstance(cache, str | os.PathLike):
        raise InputError(f"`cache` must be True, False or a folder; got {cache!r}.")
    return Path(cache)


def cache_size(root: Path) -> int:
    """Bytes that the cached rows under `root` take."""
    return sum(_size(path) for path in (root / ROWS).rglob("*"))


def clear_cache(root: Path) -> int:
    """Delete every cached row under `root` and nothing else; returns the bytes set free.

    Raises:
        CacheError: Something cannot be deleted.
    """
    freed = cache_size(root)
    with disk_errors(root, 0):
        if (root / ROWS).exists():
            shutil.rmtree(root / ROWS)
    return freed


@contextmanager
def disk_errors(folder: Path, needed: int) -> Iterator[None]:
    """Say a failed write in words: what was to be written where, and the next step.

    Raises:
        CacheError: Any OSError inside the block.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CacheError(
                f"no room left for the cache at {folder}: {_lacking(folder, needed)}. Free some space, or name another "
                "disk with `--cache FOLDER`."
            ) from error
        raise CacheError(
            f"the cache at {folder} cannot be written: {error.strerror or error}. "
            "Name a folder you may write to with `--cache FOLDER`."
        ) from error


def readable_bytes(count: float) -> str:
    """A number of bytes for people.

    Example:
        >>> readable_bytes(3_500_000)
        '3.5 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _lacking(folder: Path, needed: int) -> str:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if hasattr(os, "statvfs") and (disk := os.statvfs(folder)).f_files and not disk.f_favail:
        return "that disk can hold no more files, however small (it has no free inodes)"
    free = shutil.disk_usage(folder).free
    return f"{readable_bytes(needed)} were to be written and {readable_bytes(free)} are free"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # another process merged it away meanwhile
        return 0
