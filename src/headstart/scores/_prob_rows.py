"""Rows of probabilities, a block at a time, from probabilities or logits, at a temperature."""

from dataclasses import dataclass, replace

import numpy as np

from headstart.errors import InputError

BLOCK_BYTES = 1 << 20
COOLEST = 1e-3  # below this only 0, the limit, is allowed: the exponentials would say no more


@dataclass(frozen=True, eq=False)
class ProbRows:
    """A (n, z) array read as non-negative rows that are proportional to distributions.

    A block is made when it is asked for and never kept, so that an array on disk, or the softmax of one, needs no
    memory of its size.
    """

    array: np.ndarray  # (n, z) checked probs or logits
    logits: bool = False
    temperature: float = 1.0  # the logits (log probs) are divided by it; 0 puts all mass on the largest
    index: np.ndarray | None = None  # the rows of the array that count, in this order; None: all

    def __post_init__(self) -> None:
        if not (self.temperature == 0 or self.temperature >= COOLEST) or not np.isfinite(self.temperature):
            raise InputError(f"`temperature` must be 0 or from {COOLEST} up, and finite; got {self.temperature}.")

    @property
    def n(self) -> int:
        return self.array.shape[0] if self.index is None else len(self.index)

    @property
    def z(self) -> int:
        return int(self.array.shape[1])

    @property
    def as_given(self) -> bool:
        """Whether rows are the caller's own probabilities, which must sum to one."""
        return not self.logits and self.temperature == 1

    @property
    def step(self) -> int:
        """Rows in one block: few enough to stay in the processor's cache between two uses."""
        return max(1, BLOCK_BYTES // (self.z * max(4, self.array.dtype.itemsize)))

    def slices(self) -> list[slice]:
        """Slices of neighbouring rows that cover all, one for each block."""
        return [slice(start, min(start + self.step, self.n)) for start in range(0, self.n, self.step)]

    def at(self, temperature: float) -> "ProbRows":
        """The same rows at another temperature."""
        return replace(self, temperature=temperature)

    def only(self, kept: np.ndarray) -> "ProbRows":
        """The rows with these numbers, without a copy of them."""
        return replace(self, index=kept if self.index is None else self.index[kept])

    def given(self, which: slice | np.ndarray) -> np.ndarray:
        """Those rows of the array as they are."""
        return np.asarray(self.array[which if self.index is None else self.index[which]])

    def block(self, which: slice | np.ndarray) -> np.ndarray:
        """Those rows as contiguous float32 or float64; a view where nothing has to change."""
        rows = self.given(which)
        precision = np.float32 if rows.dtype.itemsize <= 4 else np.float64
        if self.as_given:
            return np.ascontiguousarray(rows, dtype=precision)
        if self.temperature == 0:
            return _one_hot(np.argmax(rows, axis=1), self.z)
        values = self.logs(which)
        np.divide(values, precision(self.temperature), out=values)
        return np.asarray(np.exp(values, out=values))

    def logs(self, which: slice | np.ndarray) -> np.ndarray:
        """Log probabilities of those rows up to a constant, the largest of each row being zero; no temperature."""
        rows = self.given(which)
        precision = np.float32 if rows.dtype.itemsize <= 4 else np.float64
        if self.logits:
            values = rows.astype(precision)
        else:
            with np.errstate(divide="ignore"):  # log 0 = -inf is meant: no mass stays no mass
                values = np.log(rows, dtype=precision)
        return np.asarray(np.subtract(values, values.max(axis=1, keepdims=True), out=values))


def _one_hot(columns: np.ndarray, z: int) -> np.ndarray:
    rows = np.zeros((len(columns), z), dtype=np.float32)
    rows[np.arange(len(columns)), columns] = 1
    return rows
