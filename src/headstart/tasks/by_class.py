"""How each class came out, from labels and predictions."""

from collections.abc import Sequence

import numpy as np

from headstart.records.outcome import ClassResult
from headstart.tasks.task import Array

CLASSES = 100  # more than these have no confusion matrix: it would outgrow the record


def by_class(
    labels: Array, predicted: Array, classes: Sequence[str]
) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, ...], ...]]:
    """Precision, recall and F1 of each class, and the confusion matrix [true class][predicted class].

    Args:
        labels: (n,) codes.
        predicted: (n,) codes.
        classes: Their names.
    """
    count = len(classes)
    table = np.bincount(labels * count + predicted, minlength=count**2).reshape(count, count)
    right, true, said = table.diagonal(), table.sum(axis=1), table.sum(axis=0)

    def share(part: int, whole: int) -> float | None:
        return float(part / whole) if whole else None

    rows = tuple(
        ClassResult(
            name,
            int(true[c]),
            share(right[c], said[c]),
            share(right[c], true[c]),
            share(2 * right[c], true[c] + said[c]),
        )
        for c, name in enumerate(classes)
    )
    return rows, tuple(map(tuple, table.tolist())) if count <= CLASSES else ()
