"""Rows addressed by content: what one source's forward pass made of each example, kept on disk.

One folder a source fingerprint, in it immutable shards (`shard.py`). A row is found by the digest of its example, so a
growing subset, another order or a renamed file finds the rows it had before. No locks: a shard appears whole under a
name made of its keys, and two processes that work on the same rows at worst compute them twice.
"""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from headstart.errors import CacheError, InputError
from headstart.store.disk import ROWS, disk_errors
from headstart.store.gathered import Gathered
from headstart.store.shard import KEY, SUFFIX, TEMPORARY, DamagedShardError, Layout, Shard, read_shard, write_shard

IN_MEMORY = 256 << 20  # rows that are not stored side by side are copied to memory up to this size, to a file above
LOOKS = 100  # shards may vanish while we look, because another process merges them; then we look again
STALE_SECONDS = 3600.0  # an unfinished file this old was left by a killed run


class RowStore:
    """The cached rows of one source.

    Args:
        root: The cache folder; made when the first row is written.
        fingerprint: Hash of everything that changes the rows: weights, preprocessing and layer, never a name.

    Raises:
        InputError: `fingerprint` is not fit for a folder's name.

    `notes` says what was set aside because it was damaged.
    """

    def __init__(self, root: Path, fingerprint: str) -> None:
        if not re.fullmatch(r"[0-9A-Za-z_-]{4,200}", fingerprint):
            raise InputError(f"`fingerprint` must be a hash (letters and digits), got {fingerprint!r}.")
        self.folder = Path(root) / ROWS / fingerprint
        self.notes: list[str] = []
        self._known: dict[Path, Shard] = {}

    def has(self, digests: Iterable[bytes]) -> np.ndarray:
        """Which of the examples have rows: (n,) bool."""
        keys = as_keys(digests)
        shard_of, _ = _locate(self.shards(), keys)
        return shard_of >= 0

    def read(self, digests: Iterable[bytes]) -> dict[str, np.ndarray]:
        """The rows in the order of `digests`: one read-only matrix a field, memory-mapped where they lie in one piece.

        Rows that are spread over several shards are merged into one in this order first, if that does not leave much
        on disk twice.

        Raises:
            CacheError: A row is missing (ask `has` first).
        """
        keys = as_keys(digests)
        shards = self.shards()
        if len(keys) == 0:
            return {}
        if (found := _one_run(shards, keys)) is not None:
            return found
        shard_of, rows = _locate(shards, keys)
        if (shard_of < 0).any():
            raise CacheError(
                f"{int((shard_of < 0).sum())} of {len(keys)} rows are not in the cache at {self.folder}; "
                "another process may have cleared it. Run again."
            )
        gathered = Gathered(shards, shard_of, rows)
        small = gathered.nbytes <= IN_MEMORY
        covered = [shard for shard in shards if np.isin(shard.keys, keys).all()]
        if len(np.unique(shard_of)) > 1 and 2 * sum(map(len, covered)) >= len(keys):
            try:
                merged = self.replace(covered, keys, gathered)
            except CacheError:  # a full or read-only disk; the rows themselves are safe
                if not small:
                    raise
            else:
                if merged is not None:
                    return dict(merged.fields)
        return gathered.to_memory() if small else gathered.to_file(self.folder)

    def shards(self) -> list[Shard]:
        """All sound shards, the longest first. Damaged ones are set aside with a note, never believed.

        Raises:
            CacheError: Shards of one fingerprint differ in shape.
        """
        for _ in range(LOOKS):
            if self._scan():
                break
        shards = sorted(self._known.values(), key=lambda shard: (-len(shard), shard.path.name))
        for one, other in pairwise(shards):
            if one.layout != other.layout:
                raise CacheError(
                    f"the cache at {self.folder} holds rows of different shapes ({_words(one.layout)}; "
                    f"{_words(other.layout)}) for one source. Delete that folder and run again."
                )
        return shards

    def add(self, keys: np.ndarray, fields: dict[str, np.ndarray]) -> Shard | None:
        """Write rows as a new shard and return it; None if another process has merged it already.

        Raises:
            CacheError: The disk is full or the folder cannot be written.
        """
        layout = {name: (array.dtype, array.shape[1]) for name, array in fields.items()}
        path = write_shard(self.folder, keys, layout, lambda name, rows: fields[name][rows])
        return self._remember(path)

    def replace(self, old: Iterable[Shard], keys: np.ndarray, gathered: Gathered) -> Shard | None:
        """Write gathered rows as one shard, then drop the `old` ones, whose rows it must all hold.

        Returns None if another process has merged the new one already.

        Raises:
            CacheError: The disk is full or the folder cannot be written.
        """
        path = write_shard(self.folder, keys, gathered.layout, gathered.block)
        shard = self._remember(path)
        for one in old:
            if one.path != path:
                self._known.pop(one.path, None)
                with disk_errors(self.folder, 0):
                    one.path.unlink(missing_ok=True)
        return shard

    def sweep(self) -> None:
        """Delete unfinished files that a killed run left."""
        for path in self.folder.glob(f"{TEMPORARY}*"):
            with disk_errors(self.folder, 0):
                try:
                    if time.time() - path.stat().st_mtime > STALE_SECONDS:
                        path.unlink()
                except FileNotFoundError:  # another process was first
                    continue

    def _remember(self, path: Path) -> Shard | None:
        try:
            shard = self._known[path] = read_shard(path)
        except FileNotFoundError:
            return None
        except (DamagedShardError, OSError) as error:
            raise CacheError(f"{path} was written and cannot be read back: {error}. Check that disk.") from error
        return shard

    def _scan(self) -> bool:
        """Open new shards; False if one vanished meanwhile, because another process merged it."""
        paths = set(self.folder.glob(f"*{SUFFIX}"))
        self._known = {path: shard for path, shard in self._known.items() if path in paths}
        for path in sorted(paths - self._known.keys()):
            try:
                self._known[path] = read_shard(path)
            except FileNotFoundError:
                return False
            except DamagedShardError as error:
                self._set_aside(path, error)
            except OSError as error:
                raise CacheError(f"the cached rows at {path} cannot be read: {error.strerror or error}.") from error
        return True

    def _set_aside(self, path: Path, error: DamagedShardError) -> None:
        self.notes.append(f"cached rows in {path} were set aside because {error}; they are computed again")
        with suppress(OSError):  # where the folder is read-only the file stays, and is passed over each time
            path.replace(path.with_name(path.name.removesuffix(SUFFIX) + ".damaged"))


def as_keys(digests: Iterable[bytes]) -> np.ndarray:
    """Digests of 16 bytes as one array (n,) that sorts and compares fast.

    Raises:
        InputError: One of them is not 16 bytes long.
    """
    digests = list(digests)
    if bad := next((digest for digest in digests if len(digest) != KEY.itemsize), None):
        raise InputError(f"a digest must be {KEY.itemsize} bytes, got {len(bad)}.")
    return np.frombuffer(b"".join(digests), KEY)


def _locate(shards: list[Shard], keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each key the index of a shard that has it (-1: none) and the row therein."""
    shard_of = np.full(len(keys), -1)
    rows = np.full(len(keys), -1)
    for index, shard in enumerate(shards):
        open_ = np.flatnonzero(shard_of < 0)
        if open_.size == 0:
            break
        found = shard.find(keys[open_])
        hit = found >= 0
        shard_of[open_[hit]] = index
        rows[open_[hit]] = found[hit]
    return shard_of, rows


def _one_run(shards: list[Shard], keys: np.ndarray) -> dict[str, np.ndarray] | None:
    for shard in shards:
        if (rows := shard.run_of(keys)) is not None:
            return {name: array[rows] for name, array in shard.fields.items()}
    return None


def _words(layout: Layout) -> str:
    return ", ".join(f"{name} {width} wide" for name, (_, width) in sorted(layout.items()))
