"""A target, the labelled data set a source is judged on, and what a format finds before labels are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from headstart.data.labels import read_labels
from headstart.data.remembered import Remembered
from headstart.errors import TargetError
from headstart.records import Kind, Prose, View
from headstart.records.shown import Shown
from headstart.records.text import size
from headstart.tasks import task_of
from headstart.wording import isolated, listing, printable


class Examples(Protocol):
    """Where the examples lie. Loading is lazy, may run in several threads at once, and never edits the source."""

    def __len__(self) -> int: ...

    def load(self, index: int) -> object:
        """One example decoded: an upright 8-bit RGB image or a `str`; ExampleError says why it cannot be."""
        ...

    def digest(self, index: int) -> bytes:
        """16 bytes that stand for the example's content, not its name; ExampleError if it cannot be read at all."""
        ...


@dataclass(frozen=True, repr=False)
class Target(Shown):
    """A labelled data set: examples that are loaded one by one, and all their labels.

    `labels` holds class codes 0..C-1 into `classes` (int64, (n,)), floats for regression ((n,) or (n, t)), or 0/1 for
    multi-label ((n, C) int64).
    """

    name: str
    kind: Kind
    task: str
    examples: Examples
    labels: np.ndarray
    classes: tuple[str, ...]
    ids: tuple[str, ...]  # stable names of the examples: a relative path, a row number
    split: str | None = None  # the split that is scored, where the data came with several
    notes: tuple[str, ...] = field(default=())  # what was guessed or set aside, for the user to read
    white_level: float | None = None  # what is white in images of more than 8 bits, where there are any

    def __len__(self) -> int:
        return len(self.labels)

    def view(self) -> View:
        """How many examples there are, how many of each class or in which range of values, and the notes."""
        counts = task_of(self.task).counts(self.labels, self.classes)
        said = f"values from {self.labels.min():g} to {self.labels.max():g}" if not counts and len(self) else ""
        each = [f"{isolated(name)} {count:,}" for name, count in zip(self.classes, counts, strict=True)]
        first = f"{isolated(self.name)}: {size(len(self), self.kind, self.classes, self.split)}"
        return [Prose((first, *filter(None, (said or listing(each, most=10),)), *self.notes))]

    def held(self) -> "Target":
        """The target for one command that goes through it more than once.

        Each example is hashed once and, while a quarter of the available memory lasts, decoded once; the memory is
        given back with the object that is returned.
        """
        examples = self.examples
        remembered = examples if isinstance(examples, Remembered) else Remembered(examples, self.kind)
        return replace(self, examples=remembered.held())

    def subset(self, indices: Sequence[int] | np.ndarray) -> "Target":
        """The examples at `indices`, in that order; the classes stay as they are."""
        indices = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            examples=_Subset(self.examples, indices),
            labels=self.labels[indices],
            ids=tuple(self.ids[i] for i in indices),
        )


@dataclass(frozen=True)
class _Subset:
    whole: Examples
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def load(self, index: int) -> object:
        return self.whole.load(int(self.indices[index]))

    def digest(self, index: int) -> bytes:
        return self.whole.digest(int(self.indices[index]))


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
    white_level: float | None = None

    def target(self) -> Target:
        """The labelled data set."""
        count, labelled = len(self.examples), len(self.labels)
        if count != labelled:
            raise TargetError(f"{self.where}: {count} examples but {labelled} labels; give one label per example.")
        where = self.label_where or self.where
        task, labels = read_labels(self.labels, where=where, ids=self.ids, task=self.task, classes=self.classes)
        return Target(
            name=printable(self.name),
            kind=self.kind,
            task=task,
            examples=Remembered(self.examples, self.kind),
            labels=labels.values,
            classes=labels.classes,
            ids=tuple(self.ids),
            split=self.split,
            notes=(*self.notes, *labels.notes),
            white_level=self.white_level,
        )


def row_ids(count: int) -> list[str]:
    """Names of examples that have none: their numbers, from 0."""
    return [str(row) for row in range(count)]
