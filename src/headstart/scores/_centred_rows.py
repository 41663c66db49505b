"""Rows of probabilities whose source classes all weigh alike: each class's mean log probability is taken out first."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from headstart.scores import _kernels
from headstart.scores._head_counts import HeadCounts
from headstart.scores._prob_rows import ProbRows


@dataclass(frozen=True, eq=False)
class CentredRows(ProbRows):
    """Rows with `centre` taken from the logits (log probabilities) before the temperature divides them."""

    centre: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (z,)

    @property
    def as_given(self) -> bool:
        """Never: the rows are not the caller's own."""
        return False

    def block(self, which: slice | np.ndarray) -> np.ndarray:
        """Those rows as float32 or float64, proportional to distributions."""
        values = relative_logs(self, which)
        np.subtract(values, self.centre.astype(values.dtype), out=values)
        np.subtract(values, values.max(axis=1, keepdims=True), out=values)
        np.divide(values, values.dtype.type(self.temperature), out=values)
        return np.asarray(np.exp(values, out=values))


def centred_rows(rows: ProbRows) -> CentredRows:
    """The rows with each source class's mean logit, over the examples that give it any mass, taken out.

    A source class without mass stays without.
    """
    total, known = np.zeros(rows.z), np.zeros(rows.z)
    for block in rows.slices():
        values = relative_logs(rows, block)
        finite = np.isfinite(values)
        total += np.where(finite, values, 0.0).sum(axis=0, dtype=np.float64)
        known += finite.sum(axis=0)
    centre = total / np.maximum(known, 1.0)
    return CentredRows(rows.array, rows.logits, rows.temperature, rows.index, centre)


def mean_weights(head: HeadCounts) -> Float[np.ndarray, " z"]:
    """Mean weight of the examples in each source class, each counted by its weight there; 0 for a class without mass.

    Kish's effective count of examples in a class is its mass over this, so a prior of one effective example has this
    mass. 1 where the rows are hard, 1 / z where they are flat.
    """
    squares = np.zeros((1, head.rows.z))
    for block in head.rows.slices():
        values = head.rows.block(block)
        scale = head.scale[block]
        _kernels.count_scaled(values * values, np.zeros(len(values), dtype=np.int64), scale * scale, squares)
    return np.asarray(np.divide(squares[0], head.mass, out=np.zeros(head.rows.z), where=head.mass > 0))


def relative_logs(rows: ProbRows, which: slice | np.ndarray) -> np.ndarray:
    """Log probabilities up to a constant of each row, that of the row's largest being zero."""
    given = rows.given(which)
    precision = np.float32 if given.dtype.itemsize <= 4 else np.float64
    if rows.logits:
        values = given.astype(precision)
    else:
        with np.errstate(divide="ignore"):  # log 0 = -inf is meant: no mass stays no mass
            values = np.log(given, dtype=precision)
    return np.asarray(np.subtract(values, values.max(axis=1, keepdims=True), out=values))
