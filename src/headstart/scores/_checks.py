"""Every check of a caller's arrays, in one place: the scores call these once and trust the result."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from headstart.errors import InputError
from headstart.tasks import task_of
from headstart.tasks.values import is_float, is_number

BLOCK_BYTES = 8 << 20  # arrays are walked in blocks of this size, so that a memory map is never held whole
LARGEST = 1e100  # squares and sums of squares of features below this stay finite in float64


class NotApplicableError(InputError):
    """The score cannot be computed on these inputs, though others may be; the text says why."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Class labels as codes 0..C-1, whatever their names were."""

    codes: np.ndarray  # (n,) int64
    classes: np.ndarray  # (C,) the labels as given, sorted
    counts: np.ndarray  # (C,) examples per class, all at least 1

    def counts_without(self, groups: np.ndarray) -> np.ndarray:
        """(G, C) examples of each class outside each group, `groups` being codes."""
        inside = np.zeros((int(groups.max()) + 1, len(self.classes)), dtype=np.int64)
        np.add.at(inside, (groups, self.codes), 1)
        return self.counts - inside


def block_rows(array: np.ndarray, itemsize: int = 8) -> int:
    """How many rows of a 2-D `array` make one block when each entry takes `itemsize` bytes."""
    return int(max(1, BLOCK_BYTES // (max(1, array.shape[1]) * itemsize)))


def check_labels(labels: ArrayLike, n: int | None = None) -> Labels:
    """Class labels of any integers or strings, gaps allowed."""
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InputError(f"`labels` must have shape (n,), one class per example; got {array.shape}.")
    _check_length("labels", len(array), n)
    if array.dtype == object:
        array = _plain(array)
    if is_float(array):
        if not np.isfinite(array).all():
            raise InputError(f"`labels[{_first(~np.isfinite(array))}]` is missing (nan or inf); drop such examples.")
        if not (array == np.round(array)).all():
            raise InputError(
                f"class `labels` must be integers or strings; `labels[{_first(array != np.round(array))}]` is a "
                'fraction. For numeric targets pass task="regression" to a score that takes it.'
            )
    elif array.dtype.kind not in "iubUS":
        raise InputError(f"class `labels` must be integers or strings; got dtype {array.dtype}.")
    classes, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise InputError(
            f"`labels` holds {len(classes)} class over {len(array)} examples; a score compares at least two classes."
        )
    return Labels(codes.astype(np.int64, copy=False), classes, counts)


def check_targets(labels: ArrayLike, task: str, n: int | None = None) -> np.ndarray:
    """Labels of any task as float64 columns (n, t): one-hot classes, regression targets or 0/1 indicators."""
    kind = task_of(task)
    if kind.single_class:
        checked = check_labels(labels, n)
        return np.asarray(np.eye(len(checked.classes))[checked.codes])
    array = np.asarray(labels)
    if array.ndim not in (1, 2) or not is_number(array):
        raise InputError(
            f"{task} `labels` must be numbers of shape (n,) or (n, t); got {array.dtype} of shape {array.shape}."
        )
    _check_length("labels", len(array), n)
    columns = array.reshape(len(array), -1).astype(np.float64)
    if not np.isfinite(columns).all():
        row = _first(~np.isfinite(columns).all(axis=1))
        raise InputError(f"`labels[{row}]` is missing (nan or inf); drop such examples.")
    if kind.takes_sets and not np.isin(columns, (0.0, 1.0)).all():
        row = _first(~np.isin(columns, (0.0, 1.0)).all(axis=1))
        raise InputError(f"{task} `labels` must be 0 or 1; row {row} holds another value.")
    constant = np.flatnonzero((columns == columns[:1]).all(axis=0))
    if constant.size:
        raise InputError(
            f"column {constant[0]} of `labels` is the same for every example ({constant.size} of {columns.shape[1]} "
            "columns); there is nothing to tell apart. Drop such columns."
        )
    return columns


def check_features(features: ArrayLike, n: int | None = None) -> np.ndarray:
    """A finite (n, d) array of real numbers; floats of at most 64 bits keep their dtype and are not copied."""
    array = _check_matrix("features", features, n)
    step = block_rows(array)
    for start in range(0, len(array), step):
        largest = np.abs(array[start : start + step]).max(axis=1).astype(np.float64)
        good = largest < LARGEST  # False for nan
        if not good.all():
            row = _first(~good)
            what = f"{largest[row]:.3g}, too large to square" if np.isfinite(largest[row]) else "nan or inf"
            raise InputError(
                f"`features` must be finite; row {start + row} holds {what}. "
                "Drop the example, or find what overflows in the network."
            )
    return array


def check_logits(logits: ArrayLike, n: int | None = None) -> np.ndarray:
    """A finite (n, z) array of logits; the same checks as for features, and that they are no probabilities."""
    array = _check_matrix("logits", logits, n)
    step = block_rows(array)
    distributions, soft = array.shape[1] > 1, False
    for start in range(0, len(array), step):
        block = array[start : start + step]
        bad = np.isnan(block).any(axis=1) | (block == np.inf).any(axis=1) | (block == -np.inf).all(axis=1)
        if bad.any():
            raise InputError(
                f"`logits` must be finite; row {start + _first(bad)} holds nan or inf. "
                "Drop the example, or find what overflows in the network."
            )
        if distributions:
            sums, tolerance = block.sum(axis=1, dtype=np.float64), _tolerance(array)
            distributions = bool((block >= 0).all() and (np.abs(sums - 1.0) <= tolerance).all())
            soft = soft or bool((sums > block.max(axis=1)).any())  # rows of 0 and a single 1 may be anything
    if distributions and soft:
        raise InputError(
            "every row of `logits` is a distribution: entries from 0 to 1 that sum to 1. These are probabilities; "
            "pass them as `probs`."
        )
    return array


def check_probs(probs: ArrayLike, n: int | None = None) -> np.ndarray:
    """A (n, z) array whose rows are distributions; floats of at most 64 bits keep their dtype and are not copied."""
    array = _check_matrix("probs", probs, n)
    tolerance, step = _tolerance(array), block_rows(array)
    for start in range(0, len(array), step):
        block = array[start : start + step]
        sums, lowest = block.sum(axis=1, dtype=np.promote_types(block.dtype, np.float32)), block.min(axis=1)
        good = (np.abs(sums - 1.0) <= tolerance) & (lowest >= 0)  # False for nan
        if not good.all():
            row = _first(~good)
            failed = f"({np.count_nonzero(~good)} of the {len(sums)} rows read so far fail)"
            if not np.isfinite(sums[row]):
                raise InputError(
                    f"`probs` must be finite; row {start + row} holds nan or inf {failed}. "
                    "Drop the example, or find what overflows in the network."
                )
            what = f"sums to {sums[row]:.3g}" if lowest[row] >= 0 else f"has a negative entry ({lowest[row]:.3g})"
            raise InputError(
                f"each row of `probs` must be a distribution; row {start + row} {what} {failed}. "
                "If these are logits, pass softmax(logits)."
            )
    return array


def _tolerance(array: np.ndarray) -> float:
    """How far the sum of a row of probabilities may be from one."""
    return 1e-2 if array.dtype == np.float16 else 1e-3


def check_groups(groups: ArrayLike, n: int) -> np.ndarray:
    """Group of each example as codes 0..G-1, G at least 2."""
    array = np.asarray(groups)
    if array.shape != (n,):
        raise InputError(f"`groups` must have shape ({n},), one group per example; got {array.shape}.")
    if array.dtype.kind not in "iubUS":
        raise InputError(f"`groups` must be integers or strings; got dtype {array.dtype}.")
    names, codes = np.unique(array, return_inverse=True)
    if len(names) < 2:
        raise InputError("`groups` holds one group only; leaving it out would leave nothing. Give at least two.")
    return codes.astype(np.int64, copy=False)


def _check_matrix(name: str, value: ArrayLike, n: int | None) -> np.ndarray:
    array = np.asanyarray(value)  # a memory map stays one
    if array.ndim != 2:
        raise InputError(f"`{name}` must have two axes, one row per example; got shape {array.shape}.")
    if not is_number(array):
        raise InputError(f"`{name}` must hold real numbers; got dtype {array.dtype}.")
    if 0 in array.shape:
        raise InputError(f"`{name}` is empty: shape {array.shape}. It needs at least one row and one column.")
    _check_length(name, len(array), n, given=True)
    readable = is_float(array) and array.dtype.itemsize <= 8  # no compiled loop knows a longer float
    return array if readable else array.astype(np.float64)


def _check_length(name: str, length: int, n: int | None, given: bool = False) -> None:
    if n is None or length == n:
        if length == 0:
            raise InputError(f"`{name}` is empty; it needs at least one example.")
        return
    other = "`labels`" if given else "the other array"
    raise InputError(f"`{name}` has {length} rows and {other} {n}; both must describe the same examples, in one order.")


def _plain(array: np.ndarray) -> np.ndarray:
    """An object array as strings or numbers, if all entries are of one kind."""
    missing = np.array([value is None or value != value for value in array], dtype=bool)
    if missing.any():
        raise InputError(f"`labels[{_first(missing)}]` is missing; drop such examples.")
    kinds = {str if isinstance(value, str) else int if isinstance(value, int | np.integer) else None for value in array}
    if len(kinds) != 1 or None in kinds:
        raise InputError("class `labels` must be all integers or all strings; got a mix. Convert them to one kind.")
    return np.array(array.tolist())


def _first(mask: ArrayLike) -> int:
    return int(np.flatnonzero(mask)[0])
