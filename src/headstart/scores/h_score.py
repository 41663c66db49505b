"""H-score, plain and with a shrunk covariance: how much of the features' spread lies between the classes."""

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import linalg

from headstart.scores._checks import Labels, check_features, check_labels
from headstart.scores._class_sums import class_sums
from headstart.scores._decomposition import decompose
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._scatter import centred_blocks, rough_scatter, scatter, takes_float32, well_conditioned_factor
from headstart.scores._shrinkage import penalties, penalty, penalty_from
from headstart.scores._table import CLASSIFICATION, Measured, Score
from headstart.scores._threads import one_matrix_thread

NEAR = 1e-8  # smallest over mean eigenvalue, about, below which a Cholesky factor is not relied on
ROUGHLY_NEAR = 1e-3  # the same for a scatter matrix that is off by millionths of its mean variance


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
    checked = check_labels(labels)
    array = check_features(features, len(checked.codes))
    value = _by_solving(array, checked)
    if value is None:
        value = _between(_maker(array, checked), 0.0)
    return value


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
    checked = check_labels(labels)
    array = check_features(features, len(checked.codes))
    value = _regularized_by_solving(array, checked)
    if value is None:
        maker = _maker(array, checked)
        value = _between(maker, penalty(maker.parts))
    return value


def _maker(features: np.ndarray, labels: Labels) -> ResidualMaker:
    return ResidualMaker(decompose(features), np.eye(len(labels.classes))[labels.codes])


def _by_solving(features: np.ndarray, labels: Labels) -> float | None:
    """The plain score by one Cholesky factor of the smaller Gram matrix, None where that is too near to singular.

    With as many independent directions as centred examples can have, the classes are explained without a rest.
    """
    n, d = features.shape
    mean, between = _means(features, labels)
    if n <= d:
        factor = well_conditioned_factor(_gram(features - mean), NEAR)
        return None if factor is None else float(len(between) - 1)
    if takes_float32(features):
        value = _trace(rough_scatter(features, mean), between, mean, ROUGHLY_NEAR)
        if value is not None:
            return value
    return _trace(scatter(features, mean), between, mean, NEAR)


def _regularized_by_solving(features: np.ndarray, labels: Labels) -> float | None:
    """The regularised score by one Cholesky factor, None where examples are few or the rest is too near to singular."""
    n, d = features.shape
    if n <= d:
        return None
    mean, between = _means(features, labels)
    total, fourth = np.zeros((d, d)), 0.0
    for _, centred in centred_blocks(features, mean):
        total += centred.T @ centred
        fourth += float(np.square(np.einsum("ij,ij->i", centred, centred)).sum())
    amount = penalty_from(fourth, float((total**2).sum()), float(np.trace(total)), n, d)
    if np.isinf(amount):
        return 0.0
    total[np.diag_indices(d)] += amount
    return _trace(total, between, mean, NEAR)


def _means(features: np.ndarray, labels: Labels) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "C d"]]:
    """The mean, and how far each class mean is from it, times the root of the class's size."""
    sums = class_sums(features, labels.codes, len(labels.counts))
    mean = sums.sum(axis=0) / len(features)
    return mean, (sums - labels.counts[:, None] * mean) / np.sqrt(labels.counts)[:, None]


def _gram(centred: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """The Gram matrix, with spread given to the vector of ones, along which centred examples have none."""
    gram = centred @ centred.T
    gram += np.trace(gram) / len(gram) ** 2
    return gram


def _trace(
    total: Float[np.ndarray, "d d"], between: Float[np.ndarray, "C d"], mean: Float[np.ndarray, " d"], near: float
) -> float | None:
    """tr(total^-1 between' between), constant features left out; None where `total` is too near to singular."""
    vary = np.diagonal(total) > len(total) * (1e-12 * mean) ** 2
    if not vary.all():
        total, between = total[np.ix_(vary, vary)], between[:, vary]
    if not vary.any():
        return 0.0
    factor = well_conditioned_factor(total, near)
    if factor is None:
        return None
    inside = linalg.solve_triangular(factor, between.T, lower=True, check_finite=False)
    return float(np.clip((inside**2).sum(), 0.0, min(len(between) - 1, len(total))))


def _between(maker: ResidualMaker, penalty: float) -> float:
    """The trace, by way of the residuals of the class indicators: C - 1 minus what ridge regression leaves of them."""
    spectrum = maker.centred(penalty)
    counts = maker.targets.sum(axis=0)
    left = (maker.squares(spectrum) / counts).sum()
    return float(np.clip(len(counts) - 1 - left, 0.0, min(len(counts) - 1, len(maker.parts.squares))))


def _deleted(maker: ResidualMaker, groups: Int[np.ndarray, " n"], penalties: Float[np.ndarray, " g"]) -> np.ndarray:
    """The score without each group, exactly, each at its own penalty."""
    values = np.empty(len(penalties))
    for group, amount in enumerate(penalties):
        rows = np.flatnonzero(groups == group)
        counts = maker.targets.sum(axis=0) - maker.targets[rows].sum(axis=0)
        left, _ = maker.squares_without(maker.centred(float(amount)), rows, maker.outside_block(rows))
        present = counts > 0
        most = np.count_nonzero(present) - 1
        values[group] = np.clip(most - (left[present] / counts[present]).sum(), 0.0, most)
    return values


def _measure_plain(inputs: Inputs) -> Measured:
    n, d = inputs.features.shape
    maker = residual_maker(inputs)
    notes = (f"saturated: {n} examples in {d} dimensions; see regularized_h_score",) if n <= d + 1 else ()
    if inputs.groups is None:
        return Measured(_between(maker, 0.0), None, notes)
    with one_matrix_thread():
        deleted = _deleted(maker, inputs.groups, np.zeros(inputs.group_count))
    return Measured(_between(maker, 0.0), deleted, notes)


def _measure_regularized(inputs: Inputs) -> Measured:
    maker = residual_maker(inputs)
    value = _between(maker, penalty(inputs.decomposition))
    if inputs.groups is None:
        return Measured(value)
    amounts = penalties(inputs.decomposition, inputs.groups)
    with one_matrix_thread():
        return Measured(value, _deleted(maker, inputs.groups, amounts))


ROWS = (
    Score(
        name="regularized_h_score",
        title="regularised H-score",
        function=regularized_h_score,
        needs="features",
        tasks=CLASSIFICATION,
        low=0.0,
        high=np.inf,
        cost="O(n d min(n, d))",
        citation="Ibrahim, Ponomareva, Mazumder, ECML 2022, eq. 5, https://arxiv.org/abs/2110.06893",
        meaning="How much of the features' spread lies between the classes, noise in many dimensions discounted.",
        invariances=frozenset({"order", "names", "scale", "shift", "rotation"}),
        default=True,
        measure=_measure_regularized,
    ),
    Score(
        name="h_score",
        title="H-score",
        function=h_score,
        needs="features",
        tasks=CLASSIFICATION,
        low=0.0,
        high=np.inf,
        cost="O(n d min(n, d))",
        citation="Bao et al., ICIP 2019, definition 2, https://ieeexplore.ieee.org/document/8803726",
        meaning="How much of the features' spread lies between the classes; says nothing when examples are few.",
        invariances=frozenset({"order", "names", "unused", "scale", "shift", "rotation"}),
        measure=_measure_plain,
    ),
)
