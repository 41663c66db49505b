"""What a format finds: examples and, unless they are only to be predicted, their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.data.labels import read_labels
from headstart.data.remembered import Remembered
from headstart.data.target import Examples, Target
from headstart.errors import TargetError


@dataclass(frozen=True, eq=False)
class Found:
    """The examples of one split."""

    name: str
    kind: str  # a name in `MEDIA`
    examples: Examples
    ids: Sequence[str]
    where: str  # what the data are called in errors
    labels: Sequence[object] | np.ndarray[Any, np.dtype[Any]] = ()  # one per example, as found
    label_where: str = ""  # what the labels are called in errors, where that differs
    task: str | None = None  # None recognises it by the labels
    classes: Sequence[str] | None = None  # names that whole-number labels index
    split: str | None = None
    notes: tuple[str, ...] = ()

    def target(self) -> Target:
        """The labelled data set.

        Raises:
            TargetError: Examples and labels differ in number, or the labels cannot be used.
        """
        count, labelled = len(self.examples), len(self.labels)
        if count != labelled:
            raise TargetError(f"{self.where}: {count} examples but {labelled} labels; give one label per example.")
        where = self.label_where or self.where
        task, labels = read_labels(self.labels, where=where, ids=self.ids, task=self.task, classes=self.classes)
        return Target(
            name=self.name,
            kind=self.kind,
            task=task,
            examples=Remembered(self.examples, self.kind),
            labels=labels.values,
            classes=labels.classes,
            ids=tuple(self.ids),
            split=self.split,
            notes=(*self.notes, *labels.notes),
        )


def row_ids(count: int) -> list[str]:
    """Names of examples that have none: their numbers, from 0."""
    return [str(row) for row in range(count)]
