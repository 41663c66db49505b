"""What a reader must know of a target without having it: counts, a few samples, what was guessed or set aside."""

from collections.abc import Mapping

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.target import Target
from headstart.errors import ExampleError
from headstart.records import TargetSummary
from headstart.tasks import task_of

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
        counts=task_of(target.task).counts(target.labels[kept], target.classes),
        samples=_samples(target, kept),
        notes=target.notes,
        skipped=skipped,
        pictures=MEDIA[target.kind].pictures,
    )


def _samples(target: Target, kept: np.ndarray) -> dict[str, tuple[str, ...]]:
    rows = np.flatnonzero(kept)
    groups = task_of(target.task).showcase(target.labels[rows], target.classes[:CLASSES])
    return {caption: samples for caption, members in groups if (samples := _first_readable(target, rows[members]))}


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
