"""Care of the cache: what lies in it, what may go, and moving it. What a run is using stays.

A run announces itself by a file in `running/` and touches the folder of each source whose rows it reads or writes.
Every folder touched since the oldest run that is still alive began counts as in use.
"""

import atexit
import os
import re
import shutil
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from headstart.errors import CacheError, InputError
from headstart.store.disk import ROWS, cache_size, disk_errors
from headstart.store.segment import rows_in
from headstart.store.shared import SUFFIX

RUNNING = "running"
SILENCE = 24 * 3600  # seconds after which a run on another machine counts as ended
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE)
_announced: set[Path] = set()


@dataclass(frozen=True)
class Held:
    """The cached rows of one source."""

    fingerprint: str
    source: str  # its name; "" where it is not known
    rows: int
    bytes: int
    used: float  # seconds since 1970
    busy: bool  # a run is using them


def announce(root: Path, folder: Path) -> None:
    """Tell others that this process uses the rows in `folder`, now and until it ends; nothing on a read-only disk."""
    with suppress(OSError):
        os.utime(folder)
        marker = root / RUNNING / f"{socket.gethostname()}-{os.getpid()}"
        if marker in _announced:
            os.utime(marker)
            return
        marker.parent.mkdir(exist_ok=True)
        marker.write_text(repr(folder.stat().st_mtime))
        _announced.add(marker)
        atexit.register(marker.unlink, missing_ok=True)


def held(root: Path) -> list[Held]:
    """What the cache holds, the most recently used source first."""
    since, names = _oldest_run(root), _names(root)
    found = []
    for folder in (root / ROWS).glob("[!.]*"):
        with suppress(FileNotFoundError):  # another process deleted it meanwhile
            files, used = list(folder.iterdir()), folder.stat().st_mtime
            rows = sum(rows_in(file) for file in files if file.suffix == SUFFIX)
            size = sum(file.stat().st_size for file in files)
            found.append(Held(folder.name, names.get(folder.name, ""), rows, size, used, used >= since))
    return sorted(found, key=lambda one: -one.used)


def prune(root: Path, most: int) -> list[Held]:
    """Delete the rows of the least recently used sources until `most` bytes are left; returns what was deleted.

    Raises:
        CacheError: Something cannot be deleted.
    """
    for rest in (root / ROWS).glob(".*"):  # of a deletion that was killed
        shutil.rmtree(rest, ignore_errors=True)
    known = held(root)
    left, gone = sum(one.bytes for one in known), []
    for one in reversed(known):
        if left > most and not one.busy:
            _delete(root / ROWS / one.fingerprint)
            left -= one.bytes
            gone.append(one)
    return gone


def move(root: Path, to: Path) -> int:
    """Move all that the cache knows to another folder, which may hold rows already; returns the bytes moved.

    Raises:
        CacheError: A run is using the cache, or a file cannot be written.
    """
    if _oldest_run(root) < float("inf"):
        raise CacheError(f"a run is using the cache at {root}; nothing was moved. Wait until it ends.")
    size = cache_size(root)
    for folder in [path for place in (ROWS, "sources") for path in [*(root / place).glob("*"), root / place]]:
        if not folder.is_dir():
            continue
        target = to / folder.relative_to(root)
        files = [path for path in folder.iterdir() if path.is_file()]
        with disk_errors(target, sum(path.stat().st_size for path in files)):
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(files, key=lambda path: path.suffix == SUFFIX):  # an index comes after its rows
                part = target / f".{path.name}.part"
                shutil.copy2(path, part)
                part.replace(target / path.name)
        _delete(folder)
    return size


def bytes_of(size: str | int) -> int:
    """Bytes from a number or a text with a unit.

    Raises:
        InputError: It is neither.

    Example:
        >>> bytes_of("2GB"), bytes_of("1.5 m"), bytes_of(0)
        (2000000000, 1500000, 0)
    """
    found = SIZE.fullmatch(str(size))
    if found is None:
        raise InputError(f"`max_size` must be a size such as 500MB or 20GB; got {size!r}.")
    return int(float(found[1]) * UNITS[found[2].casefold()])


def _delete(folder: Path) -> None:
    """In one step for every other process, then file by file."""
    gone = folder.with_name(f".{uuid.uuid4().hex}")
    with disk_errors(folder, 0):
        folder.rename(gone)
        shutil.rmtree(gone)


def _oldest_run(root: Path) -> float:
    """When the oldest run that is alive began; infinite without one. What dead ones left is removed."""
    starts = []
    for marker in (root / RUNNING).glob("*"):
        host, _, process = marker.name.rpartition("-")
        with suppress(OSError, ValueError):
            if _alive(int(process)) if host == socket.gethostname() else time.time() - marker.stat().st_mtime < SILENCE:
                starts.append(float(marker.read_text()))
            else:
                marker.unlink(missing_ok=True)
    return min(starts, default=float("inf"))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _names(root: Path) -> dict[str, str]:
    """Names of sources by the fingerprint of their rows, from what the cache remembers of them."""
    found: dict[str, str] = {}
    for file in (root / "sources").glob("*.json"):
        with suppress(OSError, msgspec.MsgspecError, KeyError, TypeError):
            known = msgspec.json.decode(file.read_bytes())
            found[known["fingerprint"]] = known["card"]["name"]
    return found
