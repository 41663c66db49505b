"""Labels as people write them, made one array and read by the task that they belong to."""

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from headstart.errors import TargetError
from headstart.tasks import TASKS, Labels, RawLabels
from headstart.tasks.values import is_float, is_number, is_text

Array = np.ndarray[Any, np.dtype[Any]]
LONGEST = 1000  # characters of a label; anything longer is a text


def is_missing(value: object) -> bool:
    """Whether it is None or what pandas writes for a missing value: nan, NA or NaT."""
    if isinstance(value, float | np.floating):
        return bool(value != value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")  # by name: pandas need not be loaded


def decoded(value: object, where: str) -> object:
    """Bytes decoded as UTF-8, text in the composed Unicode form (NFC), anything else as it is.

    Example:
        >>> decoded("käse".encode(), "`labels`"), decoded("ka\u0308se", "`labels`"), decoded(3, "`labels`")
        ('käse', 'käse', 3)
    """
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if not isinstance(value, bytes):
        return value
    try:
        return unicodedata.normalize("NFC", value.decode())
    except UnicodeDecodeError as error:
        raise TargetError(
            f"{where}: {value[:40]!r} is not UTF-8; if it is text, decode it, for example with "
            "`np.char.decode(array, 'latin-1')`."
        ) from error


def text_array(array: Array, where: str) -> Array:
    """An array of text or byte strings as text, each value `decoded`; any other array as it is."""
    if array.dtype.kind not in "SU":
        return array
    return np.array([decoded(value, where) for value in array.ravel().tolist()], dtype=np.str_).reshape(array.shape)


def read_labels(
    raw: Sequence[object] | Array,
    *,
    where: str,
    ids: Sequence[str],
    task: str | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[str, Labels]:
    """The task of raw labels, and the labels coded as numbers.

    Args:
        raw: One label per example: text, a whole number, a float, or several (a row of 0/1, a list of names).
        where: What the labels belong to, for messages: "column `label` of reviews.csv".
        ids: Names of the examples, for messages.
        task: A name in `TASKS`; None recognises the task by the labels.
        classes: Class names that whole-number labels index.
    """
    values = _as_array(raw, where)
    asked = None if task is None else TASKS.find(task, TargetError)
    if asked is None or not (asked.takes_sets and is_text(values)):  # empty text is an empty set of labels
        _refuse_missing(values, where, ids)
    if values.ndim > 2:
        raise TargetError(f"{where}: labels must have shape (n,) or (n, columns); got {values.shape}.")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    kind = asked or next(known for known in TASKS.values() if known.recognises(values))
    if values.dtype == object and not kind.takes_sets:
        several = ", ".join(repr(known.name) for known in TASKS.values() if known.takes_sets)
        raise TargetError(
            f"{where} holds several labels per example, which does not fit task={kind.name!r}; pass task={several}."
        )
    return kind.name, kind.read(RawLabels(values, where, ids, classes, asked is not None))


def _as_array(raw: Sequence[object] | Array, where: str) -> Array:
    """Numbers or text as a plain array; several labels per example (lists) as an object array."""
    if isinstance(raw, np.ndarray) and raw.dtype != object:
        return text_array(raw, where)
    raw = [value.tolist() if isinstance(value, np.ndarray) else value for value in raw]
    raw = [None if is_missing(value) else decoded(value, where) for value in raw]
    kinds = {type(value) for value in raw}
    if kinds & {list, tuple, set, frozenset} and not _is_table(raw):
        return _as_sets(raw, where)
    if kinds & {str, np.str_} or type(None) in kinds:
        texts = ["" if value is None else str(value) for value in raw]
        longest = max(texts, key=len)
        if len(longest) > LONGEST:
            raise TargetError(
                f"{where}: a label has {len(longest)} characters ({longest[:40]!r}...), so this looks like a text. "
                "Name the column of labels with `label_column`."
            )
        return np.array(texts)
    values = np.array(raw) if raw else np.zeros(0)
    if not is_number(values):
        types = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TargetError(f"{where}: a label must be text, a number or a list of labels; got {types}.")
    return values


def _as_sets(raw: Sequence[object], where: str) -> Array:
    """Each example's labels as a tuple, None where they or one of them is missing."""
    column = np.empty(len(raw), dtype=object)
    for row, value in enumerate(raw):
        if value is not None and (isinstance(value, str) or not isinstance(value, Collection)):
            raise TargetError(f"{where}: some labels are lists and others are not ({value!r}); make each one a list.")
        if value is not None and not any(map(is_missing, value)):
            column[row] = tuple(decoded(name, where) for name in value)
    return column


def _is_table(raw: Sequence[object] | Array) -> bool:
    """Rows of numbers, all equally long (as opposed to sets of names)."""
    rows = [np.asarray(value) for value in raw if value is not None]
    return len(rows) == len(raw) and len({row.shape for row in rows}) == 1 and is_number(rows[0])


def _refuse_missing(values: Array, where: str, ids: Sequence[str]) -> None:
    if len(values) == 0:
        raise TargetError(f"{where}: there are no examples.")
    if is_float(values):
        missing = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    elif is_text(values):
        missing = (np.char.strip(values).reshape(len(values), -1) == "").any(axis=1)
    elif values.dtype == object:
        missing = np.array([value is None for value in values])
    else:
        return
    if missing.any():
        first = int(np.flatnonzero(missing)[0])
        raise TargetError(
            f"{where}: {missing.sum()} of {len(values)} examples have no label (first: {ids[first]}); "
            "give them one or leave those examples out."
        )
