"""What is known of a source, kept beside its cached rows: with all rows cached, no network is loaded.

The key is the content of the model's files, the versions of the libraries that build it, and headstart's own files.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from hashlib import blake2b, file_digest
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.adapters import Candidate
from headstart.sources.source import Source

FOLDER = "sources"  # in the cache
LIBRARIES = ("headstart", "torch", "timm", "torchvision", "transformers", "sentence-transformers", "tokenizers")
LARGEST = 4_000_000_000  # bytes of a model's files; loading more than that is no slower than hashing it


@dataclass(frozen=True)
class Facts:
    """What loading and probing a model found."""

    card: ModelCard
    layer: str
    fingerprint: str
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


class Recalled(Source):
    """A source whose network is loaded when it is first needed."""

    def __init__(self, facts: Facts, candidate: Candidate, trust_pickle: bool) -> None:
        known: dict[str, Any] = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
        vars(self).update(known, code="", facts=facts, candidate=candidate, trust_pickle=trust_pickle)

    @cached_property
    def loaded(self) -> Source:
        """The source itself; ModelError if it has changed, so that its rows are not mixed with those in the cache."""
        source: Source = vars(self)["candidate"].load(vars(self)["trust_pickle"])
        if source.cache_key != self.fingerprint:
            raise ModelError(f"{self.name} has changed since its rows were cached. Run again with `--no-cache`.")
        return source

    def check_unchanged(self) -> None:
        """Check the weights, if they were loaded."""
        if "loaded" in vars(self):
            self.loaded.check_unchanged()


def _of_the_loaded(name: str) -> property:
    return property(lambda self: getattr(self.loaded, name))


for _name in ("module", "network", "prepare", "collate", "head", "channels_last", "snapshot"):
    setattr(Recalled, _name, _of_the_loaded(_name))


def load_or_recall(candidate: Candidate, trust_pickle: bool, cache: Path | None) -> Source:
    """The candidate's source; one that `cache` knows is not loaded before its network is needed."""
    place = None if cache is None else _place(candidate, trust_pickle, cache)
    if place is None:
        return candidate.load(trust_pickle)
    with suppress(OSError, msgspec.MsgspecError):
        return Recalled(msgspec.json.decode(place.read_bytes(), type=Facts), candidate, trust_pickle)
    source = candidate.load(trust_pickle)
    if not source.code and place == _place(candidate, trust_pickle, place.parents[1]):
        facts = Facts(source.card, source.layer, source.fingerprint, source.classes, source.notes)
        with suppress(OSError):  # a cache that cannot be written to only costs time
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_suffix(f".{os.getpid()}")
            part.write_bytes(msgspec.json.encode(facts))
            part.replace(place)
    return source


def known_fingerprint(candidate: Candidate, trust_pickle: bool, cache: Path) -> str | None:
    """The fingerprint of a source that `cache` knows; None for another, which would have to be loaded."""
    place = _place(candidate, trust_pickle, cache)
    if place is not None:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(place.read_bytes(), type=Facts).fingerprint
    return None


def _place(candidate: Candidate, trust_pickle: bool, cache: Path) -> Path | None:
    """The file for what is known of a candidate, named by all that decides it; None where it cannot be told."""
    with suppress(OSError):
        files = None if candidate.files is None else candidate.files()
        if files and sum(file.stat().st_size for file in files) <= LARGEST:
            parts = [asdict(candidate.card) | {"local": None}, trust_pickle, _surroundings(), *_contents(files)]
            key = blake2b(repr(parts).encode(), digest_size=16).hexdigest()
            return cache / FOLDER / f"{key}.json"
    return None


def _contents(files: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for file in files:
        with file.open("rb") as opened:
            yield file.name, file_digest(opened, "sha256").hexdigest()


@cache
def _surroundings() -> tuple[object, ...]:
    """Versions of the libraries, and size and time of every file of headstart that makes or probes sources."""
    versions = []
    for library in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions.append((library, metadata.version(library)))
    package = Path(__file__).parents[1]
    files = sorted(file for room in ("sources", "data/media") for file in (package / room).rglob("*.*"))
    stats = [(str(file), file.stat()) for file in files if file.suffix in (".py", ".json")]
    return *versions, *((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
