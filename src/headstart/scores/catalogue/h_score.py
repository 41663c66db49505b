"""H-score, plain and with a shrunk covariance: how much of the features' spread lies between the classes."""

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import linalg

from headstart.scores._decomposition import Decomposition, well_conditioned_factor
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores._threads import one_matrix_thread

NEAR = 1e-8  # ratio of the smallest to the mean eigenvalue below which a Cholesky factor is not trusted
LOST = 1e-9  # eigenvalue below which a direction is gone with the group; all directions of all examples have one


def h_score(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """H-score: trace of the inverse covariance times the covariance of the class means (higher is better).

    tr(cov(f)^+ cov(E[f given y])), both covariances divided by n. It saturates at C - 1 as soon as n <= d + 1: use
    `regularized_h_score` there.

    Args:
        features: What goes into the source's head.
        labels: Target classes; any integers or strings, gaps allowed.

    Returns:
        The score, from 0 to min(C - 1, d).

    Raises:
        InputError: Shapes disagree, `features` is not finite, or fewer than two classes.

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

    Args:
        features: What goes into the source's head.
        labels: Target classes; any integers or strings, gaps allowed.

    Returns:
        The score, from 0 to min(C - 1, d).

    Raises:
        InputError: Shapes disagree, `features` is not finite, or fewer than two classes.

    Example:
        >>> round(regularized_h_score(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])), 9)
        1.0

    Reference: Ibrahim, Ponomareva, Mazumder, ECML 2022, eq. 5. https://arxiv.org/abs/2110.06893
    """
    return _measure_regularized(Inputs(labels, features=features)).value


def _between(maker: ResidualMaker, penalty: float) -> float:
    """The trace, by way of the residuals of the class indicators: C - 1 minus what ridge regression leaves of them."""
    spectrum = maker.centred(penalty)
    counts = maker.targets.sum(axis=0)
    left = (maker.squares(spectrum) / counts).sum()
    return float(np.clip(len(counts) - 1 - left, 0.0, min(len(counts) - 1, len(maker.parts.squares))))


def _deleted(maker: ResidualMaker, groups: Int[np.ndarray, " n"], penalties: Float[np.ndarray, " g"]) -> np.ndarray:
    """The score without each group, exactly, each at its own penalty."""
    without = _by_block if maker.has_small(groups) else _by_sums
    members = [np.flatnonzero(groups == group) for group in range(len(penalties))]
    with one_matrix_thread():
        return np.array([without(maker, rows, float(amount)) for rows, amount in zip(members, penalties, strict=True)])


def _by_block(maker: ResidualMaker, rows: Int[np.ndarray, " m"], penalty: float) -> float:
    counts = maker.targets.sum(axis=0) - maker.targets[rows].sum(axis=0)
    left, _ = maker.squares_without(maker.centred(penalty), rows, maker.outside_block(rows))
    present = counts > 0
    most = np.count_nonzero(present) - 1
    return float(np.clip(most - (left[present] / counts[present]).sum(), 0.0, most))


def _by_sums(maker: ResidualMaker, rows: Int[np.ndarray, " m"], penalty: float) -> float:
    """tr((S + penalty)^-1 B'B): S is the scatter of the others, B their class means times the roots of the counts."""
    if np.isinf(penalty) or not len(maker.parts.squares):
        return 0.0
    counts = maker.targets.sum(axis=0) - maker.targets[rows].sum(axis=0)
    gram, sums = maker.sums_without(rows)
    mean = sums.sum(axis=1) / counts.sum()
    present = counts > 0
    between = ((sums - np.outer(mean, counts)) / np.sqrt(np.maximum(counts, 1.0)))[:, present]
    gram -= counts.sum() * np.outer(mean, mean)
    gram.flat[:: len(gram) + 1] += penalty / maker.parts.squares
    factor = well_conditioned_factor(gram, NEAR)
    if factor is not None:
        explained = (linalg.solve_triangular(factor, between, lower=True, check_finite=False) ** 2).sum()
    else:  # directions that only the group had
        values, vectors = linalg.eigh(gram, check_finite=False)
        used = values > LOST
        explained = ((vectors[:, used].T @ between) ** 2 / values[used, None]).sum()
    return float(np.clip(explained, 0.0, np.count_nonzero(present) - 1))


def shrinkage_penalty(parts: Decomposition) -> float:
    """The ridge penalty on sums of squares that equals Ledoit and Wolf's shrinkage; infinite where that is complete."""
    lengths = (parts.left**2) @ parts.squares  # (n,) squared distances from the mean
    fourth, second = float((lengths**2).sum()), float((parts.squares**2).sum())
    return _penalty(fourth, second, float(parts.squares.sum()), len(lengths), len(parts.mean))


def _penalties(parts: Decomposition, groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
    """The same for the examples outside each group, centred on their own mean."""
    points, squares, n = parts.reduced, parts.squares, len(parts.left)
    lengths = np.einsum("ij,ij->i", points, points)
    first, second, fourth, along = squares.sum(), (squares**2).sum(), (lengths**2).sum(), lengths @ points
    found = []
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(groups == group)
        own, kept = points[rows], n - len(rows)
        mean = -own.sum(axis=0) / kept  # of the others; the mean of all is 0
        offset, through, spread = mean @ mean, own @ mean, mean**2 @ squares
        gram = own @ own.T if len(rows) <= own.shape[1] else own.T @ own
        trace = first - lengths[rows].sum() - kept * offset
        all_fourth = fourth + 4 * spread + n * offset**2 - 4 * mean @ along + 2 * offset * first
        own_fourth = ((lengths[rows] - 2 * through + offset) ** 2).sum()
        own_second = (gram**2).sum() - 2 * (own**2 @ squares).sum() + 2 * kept * (through**2).sum()
        rest_second = second + own_second + (kept * offset) ** 2 - 2 * kept * spread
        found.append(_penalty(all_fourth - own_fourth, rest_second, trace, kept, len(parts.mean)))
    return np.array(found)


def _penalty(fourth: float, second: float, trace: float, n: int, d: int) -> float:
    """From sums over examples: squared squared lengths; squares of the scatter matrix's entries; its trace.

    Ledoit and Wolf, Journal of Multivariate Analysis 2004, section 3.3, with covariances divided by n.
    """
    if d == 1:
        return 0.0  # one feature is its own target; by the formula, rounding would make 0 / 0 anything up to 1
    spread = max((second / n**2 - (trace / n) ** 2 / d) / d, 0.0)  # of the eigenvalues
    noise = min((fourth / n - second / n**2) / (d * n), spread)
    amount = min(max(noise / spread, 0.0), 1.0) if noise > 0 else 0.0
    return amount / (1 - amount) * trace / d if amount < 1 else float(np.inf)


def _measure_plain(inputs: Inputs) -> Measured:
    n, d = inputs.features.shape
    maker = residual_maker(inputs)
    notes = (f"saturated: {n} examples in {d} dimensions; see regularized_h_score",) if n <= d + 1 else ()
    deleted = None if inputs.groups is None else _deleted(maker, inputs.groups, np.zeros(inputs.group_count))
    return Measured(_between(maker, 0.0), deleted, notes)


def _measure_regularized(inputs: Inputs) -> Measured:
    maker = residual_maker(inputs)
    value = _between(maker, shrinkage_penalty(inputs.decomposition))
    if inputs.groups is None:
        return Measured(value)
    return Measured(value, _deleted(maker, inputs.groups, _penalties(inputs.decomposition, inputs.groups)))


SCORES.add(
    Score(
        title="regularised H-score",
        function=regularized_h_score,
        needs="features",
        low=0.0,
        cost="O(n d min(n, d))",
        citation="Ibrahim, Ponomareva, Mazumder, ECML 2022, eq. 5, https://arxiv.org/abs/2110.06893",
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
        citation="Bao et al., ICIP 2019, definition 2, https://ieeexplore.ieee.org/document/8803726",
        meaning="How much of the features' spread lies between the classes; says nothing when examples are few.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure_plain,
    )
)
