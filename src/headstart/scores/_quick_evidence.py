"""The largest evidence straight from features and targets, where no other score asks for a whole decomposition.

With more examples than features it takes sums over examples alone. With fewer, the Gram matrix is brought to three
diagonals by an orthogonal Q; I + F F' / t then factors in one sweep for every t, so no eigenvalue is computed.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg

from headstart.scores._checks import block_rows
from headstart.scores._class_sums import class_sums
from headstart.scores._compiled import compiled
from headstart.scores._evidence import ABOVE, BELOW, Evidence, maximum, without_signal
from headstart.scores._scatter import rough_scatter, scatter, takes_float32

REST = 1e-6  # share of a target out of the features' reach below which a difference of squares does not tell it
ROUGH_REST = 1e-2  # the same in float32
ROUGHLY_NEAR = 1e-3  # smallest eigenvalue plus penalty, over the mean eigenvalue, that float32 may be relied on for
LEVEL = 16.0  # how far, in nats, the best penalty may lie below the largest eigenvalue, beside whose rounding it counts
MEAN = 1 - 1e-4  # share of all squares in the mean above which the Gram matrix has lost the digits of the spread


def largest_evidence(
    features: np.ndarray, targets: Float[np.ndarray, "n t"], codes: Int[np.ndarray, " n"] | None
) -> Float[np.ndarray, " t"] | None:
    """Largest log evidence of each target, or None where only the decomposition has the digits for it.

    Args:
        features: Checked features.
        targets: One column for each target.
        codes: The classes whose 0/1 columns the targets are, where they are.
    """
    if len(features) <= features.shape[1]:
        return _by_three_diagonals(features, targets)
    sums = _sums(features, targets) if codes is None else class_sums(features, codes, targets.shape[1])
    mean = (_sums(features, np.ones((len(features), 1)))[0] if codes is None else sums.sum(axis=0)) / len(features)
    if takes_float32(features):
        found = _by_sums(rough_scatter(features, mean), sums, mean, targets, rough=True)
        if found is not None:
            return found
    return _by_sums(scatter(features, mean), sums, mean, targets, rough=False)


def _sums(features: np.ndarray, targets: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "t d"]:
    """Sums of the features weighed by each target."""
    total = np.zeros((targets.shape[1], features.shape[1]))
    step = block_rows(features)
    for start in range(0, len(features), step):
        total += targets[start : start + step].T @ features[start : start + step].astype(np.float64, copy=False)
    return total


def _by_sums(
    total: Float[np.ndarray, "d d"],
    sums: Float[np.ndarray, "t d"],
    mean: Float[np.ndarray, " d"],
    targets: Float[np.ndarray, "n t"],
    *,
    rough: bool,
) -> Float[np.ndarray, " t"] | None:
    n, d = len(targets), len(total)
    masses, lengths = targets.sum(axis=0), (targets**2).sum(axis=0)
    squares, right = linalg.eigh(total, overwrite_a=True, check_finite=False, driver="evd")
    least, middle, top = float(squares[0]), float(squares.mean()), max(float(squares[-1]), 0.0)
    used = squares > max(n, d) * np.finfo(np.float64).eps * top
    squares, right = squares[used], right[:, used]
    inside = right.T @ (sums - masses[:, None] * mean).T / np.sqrt(squares)[:, None]
    ones = masses / np.sqrt(n)
    outside = lengths - (inside**2).sum(axis=0) - ones**2
    if (outside < (ROUGH_REST if rough else REST) * lengths).any():
        return None
    along = right.T @ mean
    apart = max(0.0, float(mean @ mean - along @ along)) if len(squares) < d else 0.0
    if apart < 1e-14 * float(mean @ mean):  # nothing but rounding
        apart = 0.0
    top += n * float(mean @ mean)
    found, log_penalties = maximum(Evidence(n, squares, along, apart, inside, ones, outside, lengths, top))
    if rough and least + np.exp(log_penalties.min()) < ROUGHLY_NEAR * middle:
        return None
    return found


@dataclass(frozen=True, eq=False)
class ThreeDiagonals:
    """The evidence of t targets from Q' F F' Q, which has three diagonals, and Q' times the targets."""

    diagonal: Float[np.ndarray, " n"]
    beside: Float[np.ndarray, " m"]  # n - 1 entries
    targets: Float[np.ndarray, "t n"]
    lengths: Float[np.ndarray, " t"]

    @property
    def n(self) -> int:
        """How many examples there are."""
        return len(self.diagonal)

    def bounds(self) -> tuple[float, float] | None:
        """From the rounding of the largest eigenvalue, or a little more, to far above it."""
        beside = np.abs(self.beside)
        top = float((np.abs(self.diagonal) + np.append(beside, 0.0) + np.append(0.0, beside)).max())
        return (np.log(top) - BELOW, np.log(top) + ABOVE) if top > 0 else None

    def on_grid(self, log_penalties: Float[np.ndarray, " g"]) -> Float[np.ndarray, "g t"]:
        """One factor for each penalty."""
        shape = (len(log_penalties), len(self.targets))
        columns = np.tile(np.arange(shape[1]), shape[0])
        return self._evaluate(np.repeat(log_penalties, shape[1]), columns, False)[0].reshape(shape)

    def with_slope(
        self, log_penalties: Float[np.ndarray, " k"], columns: Int[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """One factor for each target."""
        return self._evaluate(log_penalties, columns, True)

    def _evaluate(self, log_penalties: np.ndarray, columns: np.ndarray, sloped: bool) -> tuple[np.ndarray, np.ndarray]:
        sums = np.empty((len(columns), 4))
        _sweep(self.diagonal, self.beside, self.targets, np.exp(log_penalties), columns, sloped, sums)
        residual, squares, log_determinant, trace = sums.T
        slope = self.n - trace - self.n * (residual - squares) / residual
        return without_signal(self.n, residual) - log_determinant / 2, slope / 2


def _by_three_diagonals(features: np.ndarray, targets: Float[np.ndarray, "n t"]) -> Float[np.ndarray, " t"] | None:
    """Features no fewer than examples."""
    n, wide = len(targets), features.astype(np.float64)
    mean = wide.mean(axis=0)
    gram = wide @ wide.T
    del wide
    if n < 3 or n * float(mean @ mean) > MEAN * float(np.trace(gram)):
        return None
    work = int(linalg.lapack.dsytrd_lwork(n, lower=1)[0])
    reflectors, diagonal, beside, scales, _ = linalg.lapack.dsytrd(gram.T, lower=1, lwork=work, overwrite_a=1)
    turned = np.array(targets, order="F")  # Q leaves the first entry, and is a product of reflectors on the others
    inner = np.asfortranarray(reflectors[1:, :-1])
    turned[1:] = linalg.lapack.dormqr("L", "T", inner, scales, turned[1:], max(64, 64 * targets.shape[1]))[0]
    curves = ThreeDiagonals(diagonal, beside, np.ascontiguousarray(turned.T), (targets**2).sum(axis=0))
    found, log_penalties = maximum(curves)
    ends = curves.bounds()
    return None if ends is None or log_penalties.min() < ends[0] + BELOW - LEVEL else found


@compiled
@no_type_check
def _sweep(diagonal, beside, targets, penalties, columns, sloped, sums):
    """For A = (I + T / penalty)^-1 and each target y: y'Ay, y'AAy, log det A^-1 and the trace of A, into `sums`.

    A^-1 = L D L'; D from above and from below together give the diagonal of A. Equal neighbouring penalties share them.
    """
    n = diagonal.size
    pivots, links, solved = np.empty(n), np.zeros(n), np.empty(n)
    log_determinant, trace, last = 0.0, 0.0, -1.0
    for one in range(columns.size):
        penalty = penalties[one]
        if penalty != last:
            last = penalty
            pivots[0] = 1.0 + diagonal[0] / penalty
            product, log_determinant = pivots[0], 0.0
            for i in range(1, n):
                off = beside[i - 1] / penalty
                links[i] = off / pivots[i - 1]
                pivots[i] = max(1.0, 1.0 + diagonal[i] / penalty - links[i] * off)  # below one is rounding
                product *= pivots[i]
                if product > 1e200:
                    log_determinant += np.log(product)
                    product = 1.0
            log_determinant += np.log(product)
            trace = 0.0
            if sloped:
                pivot = 1.0 + diagonal[n - 1] / penalty
                trace = 1.0 / pivots[n - 1]
                for i in range(n - 2, -1, -1):
                    off = beside[i] / penalty
                    own = 1.0 + diagonal[i] / penalty
                    pivot = max(1.0, own - off * off / pivot)
                    trace += 1.0 / (pivots[i] + pivot - own)
        row = targets[columns[one]]
        inside, squares, before = 0.0, 0.0, 0.0
        for i in range(n):
            before = row[i] - links[i] * before
            solved[i] = before
            inside += before * before / pivots[i]
        if sloped:
            after = 0.0
            for i in range(n - 1, -1, -1):
                after = solved[i] / pivots[i] - (links[i + 1] * after if i + 1 < n else 0.0)
                squares += after * after
        sums[one, 0], sums[one, 1] = inside, squares
        sums[one, 2], sums[one, 3] = log_determinant, trace
