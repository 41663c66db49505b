"""Join examples and raw labels to a `Target`: the one place where a target is made."""

from collections.abc import Sequence

import numpy as np

from headstart.data.labels import read_labels
from headstart.data.remembered import Remembered
from headstart.data.target import Examples, Target
from headstart.errors import TargetError
from headstart.records import Kind


def make_target(
    *,
    name: str,
    kind: Kind,
    examples: Examples,
    raw: Sequence[object] | np.ndarray,
    ids: Sequence[str],
    where: str,
    label_where: str | None = None,
    task: str | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    notes: Sequence[str] = (),
) -> Target:
    """A target from examples and their labels as found.

    Args:
        raw: One label per example, of any kind `read_labels` knows.
        where: What the data are called in errors.
        label_where: What the labels are called in errors, where that differs.

    Raises:
        TargetError: Examples and labels differ in number, or the labels cannot be used.
    """
    if len(examples) != len(raw):
        raise TargetError(f"{where}: {len(examples)} examples but {len(raw)} labels; give one label per example.")
    found, labels = read_labels(raw, where=label_where or where, ids=ids, task=task, classes=classes)
    return Target(
        name=name,
        kind=kind,
        task=found,
        examples=Remembered(examples, kind),
        labels=labels.values,
        classes=labels.classes,
        ids=tuple(ids),
        split=split,
        notes=(*notes, *labels.notes),
    )
