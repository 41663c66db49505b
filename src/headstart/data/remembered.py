"""Examples that are hashed once, and decoded once while there is room, whoever asks and however often."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from headstart.data.media import MEDIA

SHARE = 0.25  # of the available memory that decoded examples may take
STRIPES = 32  # threads that ask for different examples rarely wait for each other
UNKNOWN = 1 << 30  # bytes taken as available where the system does not say


@dataclass(eq=False)
class Remembered:
    """Examples with what was found out about them: digests, and within `room` bytes what they decode to.

    Several threads may ask at once; each example is hashed once, and decoded once if it is kept. Examples that were
    changed on disk since are not noticed: open the data again. A copy in another process starts with the digests and
    keeps no decoded examples.
    """

    examples: Any  # an `Examples`
    kind: str
    room: int = 0
    digests: dict[int, bytes] = field(default_factory=dict, repr=False)
    _decoded: dict[int, object] = field(default_factory=dict, repr=False)
    _locks: tuple[Lock, ...] = field(default_factory=lambda: tuple(Lock() for _ in range(STRIPES)), repr=False)
    _room_lock: Lock = field(default_factory=Lock, repr=False)

    def __len__(self) -> int:
        return len(self.examples)

    def __reduce__(self) -> tuple[Callable[..., "Remembered"], tuple[object, ...]]:
        return Remembered, (self.examples, self.kind, 0, dict(self.digests))

    def load(self, index: int) -> object:
        """The decoded example; its receiver may edit it."""
        if self.room <= 0 and not self._decoded:
            return self.examples.load(index)
        medium = MEDIA[self.kind]
        with self._locks[index % STRIPES]:
            found = self._decoded.get(index)
            if found is None:
                found = self.examples.load(index)
                if not self._fits(medium.kept_bytes(found)):
                    return found
                self._decoded[index] = found
        return medium.copy(found)

    def digest(self, index: int) -> bytes:
        """16 bytes that stand for the example's content."""
        of_decoded = getattr(self.examples, "digest_of", None)  # of data sets that hand out decoded examples only
        example = self.load(index) if of_decoded and index not in self.digests else None
        with self._locks[index % STRIPES]:
            found = self.digests.get(index)
            if found is None:
                found = of_decoded(example) if of_decoded else self.examples.digest(index)
                self.digests[index] = found
        return found

    def held(self) -> "Remembered":
        """The same examples with the same digests, and room for decoded ones: a share of the available memory."""
        return Remembered(self.examples, self.kind, int(SHARE * available_memory()), self.digests)

    def _fits(self, size: int | None) -> bool:
        with self._room_lock:
            if size is None or size > self.room:
                return False
            self.room -= size
            return True


def available_memory() -> int:
    """Bytes that a new object may take without swapping; 1 GiB where the system does not say."""
    with suppress(OSError, StopIteration, ValueError, IndexError):  # not Linux
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN


def total_memory() -> int:
    """Bytes of memory that this process may use: of the machine, or of its container if that has a limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 62
    with suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total
