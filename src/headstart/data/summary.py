"""What a reader must know of a target without having it: counts, a few samples, what was guessed or set aside."""

from collections.abc import Mapping

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.target import Target
from headstart.errors import ExampleError
from headstart.records import TargetSummary

SAMPLES = 3  # per class
CLASSES = 30  # the first so many classes get samples
TRIES = 10  # examples of a class that may be unreadable before it goes without samples


def summarize(target: Target, skipped: Mapping[str, str] | None = None) -> TargetSummary:
    """Counts per class and up to three samples of each of the first thirty classes.

    Args:
        target: The labelled data.
        skipped: Id of each example that could not be read, and why: these are not counted and not shown.

    Returns:
        The record; thumbnails are data URIs of at most 64 pixels, texts their first 120 characters. A regression
        target has no classes: its samples are named by their value.
    """
    skipped = dict(skipped or {})
    kept = np.array([name not in skipped for name in target.ids], dtype=bool)
    return TargetSummary(
        name=target.name,
        kind=target.kind,
        task=target.task,
        n=int(kept.sum()),
        split=target.split,
        classes=target.classes,
        counts=_counts(target, kept),
        samples=_samples(target, kept),
        notes=target.notes,
        skipped=skipped,
    )


def _counts(target: Target, kept: np.ndarray) -> tuple[int, ...]:
    labels = target.labels[kept]
    if target.task == "classification":
        return tuple(int(count) for count in np.bincount(labels, minlength=len(target.classes)))
    return tuple(int(count) for count in labels.sum(axis=0)) if target.task == "multi-label" else ()


def _samples(target: Target, kept: np.ndarray) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, members in _groups(target, kept):
        shown = _first_readable(target, members)
        if shown:
            found[name] = shown
    return found


def _groups(target: Target, kept: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The examples to show from, by class; for regression the lowest, the middle and the highest value."""
    if target.task == "regression":
        values = target.labels.reshape(len(target), -1)[:, 0]
        ranked = np.flatnonzero(kept)[np.argsort(values[kept], kind="stable")]
        picked = dict.fromkeys(ranked[[0, len(ranked) // 2, -1]].tolist()) if len(ranked) else {}
        return [(f"{values[i]:g}", np.array([i])) for i in picked]
    held = (
        target.labels if target.labels.ndim == 2 else target.labels[:, None] == np.arange(len(target.classes[:CLASSES]))
    )
    return [(name, np.flatnonzero(kept & (held[:, code] > 0))) for code, name in enumerate(target.classes[:CLASSES])]


def _first_readable(target: Target, members: np.ndarray) -> tuple[str, ...]:
    shown: list[str] = []
    for index in members[:TRIES]:
        try:
            example = target.examples.load(int(index))
        except ExampleError:
            continue  # listed in `skipped` by whoever went through all examples
        if (sample := MEDIA[target.kind].sample(example)) is None:
            break
        shown.append(sample)
        if len(shown) == SAMPLES:
            break
    return tuple(shown)
