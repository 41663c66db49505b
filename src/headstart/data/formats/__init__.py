"""Formats: the forms in which data lie on disk, on a hub or in memory. A new one is one file in this folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from headstart.data.media import MEDIA
from headstart.data.reading import Reading
from headstart.data.target import Examples, Target
from headstart.errors import InputError, TargetError
from headstart.registry import Registry


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Examples to predict: labels are not looked for, or were left out."""

    examples: Examples
    ids: Sequence[str]
    notes: tuple[str, ...] = ()


class Format:
    """One form of data.

    A specification is a `Path` that exists, the name of a data set in a library (`str`), or a Python object.
    """

    name: ClassVar[str]
    title: ClassVar[str]  # in the list of what can be read; "" leaves it out
    prefix: ClassVar[str | None] = None  # what names of its data sets begin with, as in "torchvision/"
    turn: ClassVar[int] = 5  # formats are asked in this order; one that takes much of what others take comes late

    def takes(self, spec: Any) -> bool:
        """Whether the specification is of this form, without reading more than names."""
        return self.prefix is not None and isinstance(spec, str) and spec.startswith(self.prefix)

    def open(self, spec: Any, reading: Reading) -> Target:
        """The labelled data.

        Raises:
            TargetError: They cannot be read as labelled data.
        """
        raise NotImplementedError

    def unlabelled(self, spec: Any, kind: str, reading: Reading) -> Unlabelled:
        """The examples of a kind of data, to predict; labels are not needed where the form can do without.

        Raises:
            InputError: There are none of that kind.
        """
        target = self.open(spec, reading)
        check_kind(target.kind, kind, target.name)
        return Unlabelled(target.examples, target.ids, target.notes)


FORMATS: Registry[Format] = Registry("headstart.data.formats", "format", key=lambda form: (form.turn, form.name))

_Class = TypeVar("_Class", bound=type[Format])


def data_format(form: _Class) -> _Class:
    """Register a form of data (class decorator)."""
    FORMATS.add(form())
    return form


def check_kind(found: str, wanted: str, where: str) -> None:
    """Refuse data that the model does not read.

    Raises:
        InputError: They are of another kind.
    """
    if found != wanted:
        raise InputError(f"{where} holds {MEDIA[found].plural}, but the model reads {MEDIA[wanted].plural}.")


def unsupported(path: Path) -> TargetError:
    """The error for a file that no format of labelled data reads."""
    suffix = path.suffix.casefold()
    what = f"unsupported file type `{suffix}`" if suffix else "its name has no suffix that tells its format"
    return TargetError(f"cannot read `{path}`: {what}. Supported: {supported()}.")


def supported() -> str:
    """What can be read, for errors and help."""
    return ", ".join(form.title for form in FORMATS.values() if form.title)
