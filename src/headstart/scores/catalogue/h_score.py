"""H-score, plain and with a shrunk covariance: how much of the features' spread lies between the classes."""

from dataclasses import replace

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.scores._decomposition import largest_first, well_conditioned_factor
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._sums import Sums, whole_and_groups
from headstart.scores._table import SCORES, Measured, Score

NEAR = 1e-8  # ratio of the smallest to the mean eigenvalue below which a Cholesky factor is not trusted


def h_score(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """H-score: trace of the inverse covariance times the covariance of the class means (higher is better).

    tr(cov(f)^+ cov(E[f given y])), both covariances divided by n. It saturates at C - 1 as soon as n <= d + 1: use
    `regularized_h_score` there.

    Returns:
        The score, from 0 to min(C - 1, d).

    Example:
        >>> labels = np.array([0, 0, 1, 1])
        >>> round(h_score(np.array([[-1.0], [-1.0], [1.0], [1.0]]), labels), 9)  # all spread is between classes
        1.0
        >>> h_score(np.array([[-1.0], [1.0], [-1.0], [1.0]]), labels)  # none is
        0.0

    Reference: Bao et al., ICIP 2019, definition 2. https://ieeexplore.ieee.org/document/8803726
    """
    return _measure_plain(Inputs(labels, features=features)).value


def regularized_h_score(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Regularised H-score: the H-score with a Ledoit-Wolf covariance, sound where n is small (higher is better).

    (1 - a) tr(S_a^-1 cov(E[f given y])), S_a = (1 - a) cov(f) + a tr(cov(f)) / d I, with the shrinkage a of Ledoit and
    Wolf. Exact for any n and d.

    Returns:
        The score, from 0 to min(C - 1, d).

    Example:
        >>> round(regularized_h_score(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])), 9)
        1.0

    Reference: Ibrahim, Ponomareva, Mazumder, ECML 2022, eq. 5. https://arxiv.org/abs/2110.06893
    """
    return _measure_regularized(Inputs(labels, features=features)).value


def _by_sums(sums: Sums, penalty: float) -> float:
    """tr((S + penalty)^-1 B'B): S is the scatter, B the centred class means times the roots of the counts."""
    present = sums.y > 0
    if np.isinf(penalty):
        return 0.0
    scatter, between = sums.scatter, sums.products[:, present] / np.sqrt(sums.y[present])
    scatter.flat[:: len(scatter) + 1] += penalty
    factor = well_conditioned_factor(scatter, NEAR)
    if factor is not None:
        explained = (scipy.linalg.solve_triangular(factor, between, lower=True, check_finite=False) ** 2).sum()
    else:  # features that repeat one another or do not vary
        squares, vectors = largest_first(scatter, int(sums.n), len(scatter))
        explained = ((vectors.T @ between) ** 2 / squares[:, None]).sum()
    return float(np.clip(explained, 0.0, min(int(present.sum()) - 1, len(scatter))))


def _by_residuals(maker: ResidualMaker, penalty: float, rows: Int[np.ndarray, " m"]) -> float:
    """The same without `rows`: classes - 1, less what ridge regression leaves of the class indicators."""
    counts = maker.targets.sum(axis=0) - maker.targets[rows].sum(axis=0)
    left, _ = maker.squares_without(maker.centred(penalty), rows, maker.outside_block(rows))
    present = counts > 0
    most = np.count_nonzero(present) - 1
    return float(np.clip(most - (left[present] / counts[present]).sum(), 0.0, most))


def _penalty(fourth: float, second: float, trace: float, n: float, d: int) -> float:
    """The ridge penalty on sums of squares that equals the shrinkage of Ledoit and Wolf; infinite where it is complete.

    From sums over centred examples: fourth powers of their lengths, squared entries of the scatter matrix, its trace.
    Ledoit and Wolf, Journal of Multivariate Analysis 2004, section 3.3, with covariances divided by n.
    """
    if d == 1:
        return 0.0  # one feature is its own target; by the formula, rounding would make 0 / 0 anything up to 1
    spread = max((second / n**2 - (trace / n) ** 2 / d) / d, 0.0)  # of the eigenvalues
    noise = min((fourth / n - second / n**2) / (d * n), spread)
    amount = min(max(noise / spread, 0.0), 1.0) if noise > 0 else 0.0
    return amount / (1 - amount) * trace / d if amount < 1 else float(np.inf)


def _penalty_of_sums(sums: Sums) -> float:
    scatter = sums.scatter
    second, trace = float(np.vdot(scatter, scatter)), float(np.trace(scatter))
    return _penalty(sums.centred_fourth, second, trace, sums.n, len(scatter))


def _penalty_of_gram(gram: Float[np.ndarray, "n n"], squares: float, rows: Int[np.ndarray, " m"], d: int) -> float:
    """The same without `rows`, from the inner products of all centred examples and the sum of their squares."""
    own, kept = gram[rows], np.delete(np.arange(len(gram)), rows)
    sums, n = -own.sum(axis=0)[kept], float(len(kept))  # of each kept row over the kept ones: all together are zero
    total = float(sums.sum())
    lengths = np.diagonal(gram)[kept] - 2 * sums / n + total / n**2  # from the mean of the kept
    second = squares - 2 * float((own**2).sum()) + float((own[:, rows] ** 2).sum())
    second += (total / n) ** 2 - 2 * float(sums @ sums) / n
    return _penalty(float(lengths @ lengths), second, float(lengths.sum()), n, d)


def _measure(inputs: Inputs, shrunk: bool) -> Measured:
    n, d = inputs.features.shape
    values = []
    if n - inputs.largest_group > d:
        _, whole, own = whole_and_groups(inputs)
        for group in range(-1, inputs.group_count):
            sums = whole if group < 0 else whole - own(group)
            values.append(_by_sums(sums, _penalty_of_sums(sums) if shrunk else 0.0))
    else:
        maker, points = residual_maker(inputs), inputs.decomposition.reduced
        gram = points @ points.T if shrunk else np.empty((0, 0))
        squares = float(np.vdot(gram, gram))
        for group in range(-1, inputs.group_count):
            rows = np.flatnonzero(inputs.groups == group) if group >= 0 else np.empty(0, dtype=int)
            penalty = _penalty_of_gram(gram, squares, rows, d) if shrunk else 0.0
            values.append(_by_residuals(maker, penalty, rows))
    return Measured(values[0], None if inputs.groups is None else np.array(values[1:]))


def _measure_plain(inputs: Inputs) -> Measured:
    n, d = inputs.features.shape
    notes = (f"saturated: {n} examples in {d} dimensions; see regularized_h_score",) if n <= d + 1 else ()
    return replace(_measure(inputs, shrunk=False), notes=notes)


def _measure_regularized(inputs: Inputs) -> Measured:
    return _measure(inputs, shrunk=True)


SCORES.add(
    Score(
        title="regularised H-score",
        function=regularized_h_score,
        needs="features",
        low=0.0,
        cost="O(n d min(n, d))",
        meaning="How much of the features' spread lies between the classes, noise in many dimensions discounted.",
        invariances={"order", "names", "scale", "shift", "rotation"},
        default=6,
        measure=_measure_regularized,
    )
)
SCORES.add(
    Score(
        title="H-score",
        function=h_score,
        needs="features",
        low=0.0,
        cost="O(n d min(n, d))",
        meaning="How much of the features' spread lies between the classes; says nothing when examples are few.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure_plain,
    )
)
