"""Enough to make the same numbers again."""

import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from importlib import metadata

import numpy as np

from headstart.data.target import Target
from headstart.errors import ExampleError
from headstart.records import Provenance
from headstart.wording import printable, without_secrets

PACKAGES = ("headstart", "numpy", "scipy", "torch", "torchvision", "timm", "transformers", "sentence-transformers")


def target_hash(target: Target) -> str:
    """Hex hash of the examples' contents and labels, in order; names do not count."""
    whole = blake2b(digest_size=16)
    for digest in digests(target):
        whole.update(digest)
    whole.update(np.ascontiguousarray(target.labels).tobytes())
    whole.update("\0".join(target.classes).encode())
    return whole.hexdigest()


def digests(target: Target) -> Iterator[bytes]:
    """What stands for each example's content, in order."""
    for index in range(len(target)):
        try:
            yield target.examples.digest(index)
        except ExampleError:
            yield b"unreadable"


def marks(target: Target) -> str:
    """Eight hex digits of each example's content, sorted and joined: enough to find an example again, or its absence.

    Of a million other examples about one in 4,000 is taken for one of them.
    """
    return "".join(sorted({mark(digest) for digest in digests(target)}))


def marked(text: str) -> set[str]:
    """The marks that `marks` has joined."""
    return {text[at : at + 8] for at in range(0, len(text), 8)}


def mark(digest: bytes) -> str:
    """The eight hex digits that `marks` keeps of a digest."""
    return blake2b(digest, digest_size=4).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(
    target: Target, *, command: str, seed: int, source_hashes: dict[str, str], device: str, precision: str = "fp32"
) -> Provenance:
    """The record, made now."""
    return Provenance(
        command=without_secrets(printable(command)),
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        target_hash=target_hash(target),
        source_hashes=source_hashes,
        device=device,
        precision=precision,
    )
