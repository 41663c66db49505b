"""What a reader must know of a target without having it: counts, a few samples, what was guessed or set aside."""

from collections.abc import Mapping
from contextlib import suppress

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
    """Counts per class and up to three samples of each of the first thirty classes; `skipped` examples do not count.

    Thumbnails are data URIs of at most 64 pixels, texts their first 120 characters. Samples of a regression are named
    by their value.
    """
    skipped = dict(skipped or {})
    kept = np.array([name not in skipped for name in target.ids], dtype=bool)
    rows = np.flatnonzero(kept)
    groups = task_of(target.task).showcase(target.labels[rows], target.classes[:CLASSES])
    shown = {caption: samples for caption, members in groups if (samples := _first_readable(target, rows[members]))}
    return TargetSummary(
        name=target.name,
        kind=target.kind,
        task=target.task,
        n=int(kept.sum()),
        split=target.split,
        classes=target.classes,
        counts=task_of(target.task).counts(target.labels[kept], target.classes),
        samples=shown,
        notes=target.notes,
        skipped=skipped,
        pictures=MEDIA[target.kind].pictures,
    )


def _first_readable(target: Target, members: np.ndarray) -> tuple[str, ...]:
    shown: list[str] = []
    for index in members[:TRIES]:
        if len(shown) < SAMPLES:
            with suppress(ExampleError):  # listed in `skipped` by whoever went through all examples
                sample = MEDIA[target.kind].sample(target.examples.load(int(index)))
                shown += [] if sample is None else [sample]
    return tuple(shown)
