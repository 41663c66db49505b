"""What an earlier run found out of a source, kept beside its cached rows; read without torch.

The key is the content of the model's files, the versions of the libraries that build it, and headstart's own files.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b, file_digest
from importlib import metadata
from pathlib import Path

from headstart.records import ModelCard
from headstart.records.files import remembered
from headstart.sources.adapters import Candidate

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


def known_facts(candidate: Candidate, trust_pickle: bool, cache: Path) -> Facts | None:
    """What `cache` knows of a source; None for another, which would have to be loaded."""
    place = place_of_facts(candidate, trust_pickle, cache)
    return None if place is None else remembered(place, place.stem, Facts)


def place_of_facts(candidate: Candidate, trust_pickle: bool, cache: Path) -> Path | None:
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
