"""Labels of any kind as numbers: class codes, floats for regression, or 0/1 for multi-label."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data.amounts import float_of, is_amount_elsewhere, number_of
from headstart.data.doubts import class_notes, lonely_note
from headstart.data.encoded import decoded, text_array
from headstart.data.missing import is_missing
from headstart.errors import TargetError
from headstart.records import Task

SEPARATORS = ("|", ";", ",")  # between the labels of one example, tried in this order
LONGEST = 1000  # characters of a label; longer ones are texts taken for labels


@dataclass(frozen=True, eq=False)
class Labels:
    """All labels of a target as `Target` wants them."""

    task: Task
    values: np.ndarray  # (n,) int64 codes; (n,) or (n, t) float64; (n, C) int64 of 0/1
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_labels(
    raw: Sequence[object] | np.ndarray,
    *,
    where: str,
    ids: Sequence[str],
    task: Task | None = None,
    classes: Sequence[str] | None = None,
) -> Labels:
    """Turn raw labels into numbers, and say what was decided.

    Args:
        raw: One label per example: text, a whole number, a float, or several (a row of 0/1, a list of names).
        where: What the labels belong to, for the texts: "column `label` of reviews.csv".
        ids: Names of the examples, for the texts.
        task: Decided by the caller; None decides by what the labels look like.
        classes: Class names where the labels are already whole numbers that index them.

    Raises:
        TargetError: A label is missing or does not fit the task, or all examples have the same one.
    """
    values = _as_array(raw, where)
    if task != "multi-label" or values.dtype.kind != "U":  # an empty set of labels is one
        _refuse_missing(values, where, ids)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype == object or task == "multi-label":
        labels = _multi_label(values, where, task, classes)
    elif task == "regression":
        labels = Labels("regression", _numbers(values, where, ids), ())
    elif task is None and _is_real(values):
        labels = Labels("regression", _numbers(values, where, ids), (), (_real_note(where),))
    elif values.ndim == 2:
        labels = _from_rows(values, where, task, classes)
    else:
        labels = _classification(values, where, task, classes)
    _refuse_constant(labels, where)
    return labels


def natural_key(text: str) -> tuple:
    """Sort key that puts "2" before "10", "-1" before "1" and "img9" before "img10".

    Example:
        >>> sorted(["10", "9", "b2", "b10", "-1"], key=natural_key)
        ['-1', '9', '10', 'b2', 'b10']
    """
    number = number_of(text)
    if number is not None:
        return (0, number, text)
    parts = re.split(r"(\d+)", text.casefold())
    return (1, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], text)


def _as_array(raw: Sequence[object] | np.ndarray, where: str) -> np.ndarray:
    """Numbers or text as a plain array; sets of labels of one example (lists) as an object array."""
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
                f"{where}: a label has {len(longest)} characters ({longest[:40]!r}...); is this the label?"
            )
        return np.array(texts)
    values = np.array(raw) if raw else np.zeros(0)
    if values.dtype.kind not in "iufb":
        raise TargetError(f"{where}: a label must be text, a number or a list of labels; came {_type_names(kinds)}.")
    return values


def _as_sets(raw: Sequence[object], where: str) -> np.ndarray:
    """Each example's labels as a tuple, None where they or one of them is missing."""
    column = np.empty(len(raw), dtype=object)
    for row, value in enumerate(raw):
        if value is not None and (isinstance(value, str) or not isinstance(value, Collection)):
            raise TargetError(f"{where}: some labels are lists and others are not ({value!r}); make each one a list.")
        if value is not None and not any(map(is_missing, value)):
            column[row] = tuple(decoded(name, where) for name in value)
    return column


def _type_names(kinds: set[type]) -> str:
    return ", ".join(sorted(kind.__name__ for kind in kinds))


def _is_table(raw: Sequence[object] | np.ndarray) -> bool:
    """Rows of numbers, all equally long (as opposed to sets of names)."""
    rows = [np.asarray(value) for value in raw if value is not None]
    return len(rows) == len(raw) and len({row.shape for row in rows}) == 1 and rows[0].dtype.kind in "iufb"


def _refuse_missing(values: np.ndarray, where: str, ids: Sequence[str]) -> None:
    if len(values) == 0:
        raise TargetError(f"{where}: there are no examples.")
    if values.dtype.kind == "f":
        missing = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    elif values.dtype.kind == "U":
        missing = np.char.strip(values).reshape(len(values), -1) == ""
        missing = missing.any(axis=1)
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


def _classification(values: np.ndarray, where: str, task: Task | None, classes: Sequence[str] | None) -> Labels:
    if values.dtype.kind == "U":
        values = np.char.strip(values)
    if classes is not None:
        return _coded_by_name(values, where, classes)
    if values.dtype.kind == "f":  # whole: 1.0 and 1 are one class
        values = values.astype(np.int64) if _is_whole(values) else values
    found, codes = np.unique(values, return_inverse=True)
    names = [str(name) for name in found]
    order = sorted(range(len(names)), key=lambda i: natural_key(names[i]))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    notes = class_notes(names, place[codes], where, order, task)
    return Labels("classification", place[codes], tuple(names[i] for i in order), notes)


def _coded_by_name(values: np.ndarray, where: str, classes: Sequence[str]) -> Labels:
    """Whole numbers that index known class names, or the names themselves; classes without an example are left out."""
    if values.dtype.kind == "U" and set(values.tolist()) <= set(classes):
        found, inverse = np.unique(values, return_inverse=True)
        values = np.array([list(classes).index(name) for name in found])[inverse]
    if not _is_whole(values) or values.min() < 0 or values.max() >= len(classes):
        raise TargetError(
            f"{where}: labels must be 0 to {len(classes) - 1}, one per class name, or those names; came "
            f"{_span(values)}."
        )
    codes = values.astype(np.int64)
    used, codes = np.unique(codes, return_inverse=True)
    names = [str(classes[code]) for code in used]
    if len(set(names)) < len(names):
        names = [f"{name} ({code})" for name, code in zip(names, used, strict=True)]
    lonely = [names[code] for code in np.flatnonzero(np.bincount(codes) == 1)]
    unused = len(classes) - len(used)
    notes = (f"{unused} of {len(classes)} classes have no example and are left out",) if unused else ()
    return Labels("classification", codes.astype(np.int64), tuple(names), (*notes, *lonely_note(lonely)))


def _from_rows(values: np.ndarray, where: str, task: Task | None, classes: Sequence[str] | None) -> Labels:
    """A row of 0/1 per example: one class each if every row has exactly one 1, else several."""
    if values.ndim == 2 and _is_binary(values) and (values.sum(axis=1) == 1).all():
        labels = _coded_by_name(values.argmax(axis=1), where, _column_names(values, where, classes))
        note = f"{where}: every row holds exactly one 1, taken as one class each; else pass task='multi-label'"
        return Labels(labels.task, labels.values, labels.classes, (note, *labels.notes))
    if task == "classification":
        raise TargetError(f"{where}: classification needs one label per example; came shape {values.shape}.")
    return _multi_label(values, where, task, classes)


def _multi_label(values: np.ndarray, where: str, task: Task | None, classes: Sequence[str] | None) -> Labels:
    if task not in (None, "multi-label"):
        raise TargetError(
            f"{where} holds several labels per example, which does not fit task={task!r}; pass 'multi-label'."
        )
    if values.dtype.kind in "iufb" and values.ndim == 2:
        if not _is_binary(values):
            raise TargetError(f"{where}: several columns of labels must hold only 0 and 1; came {_span(values)}.")
        return Labels("multi-label", values.astype(np.int64), _column_names(values, where, classes), ())
    sets, notes = _label_sets(values, where)
    names = tuple(sorted({name for row in sets for name in row}, key=natural_key))
    column = {name: i for i, name in enumerate(names)}
    coded = np.zeros((len(sets), len(names)), dtype=np.int64)
    for row, held in enumerate(sets):
        coded[row, [column[name] for name in held]] = 1
    return Labels("multi-label", coded, names, notes)


def _column_names(values: np.ndarray, where: str, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the columns of 0/1."""
    if classes is None:
        return tuple(str(column) for column in range(values.shape[1]))
    if len(classes) != values.shape[1]:
        raise TargetError(f"{where}: {values.shape[1]} columns of labels but {len(classes)} class names; name each.")
    return tuple(str(name) for name in classes)


def _label_sets(values: np.ndarray, where: str) -> tuple[list[set[str]], tuple[str, ...]]:
    """The labels of each example as a set of names: from lists, or from text cut at the separator it uses."""
    if values.dtype == object:
        return [{str(name).strip() for name in row} for row in values], ()
    texts = [str(value) for value in values]
    separator = next((mark for mark in SEPARATORS if any(mark in text for text in texts)), None)
    if separator is None:
        raise TargetError(f"{where}: no example has several labels; put one of {' '.join(SEPARATORS)} between them.")
    sets = [{part.strip() for part in text.split(separator)} - {""} for text in texts]
    return sets, (f"{where}: the labels of one example are cut at `{separator}`",)


def _numbers(values: np.ndarray, where: str, ids: Sequence[str]) -> np.ndarray:
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    numbers = [number_of(str(value)) for value in values.ravel()]
    if None in numbers:
        first = numbers.index(None)
        text, row = str(values.ravel()[first]), ids[first * len(values) // len(numbers)]
        elsewhere = is_amount_elsewhere(text)
        step = "write 1.5 for 1,5, 1000 for 1,000 and 10 for 10%" if elsewhere else "correct it or leave it out"
        raise TargetError(f"{where}: regression needs finite numbers; {row} has {text!r}; {step}.")
    return np.array(numbers, dtype=np.float64).reshape(values.shape)


def _is_real(values: np.ndarray) -> bool:
    """Numbers that are not all whole: amounts, not classes."""
    if values.dtype.kind == "f":
        return not _is_whole(values)
    if values.dtype.kind != "U":
        return False
    numbers = [float_of(str(value)) for value in values.ravel()]
    # one that is not finite is no class among amounts; `_numbers` names it
    finite = [number for number in numbers if number is not None and math.isfinite(number)]
    return None not in numbers and not all(number == int(number) for number in finite)


def _real_note(where: str) -> str:
    return f"{where} holds numbers with a fraction: the task is taken as regression; else pass task='classification'"


def _is_whole(values: np.ndarray) -> bool:
    return values.dtype.kind in "iub" or (values.dtype.kind == "f" and bool((values == np.floor(values)).all()))


def _is_binary(values: np.ndarray) -> bool:
    return values.dtype.kind in "iufb" and bool(np.isin(values, (0, 1)).all())


def _span(values: np.ndarray) -> str:
    return f"{values.min()} to {values.max()}" if values.dtype.kind in "iufb" else repr(str(values.ravel()[0]))


def _refuse_constant(labels: Labels, where: str) -> None:
    if labels.task == "classification" and len(labels.classes) < 2:
        raise TargetError(
            f"{where}: all {len(labels.values)} examples are of the one class `{labels.classes[0]}`; "
            "add examples of at least one other class."
        )
    if labels.task == "multi-label" and not (np.ptp(labels.values, axis=0) > 0).any():
        raise TargetError(f"{where}: all examples hold the same labels; add examples that differ.")
    if labels.task == "regression" and not (np.ptp(labels.values, axis=0) > 0).any():
        raise TargetError(f"{where}: all {len(labels.values)} values are equal; add examples that differ.")
