"""Formats: the forms in which data lie on disk, on a hub or in memory. A new one is one file in this folder."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

from headstart.data.reading import Reading
from headstart.data.target import Found
from headstart.errors import TargetError
from headstart.registry import Registry


class Format:
    """One form of data.

    A specification is a `Path` that exists, the name of a data set in a library (`str`), or a Python object.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""  # in the list of supported formats; "" leaves it out
    prefix: ClassVar[str | None] = None  # of the names of its data sets: "torchvision/"
    turn: ClassVar[int] = 5  # formats are tried in this order; one that also accepts what others do comes late

    def takes(self, spec: Any) -> bool:
        """Whether the specification has this form, decided without reading more than names."""
        return self.prefix is not None and isinstance(spec, str) and spec.startswith(self.prefix)

    def read(self, spec: Any, reading: Reading, kind: str | None) -> Found:
        """The examples of one split; TargetError if the data cannot be read.

        `kind` None reads labelled data. Otherwise it is the kind of data that a model predicts on: labels are not
        needed, and all examples are read unless `reading` names a split.
        """
        raise NotImplementedError


FORMATS: Registry[Format] = Registry("headstart.data.formats", "format", key=lambda form: (form.turn, form.name))

_Class = TypeVar("_Class", bound=type[Format])


def data_format(form: _Class) -> _Class:
    """Register a form of data (class decorator)."""
    FORMATS.add(form())
    return form


def unsupported(path: Path) -> TargetError:
    """The error for a file that is no labelled data in a known format."""
    suffix = path.suffix.casefold()
    what = f"unsupported file type `{suffix}`" if suffix else "the file name has no suffix"
    return TargetError(f"cannot read `{path}`: {what}. Supported: {supported()}.")


def supported() -> str:
    """What can be read, for errors and help."""
    return ", ".join(form.title for form in FORMATS.values() if form.title)
