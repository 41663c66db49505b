"""Which column of a table is the example, which the label and which the split: named by the user, else guessed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.reading import Reading
from headstart.data.splits import role_of
from headstart.errors import TargetError, did_you_mean

ColumnKind = Literal["text", "number", "bytes", "list", "other"]

LABEL_NAMES = (
    "label", "labels", "class", "target", "category", "y", "class_label", "class_name", "classname", "class_id",
    "sentiment", "stars", "rating", "intent", "topic", "emotion", "species",
)  # fmt: skip
SPLIT_NAMES = ("split", "subset", "partition", "set", "fold", "phase")
NO_CONTENT = ("", "id", "idx", "index", "row", "unnamed: 0")


@dataclass(frozen=True)
class Table:
    """A table whose columns are read one by one."""

    name: str
    where: str  # for texts
    folder: Path  # what paths in it are relative to
    kinds: dict[str, ColumnKind]  # every column, in order
    read: Callable[[str], Sequence[object] | np.ndarray]
    class_names: dict[str, Sequence[str]] = field(default_factory=dict)  # of columns that hold codes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What each column is."""

    kind: str
    example: str
    labels: tuple[str, ...]
    split: str | None
    notes: tuple[str, ...]


def choose_columns(table: Table, reading: Reading) -> Chosen:
    """Take the columns that the user names, guess the others, and say what was guessed.

    Raises:
        TargetError: A named column is not there, or a guess is not clear.
    """
    if reading.text_column is not None and reading.image_column is not None:
        raise TargetError("pass either `text_column` or `image_column`, not both: a source reads one kind of example.")
    named = [name for name in (reading.text_column, reading.image_column) if name is not None]
    labels = _named_labels(table, reading.label_column)
    _check_names(table, (*named, *labels))
    split = split_column(table, {*named, *labels})
    free = [name for name in table.kinds if name not in {*named, *labels, split} and name.casefold() not in NO_CONTENT]
    guesses: list[str] = []
    if not labels:
        labels = _labels_by_name(free)
        free = [name for name in free if name not in labels]
    kind, example = (
        ("text", reading.text_column) if reading.text_column is not None else ("image", reading.image_column)
    )
    if example is None:
        kind, example = _guess_example(table, free)
        guesses.append(f"`{example}` is the {kind}")
        free.remove(example)
    if not labels:
        labels = _labels_by_elimination(table, free)
    if reading.label_column is None:
        guesses.append(f"`{labels[0]}` is the label")
    notes = (f"columns guessed: {', '.join(guesses)} (of {_listed(table.kinds)})",) if guesses else ()
    return Chosen(kind, example, labels, split, notes)


def choose_example(table: Table, kind: str, name: str | None) -> tuple[str, tuple[str, ...]]:
    """The column of examples of one kind, by name or guessed as in `choose_columns`, and notes on a guess.

    Raises:
        TargetError: The named column is not there, or the guess is not clear.
    """
    if name is not None or len(table.kinds) == 1:
        name = name or next(iter(table.kinds))
        _check_names(table, (name,))
        return name, ()
    free = [name for name in table.kinds if name.casefold() not in NO_CONTENT]
    others = (split_column(table, set()), *_labels_by_name(free))
    free = [name for name in free if name not in others]
    guess = MEDIA[kind].guess_column(table, free)
    if guess is None:
        raise TargetError(
            f"{table.where}: which column holds the {kind}s? It has {_listed(table.kinds)}; name it with "
            f"`{kind}_column`."
        )
    return guess, (f"columns guessed: `{guess}` is the {kind} (of {_listed(table.kinds)})",)


def _check_names(table: Table, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.kinds:
            raise TargetError(
                f"{table.where} has no column `{name}`; it has {_listed(table.kinds)}.{did_you_mean(name, table.kinds)}"
            )


def _named_labels(table: Table, label: str | Sequence[str] | None) -> tuple[str, ...]:
    if label is None:
        return ()
    if not isinstance(label, str):
        return tuple(label)
    pieces = tuple(part.strip() for part in label.split(","))
    return pieces if label not in table.kinds and set(pieces) <= set(table.kinds) else (label,)


def split_column(table: Table, taken: set[str]) -> str | None:
    """The column that says which split a row belongs to: by its name, and by holding only names of splits."""
    for name in table.kinds:
        if name.casefold() not in SPLIT_NAMES or name in taken or table.kinds[name] not in ("text", "number"):
            continue
        if name.casefold() == "split":  # whatever its values: splits are never merged
            return name
        if all(role_of(str(value)) for value in table.read(name)):
            return name
    return None


def _labels_by_name(free: Sequence[str]) -> tuple[str, ...]:
    folded = {name.casefold(): name for name in reversed(free)}
    return next(((folded[known],) for known in LABEL_NAMES if known in folded), ())


def _labels_by_elimination(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    if len(free) == 1:
        return (free[0],)
    raise TargetError(
        f"{table.where}: which column is the label? It has {_listed(table.kinds)}; name one with `label_column`."
    )


def _guess_example(table: Table, free: Sequence[str]) -> tuple[str, str]:
    for kind in MEDIA.values():
        if (guess := kind.guess_column(table, free)) is not None:
            return kind.name, guess
    raise TargetError(
        f"{table.where}: which column holds the examples? It has {_listed(table.kinds)}; name one with `image_column` "
        "or `text_column`."
    )


def _listed(names: Sequence[str] | dict[str, ColumnKind]) -> str:
    return ", ".join(f"`{name}`" for name in names)
