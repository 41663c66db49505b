"""A target: the labelled data set a source is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from headstart.data.remembered import Remembered
from headstart.records import Kind


class Examples(Protocol):
    """Where the examples lie. Loading is lazy, may run in several threads at once, and never edits the source."""

    def __len__(self) -> int: ...

    def load(self, index: int) -> object:
        """Decode one example: an RGB `PIL.Image.Image` (upright, 8 bit) or a `str`.

        Raises:
            ExampleError: It cannot be read; the text says why.
        """
        ...

    def digest(self, index: int) -> bytes:
        """16 bytes that stand for the example's CONTENT (never its name): equal content, equal digest.

        Raises:
            ExampleError: It cannot be read at all.
        """
        ...


@dataclass(frozen=True)
class Target:
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

    def __len__(self) -> int:
        return len(self.labels)

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
