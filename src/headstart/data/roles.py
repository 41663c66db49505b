"""Which columns of a table hold examples, labels and splits: named by the user, otherwise guessed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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
FLAGS = {"is_valid": ("train", "valid"), "is_test": ("train", "test"), "is_train": ("test", "train")}  # no, yes
TRUE = {"true": 1, "1": 1, "1.0": 1, "yes": 1, "false": 0, "0": 0, "0.0": 0, "no": 0}
LISTED = 10  # names in a message
NO_CONTENT = ("", "id", "idx", "index", "row", "unnamed: 0")


@dataclass(frozen=True)
class Table:
    """A table whose columns are read one by one."""

    name: str
    where: str  # what it is called in errors
    folder: Path  # what paths in it are relative to
    kinds: dict[str, ColumnKind]  # every column, in order
    read: Callable[[str], Sequence[object] | np.ndarray[Any, np.dtype[Any]]]
    class_names: dict[str, Sequence[str]] = field(default_factory=dict)  # of columns that hold codes
    notes: tuple[str, ...] = ()
    split: str | None = None  # the split that it is, where splits are tables of their own
    numbers: np.ndarray[Any, np.dtype[Any]] | None = None  # of its rows, in a table that it is a sample of


@dataclass(frozen=True)
class Chosen:
    """What each column holds."""

    kind: str
    examples: tuple[str, ...]  # one column, or two of texts that form pairs
    labels: tuple[str, ...]
    split: str | None
    notes: tuple[str, ...]


def choose_columns(table: Table, reading: Reading) -> Chosen:
    """The columns that the user names, and guesses of the others with a note."""
    if reading.text_column is not None and reading.image_column is not None:
        raise TargetError("pass either `text_column` or `image_column`, not both: a model reads one kind of data.")
    named = _as_names(reading.text_column or reading.image_column)
    labels = _named_labels(table, reading.label_column)
    _check_names(table, (*named, *labels))
    split = split_column(table, {*named, *labels})
    free = [name for name in table.kinds if name not in {*named, *labels, split} and name.casefold() not in NO_CONTENT]
    guesses: list[str] = []
    if not labels:
        labels = _labels_by_name(free)
        free = [name for name in free if name not in labels]
    kind, examples = "text" if reading.text_column is not None else "image", named
    if not examples:
        kind, example = _guess_example(table, free)
        examples = (example,)
        guesses.append(f"`{example}` is the {kind}")
        free.remove(example)
    if not labels and len(free) != 1:
        raise TargetError(
            f"{table.where}: which column is the label? It has {listed(table.kinds)}; name one with `label_column`."
            f"{_doubts(table)}"
        )
    labels = labels or (free[0],)
    if reading.label_column is None:
        guesses.append(f"`{labels[0]}` is the label")
    notes = [f"columns guessed: {', '.join(guesses)} (of {listed(table.kinds)})"] if guesses else []
    folds = [name for name in free if name.casefold() in ("fold", "folds", "kfold")]
    if split is None and folds:
        notes.append(f"column `{folds[0]}` is not used: all folds are read together; pass a table of those you want")
    return Chosen(kind, examples, labels, split, tuple(notes))


def choose_example(table: Table, reading: Reading, kind: str) -> Chosen:
    """The column of examples of one kind, named or guessed as in `choose_columns`; labels are not looked for."""
    named = _as_names(getattr(reading, f"{kind}_column", None))
    split = split_column(table, {*named})
    if named or len(table.kinds) == 1:
        _check_names(table, named)
        return Chosen(kind, named or tuple(table.kinds), (), split, ())
    free = [name for name in table.kinds if name.casefold() not in NO_CONTENT]
    others = (split, *_labels_by_name(free))
    guess = MEDIA[kind].guess_column(table, [name for name in free if name not in others])
    if guess is None:
        raise TargetError(
            f"{table.where}: which column holds the {MEDIA[kind].plural}? It has {listed(table.kinds)}; name it with "
            f"`{kind}_column`."
        )
    return Chosen(kind, (guess,), (), split, (f"columns guessed: `{guess}` is the {kind} (of {listed(table.kinds)})",))


def _check_names(table: Table, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.kinds:
            raise TargetError(
                f"{table.where} has no column `{name}`; it has {listed(table.kinds)}.{did_you_mean(name, table.kinds)}"
            )


def _as_names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _named_labels(table: Table, label: str | Sequence[str] | None) -> tuple[str, ...]:
    if not isinstance(label, str):
        return _as_names(label)
    pieces = tuple(part.strip() for part in label.split(","))
    return pieces if label not in table.kinds and set(pieces) <= set(table.kinds) else (label,)


def split_column(table: Table, taken: set[str | None]) -> str | None:
    """The column that holds the split of each row: by its name, and by holding only names of splits."""
    for name in table.kinds:
        folded = name.casefold()
        if folded not in (*SPLIT_NAMES, *FLAGS) or name in taken or table.kinds[name] not in ("text", "number"):
            continue
        if folded == "split":  # whatever its values: splits are never merged
            return name
        if all(value in TRUE if folded in FLAGS else role_of(value) for value in _cells(table, name)):
            return name
    return None


def splits_of(table: Table, column: str) -> list[str]:
    """The split of each row; a column such as `is_valid` holds yes or no."""
    flags = FLAGS.get(column.casefold())
    return [value if flags is None else flags[TRUE[value]] for value in _cells(table, column)]


def _cells(table: Table, column: str) -> Iterator[str]:
    flag = column.casefold() in FLAGS
    return (str(value).strip().casefold() if flag else str(value) for value in table.read(column))


def _labels_by_name(free: Sequence[str]) -> tuple[str, ...]:
    folded = {name.casefold(): name for name in reversed(free)}
    return next(((folded[known],) for known in LABEL_NAMES if known in folded), ())


def _doubts(table: Table) -> str:
    """The notes on how the table was read, which may be why a column is missing."""
    return "".join(f" Note that {note}." for note in table.notes)


def _guess_example(table: Table, free: Sequence[str]) -> tuple[str, str]:
    for kind in MEDIA.values():
        if (guess := kind.guess_column(table, free)) is not None:
            return kind.name, guess
    raise TargetError(
        f"{table.where}: which column holds the examples? It has {listed(table.kinds)}; name one with `image_column` "
        f"or `text_column`.{_doubts(table)}"
    )


def listed(found: Iterable[str]) -> str:
    """Names in backticks, for messages; at most ten."""
    names = list(found)
    more = len(names) - LISTED
    return ", ".join(f"`{name}`" for name in names[:LISTED]) + (f" and {more} more" if more > 0 else "")
