"""The benchmark's results on disk: one JSON with outcomes and scores, one `.npz` with each pair's arrays in 8 bits.

A feature is a mean of rectified numbers, so it is never negative; 255 steps of each column's largest value keep it. The
stored scores are measured on the very arrays that are stored. Logits are not kept: they follow from the features and
the source's classifier.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InputError
from headstart.records import write_atomically
from headstart.records.files import JsonRecord

RESULTS, ARRAYS = "results.json", "arrays.npz"
STEPS = 255


@dataclass(frozen=True)
class Scored:
    """One score of every pair."""

    values: tuple[tuple[float, ...], ...]  # (targets, sources)
    errors: tuple[tuple[float | None, ...], ...]  # standard errors; None: none to be had
    seconds: float  # of all pairs together


@dataclass(frozen=True)
class Stored(JsonRecord):
    """Outcomes and scores of every pair of a source and a target."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    source_accuracy: tuple[float | None, ...]  # on held-out pictures of its own data; None: untrained
    source_classes: tuple[int, ...]
    target_classes: tuple[int, ...]
    shared: dict[str, tuple[str, ...]]  # target -> sources trained on other pictures and labels of its classes
    train: int  # pictures of each target to adapt on
    test: tuple[int, ...]  # and to judge on
    outcomes: dict[str, tuple[tuple[tuple[float, ...], ...], ...]]  # kind -> accuracy (seeds, targets, sources)
    scores: dict[str, Scored]
    left_out: dict[str, str]  # score -> why it has no values here
    settings: dict[str, Any]
    created: str  # ISO date
    seconds: dict[str, float] = field(default_factory=dict)  # stage -> processor time on one core
    format: int = 1


@dataclass(frozen=True, eq=False)
class Pair:
    """One source on one target's training pictures: what a score may look at."""

    source: str
    target: str
    features: np.ndarray  # (n, 64) float32
    labels: np.ndarray  # (n,) codes
    weight: np.ndarray  # (z, 64) of the source's classifier
    bias: np.ndarray  # (z,)

    @cached_property
    def logits(self) -> np.ndarray:
        """(n, z) over the source's classes, float32."""
        logits: np.ndarray = self.features @ self.weight.T + self.bias
        return logits

    @cached_property
    def probs(self) -> np.ndarray:
        """(n, z) over the source's classes, float64."""
        logits = self.logits.astype(np.float64)
        powers: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        return powers


def read_stored(folder: str | Path | None = None) -> Stored:
    """The results in a folder; those that headstart ships by default.

    Raises:
        InputError: There are none.
    """
    return Stored.from_json(_read(folder, RESULTS))


def read_pairs(stored: Stored, folder: str | Path | None = None, only: str | None = None) -> Iterator[Pair]:
    """The arrays of every pair, target by target; those of one target with `only`."""
    with np.load(io.BytesIO(_read(folder, ARRAYS)), allow_pickle=False) as file:
        heads = [(file[f"weight {s}"], file[f"bias {s}"]) for s in range(len(stored.sources))]
        for t, target in enumerate(stored.targets):
            if only not in (None, target):
                continue
            steps, scale, labels = (file[f"{name} {t}"] for name in ("features", "scale", "labels"))
            for s, source in enumerate(stored.sources):
                yield Pair(source, target, steps[s] * scale[s], labels.astype(np.int64), *heads[s])


def quantised(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) that are not negative, as uint8 steps and the size of a step of each column (d,) float32.

    Example:
        >>> steps, scale = quantised(np.array([[0.0, 1.0], [2.0, 0.5]]))
        >>> (steps * scale).round(2).tolist()
        [[0.0, 1.0], [2.0, 0.5]]
    """
    assert features.min() >= 0, "means of rectified numbers"
    largest = features.max(axis=0)
    scale = np.where(largest > 0, largest / STEPS, 1.0).astype(np.float32)
    return np.rint(features / scale).clip(0, STEPS).astype(np.uint8), scale


def write_stored(stored: Stored, arrays: dict[str, np.ndarray], folder: Path) -> tuple[Path, Path]:
    """Both files, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(folder / ARRAYS, buffer.getvalue())
    write_atomically(folder / RESULTS, stored.to_json().encode())
    return folder / RESULTS, folder / ARRAYS


def _read(folder: str | Path | None, name: str) -> bytes:
    place: Traversable = (
        resources.files("headstart.evaluation.benchmark").joinpath("shipped") if folder is None else Path(folder)
    )
    file = place.joinpath(name)
    if not file.is_file():
        raise InputError(f"there is no {name} in {place}. `headstart reproduce benchmark --out FOLDER` makes one.")
    return file.read_bytes()
