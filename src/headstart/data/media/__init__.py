"""Kinds of data: everything that depends on whether an example is an image, a text or a row of numbers.

Code elsewhere asks the medium and does not compare names. A new medium is one file in this folder.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from headstart.errors import InputError
from headstart.registry import Registry

if TYPE_CHECKING:
    from headstart.data.roles import Table
    from headstart.data.target import Examples

Augment = Callable[[Any, np.random.Generator], Any]  # (example, random generator) -> changed example
Held = tuple["Examples", tuple[str, ...]]  # examples in memory, and notes on how they were read


class Medium:
    """What an example is and what can be done with it; the defaults fit data of which nothing more is known."""

    name: ClassVar[str]  # as in `Target.kind` and `ModelCard.kind`
    model: ClassVar[str] = "zoo"  # a model that reads it, to name in errors
    pictures: ClassVar[bool] = False  # examples are RGB images
    computed: ClassVar[bool] = False  # examples are a model's output already, so no model has to run
    one_shape: ClassVar[bool] = False  # prepared examples all have one shape: one of them shows the memory all need
    rows: ClassVar[int] = 8  # examples per forward pass on a CPU
    augmentations: ClassVar[tuple[str, ...]] = ("none",)

    @property
    def plural(self) -> str:
        """What several examples are called: "images", "arrays"."""
        return f"{self.name.removesuffix('s')}s"

    def hold(self, examples: Any, *, channels_first: bool) -> Held | None:
        """Examples that lie in memory, or None if they are of another kind; TargetError if they cannot be used."""
        return None

    def guess_column(self, table: "Table", free: Sequence[str]) -> str | None:
        """The column of a table that holds examples, or None if it is not clear."""
        return None

    def column(self, table: "Table", name: str, rows: np.ndarray) -> tuple["Examples", list[str]] | None:
        """The examples in some rows of a column, with the names of their files if they are files; else None."""
        return None

    def kept_bytes(self, example: Any) -> int | None:
        """The memory that a decoded example takes; None if loading it again costs nothing."""
        return None

    def copy(self, example: Any) -> Any:
        """A decoded example that the receiver may edit."""
        return example

    def length(self, example: Any) -> int:
        """How long an example is; examples of similar length share a batch. 0 if all are alike."""
        return 0

    def sample(self, example: Any) -> str | None:
        """An example as a report shows it: a small data URI or a short text; None if it cannot be shown."""
        return None

    def augment(self, strength: str) -> Augment | None:
        """A function that changes an example at random before training, None for "none"; InputError if unknown."""
        if strength not in self.augmentations:
            raise InputError(
                f"`augment` must be one of {', '.join(self.augmentations)} for {self.name} data; got {strength!r}."
            )
        return None

    def probes(self) -> tuple[Any, ...]:
        """Fixed ordinary examples: what a preprocessing does to them identifies it."""
        return ()

    def odd_probes(self, *, own: bool) -> tuple[Any, ...]:
        """Fixed examples that a preprocessing may refuse; `own` adds those on which hand-written code differs."""
        return ()


MEDIA: Registry[Medium] = Registry("headstart.data.media", "kind of data")


_Class = TypeVar("_Class", bound=type[Medium])


def medium(kind: _Class) -> _Class:
    """Register a kind of data (class decorator)."""
    MEDIA.add(kind())
    return kind
