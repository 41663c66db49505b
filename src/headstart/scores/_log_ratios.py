"""Source-class log probabilities as coordinates: what a head says of an example beyond what it says of every one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from headstart.scores._centred_rows import relative_logs
from headstart.scores._class_sums import class_sums
from headstart.scores._prob_rows import ProbRows

ROUNDING = 1e-13  # of the range of the logarithms


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Log probabilities with the mean of each row and of each source class taken out, block by block.

    The first makes them the centred log ratios of a composition, the same from logits as from probabilities; the second
    takes out whatever the head says of all examples alike. Neither looks at the labels.
    """

    rows: ProbRows
    used: Bool[np.ndarray, " z"]  # a source class to which no example gives any mass is left out
    floor: float  # what the logarithm of a zero counts as, the row's largest being zero
    mean: Float[np.ndarray, " k"]  # of each used source class

    def block(self, which: slice | np.ndarray) -> Float[np.ndarray, "b k"]:
        """Those rows in float64; what is only rounding is zero, or a head that says nothing would say a little."""
        values = _row_centred(self.rows, which, self.used, self.floor)
        np.subtract(values, self.mean, out=values)
        values[np.abs(values) < ROUNDING * -self.floor] = 0.0
        return values

    def class_sums(self, codes: np.ndarray, count: int) -> Float[np.ndarray, "c k"]:
        """Sum of the rows of each class, in one sweep."""
        total = np.zeros((count, len(self.mean)))
        for block in self.rows.slices():
            total += class_sums(self.block(block), codes[block], count)
        return total


def log_ratios(rows: ProbRows) -> LogRatios:
    """The coordinates of all rows.

    A zero counts as half the smallest share that any probability has of its row's largest, as is usual for zeros below
    a limit of detection.
    """
    used = np.zeros(rows.z, dtype=bool)
    least = 0.0
    for block in rows.slices():
        values = relative_logs(rows, block)
        finite = np.isfinite(values)
        used |= finite.any(axis=0)
        least = min(least, float(values.min(where=finite, initial=0.0)))
    floor = least - np.log(2.0)
    total = np.zeros(int(used.sum()))
    for block in rows.slices():
        total += _row_centred(rows, block, used, floor).sum(axis=0)
    return LogRatios(rows, used, floor, total / rows.n)


def _row_centred(
    rows: ProbRows, which: slice | np.ndarray, used: Bool[np.ndarray, " z"], floor: float
) -> Float[np.ndarray, "b k"]:
    values = relative_logs(rows, which)
    values = values.astype(np.float64) if used.all() else values[:, used].astype(np.float64)
    np.maximum(values, floor, out=values)
    return np.asarray(np.subtract(values, values.mean(axis=1, keepdims=True), out=values))
