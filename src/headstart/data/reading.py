"""`Reading`: how labelled data are read, as one object that every command takes."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

from headstart.errors import InputError, TargetError, did_you_mean
from headstart.tasks import TASKS

LARGEST = 2**32 - 1  # of a white level


def _said(text: str, metavar: str | None = None) -> dict[str, str | None]:
    """What the command line says of a field."""
    return {"help": text, "metavar": metavar}


@dataclass(frozen=True)
class Reading:
    """How labelled data are read; what is None is decided by the data.

    `rank`, `transfer`, `predict` and `open_target` take it as `reading=`, or its fields as keywords of their own.

    Raises:
        TargetError: `task` or `label_column` cannot be used.
        InputError: `max_bad` is not a share.

    Example:
        >>> Reading(label_column=["stars"], split="test").label_column
        'stars'
    """

    text_column: str | Sequence[str] | None = field(
        default=None,
        metadata=_said("Column of the texts; repeat it for pairs of texts. Guessed by default.", "NAME"),
    )
    image_column: str | None = field(
        default=None, metadata=_said("Column of the images (paths or encoded bytes); guessed by default.", "NAME")
    )
    label_column: str | Sequence[str] | None = field(
        default=None, metadata=_said("Column of the labels; repeat it for several. Guessed by default.", "NAME")
    )
    split: str | None = field(
        default=None, metadata=_said("Split to read; by default the training split. Splits are never merged.", "NAME")
    )
    task: str | None = field(
        default=None,
        metadata=_said(f"One of {', '.join(TASKS)}; recognised by the labels by default.", "TASK"),
    )
    root: str | os.PathLike[str] = field(
        default="data", metadata=_said("Folder that holds torchvision's data sets.", "DIR")
    )
    download: bool = field(default=False, metadata=_said("Download a named data set that is not on this machine."))
    white_level: float | None = field(
        default=None,
        metadata=_said("Value of white in images of more than 8 bits, such as 4095; by default the data's.", "VALUE"),
    )
    max_bad: float = field(
        default=0.01, metadata=_said("Largest share of unreadable examples to skip, from 0 to 1.", "SHARE")
    )

    def __post_init__(self) -> None:
        if self.task is not None:
            TASKS.find(self.task, TargetError)
        if self.white_level is not None and not 0 < self.white_level <= LARGEST:
            raise InputError(f"`white_level` must be above 0 and at most {LARGEST}; got {self.white_level}.")
        if not 0 <= self.max_bad <= 1:
            raise InputError(f"`max_bad` must be a share between 0 and 1; got {self.max_bad}.")
        for option in ("text_column", "label_column"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, str):
                names = tuple(value)
                if not names:
                    raise TargetError(f"`{option}` is empty; name a column, or leave it out to have it guessed.")
                object.__setattr__(self, option, names[0] if len(names) == 1 else names)
        if not isinstance(self.text_column, str | None) and len(self.text_column) != 2:
            raise TargetError(f"`text_column` takes one column, or two for pairs; got {', '.join(self.text_column)}.")

    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults.

        Example:
            >>> Reading(split="test", max_bad=0.01).given()
            {'split': 'test'}
        """
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}

    def refuse_columns(self, what: str) -> None:
        """Refuse columns that are named where there is no table."""
        for name in ("text_column", "image_column", "label_column"):
            if getattr(self, name) is not None:
                raise TargetError(f"`{name}` is for tables, and {what} is not a table; leave it out.")


class ReadingOptions(TypedDict, total=False):
    """The fields of `Reading` as keywords: `def rank(..., **options: Unpack[ReadingOptions])`."""

    text_column: str | Sequence[str] | None
    image_column: str | None
    label_column: str | Sequence[str] | None
    split: str | None
    task: str | None
    root: str | os.PathLike[str]
    download: bool
    white_level: float | None
    max_bad: float


def reading_of(reading: Reading | None, options: Mapping[str, Any], function: Callable[..., object]) -> Reading:
    """The reading that a caller describes by an object, by keywords, or both; a keyword wins over the object.

    The keywords of `function`, which was called, are suggested too where one is unknown.

    Raises:
        InputError: A keyword is unknown, or `reading` is not a `Reading`.
        TargetError: A value cannot be used.

    Example:
        >>> reading_of(Reading(split="test"), {"task": "regression"}, reading_of).given()
        {'split': 'test', 'task': 'regression'}
    """
    if not isinstance(reading, Reading | None):
        raise InputError(f"`reading` must be a headstart.Reading; got {type(reading).__name__}.")
    known = [each.name for each in fields(Reading)]
    for name in options:
        if name not in known:
            own = [key for key in inspect.signature(function).parameters if key != "options"]
            raise InputError(
                f"`{function.__name__}` has no option `{name}`.{did_you_mean(name, [*own, *known])} Data are read by: "
                f"{', '.join(known)}."
            )
    return replace(reading or Reading(), **options)
