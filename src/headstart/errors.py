"""The errors that a user can meet; each has an exit code for the command line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from numbers import Integral
from typing import Any, Self


class HeadstartError(Exception):
    """A failure that the user can act on; its text states what was wrong, what was expected and the next step."""

    exit_code = 1

    @property
    def reason(self) -> str:
        """Its text, without the name of the model that it is about."""
        return str(self)


class InputError(HeadstartError, ValueError):
    """The caller's arrays, files or options do not fit."""

    exit_code = 2


class TargetError(InputError):
    """The labelled data set cannot be read."""


class NoSuchSplit(TargetError):  # noqa: N818
    """The data have no split of that name; `splits` holds those they have."""

    def __init__(self, message: str, splits: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.splits = tuple(splits)


class ExampleError(HeadstartError):
    """One example (an image, a text) cannot be read; it is skipped, counted and listed."""


class ModelError(HeadstartError):
    """A source model cannot be found, loaded or run; `model` is its name, where it is known.

    Example:
        >>> error = ModelError.of("hf/a/b", "it has no weights.")
        >>> str(error), error.reason
        ('hf/a/b: it has no weights.', 'it has no weights.')
    """

    model = ""

    @classmethod
    def of(cls, model: str, reason: str) -> Self:
        """The error of one model, whose name stays apart from the reason: alike failures can be told together."""
        error = cls(reason)
        error.model = model
        return error

    @property
    def reason(self) -> str:
        """Its text, without the name of the model."""
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.model}: {self.reason}" if self.model else self.reason


@contextmanager
def about(model: str) -> Iterator[None]:
    """Name the model in every ModelError of the block that names none yet."""
    try:
        yield
    except ModelError as error:
        error.model = error.model or model
        raise


class ModelNameError(ModelError, InputError):
    """No model has that name, or none of that name reads the target's data."""

    exit_code = 2


class OfflineError(ModelError):
    """A model or data set is not on this machine and there is no network to fetch it."""


class CacheError(HeadstartError):
    """Cached forward passes cannot be written or used, for example because the disk is full."""


class WriteError(HeadstartError, OSError):
    """A result cannot be written to its destination."""

    exit_code = 2


class TrainingError(HeadstartError):
    """Training cannot continue, for example because the loss is NaN."""


class WorkerError(HeadstartError):
    """A worker process died, for example because the machine ran out of memory."""


class MissingExtra(HeadstartError, ImportError):  # noqa: N818
    """An optional dependency is not installed; the text holds the exact `pip install` line."""


def require(library: str, purpose: str, extra: str) -> Any:
    """Import an optional library, or name the line that installs it.

    Args:
        library: The module to import, such as "timm".
        purpose: What needs it; the error starts with it.
        extra: The extra of headstart that brings it.

    Raises:
        MissingExtra: The library is not installed.

    Example:
        >>> require("no_such_library", "this example", "text")
        Traceback (most recent call last):
            ...
        headstart.errors.MissingExtra: this example needs no_such_library. Run: pip install 'headstart[text]'
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != library.partition(".")[0]:
            raise  # the library is installed, but one that it needs is not
        raise MissingExtra(f"{purpose} needs {library}. Run: pip install 'headstart[{extra}]'") from error


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Text to append to an error about an unknown name: the nearest known names, or nothing if none is near.

    Example:
        >>> did_you_mean("lable", ["text", "label"])
        ' Did you mean `label`?'
    """
    by_folded = {known.casefold(): known for known in names}
    near = [by_folded[folded] for folded in get_close_matches(name.casefold(), by_folded, n=2)]
    return f" Did you mean {' or '.join(f'`{known}`' for known in near)}?" if near else ""


def check_whole(least: int, **given: object) -> None:
    """Raises InputError for a value that is no whole number of at least `least`; None stands for none."""
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least):
            raise InputError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")
