"""TransRate: how many more bits it takes to code all features than to code each class's."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._decomposition import well_conditioned_factor
from headstart.scores._inputs import Inputs
from headstart.scores._sums import in_class_order
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out, subtract_groups
from headstart.scores._threads import one_matrix_thread, over_shares, thread_count

Weights = Literal["frequency", "equal"]
Scale = Literal["none", "rows", "trace"]

EPSILON = 1e-4
LEAST = 1e-6  # mean eigenvalue of the Gram matrix that keeps ten digits when one is added
MOST = 1e8  # mean eigenvalue beside which one keeps eight
LOST = 1e-4  # beside one, as much as an eigenvalue may be that the decomposition takes for rounding


def transrate(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    epsilon: float = EPSILON,
    weights: Weights = "frequency",
    scale: Scale = "none",
) -> float:
    """TransRate: coding rate of all features less the mean coding rate of the classes (higher is better).

    R(Z) - sum over classes of w_c R(Z_c), with R(Z) = 1/2 log det(I + Z'Z / (n epsilon)) and Z the features less their
    overall mean. It estimates the information, in nats, that features and labels share.

    Args:
        epsilon: Squared distortion that the code allows, in squared units of the features.
        weights: "frequency" weighs a class by its share of examples (eq. 4); "equal" by 1 / C (the paper's listing).
        scale: "none" as in the paper's equations; "rows" gives every centred row length one (the authors' released
            code); "trace" gives the centred features a mean squared length of one, so that their scale drops out.

    Returns:
        The score in nats; not negative with weights "frequency".

    Example:
        Class 0 varies along one feature, class 1 along the other: log 1.5 for all, log(2) / 2 for each class.
        >>> features = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(transrate(features, np.array([0, 0, 1, 1]), epsilon=1.0), 10)
        0.0588915178

    Reference: Huang et al., ICML 2022, eq. 3 to 5. https://arxiv.org/abs/2106.09362
    """
    inputs = Inputs(labels, features=features)
    checked, features = inputs.classes, inputs.features
    if weights not in ("frequency", "equal"):
        raise InputError(f'`weights` must be "frequency" or "equal"; got {weights!r}.')
    if scale not in ("none", "rows", "trace"):
        raise InputError(f'`scale` must be "none", "rows" or "trace"; got {scale!r}.')
    if not (0 < epsilon < np.inf):
        raise InputError(f"`epsilon` must be a positive number; got {epsilon}.")
    x = features - features.mean(axis=0, dtype=np.float64)
    return _transrate(x, checked.codes, len(checked.counts), epsilon, weights, scale)


def _transrate(
    x: Float[np.ndarray, "n k"],
    codes: np.ndarray,
    count: int,
    epsilon: float = EPSILON,
    weights: Weights = "frequency",
    scale: Scale = "none",
    squares: np.ndarray | None = None,
) -> float:
    """`x` is centred; `squares` are the eigenvalues of x'x where they are known already."""
    n = len(codes)
    if scale == "rows":
        lengths = np.sqrt((x**2).sum(axis=1, keepdims=True))
        x = x / np.where(lengths > 0, lengths, 1.0)  # a row at the mean has no direction
    elif scale == "trace":
        size = (x**2).sum() / n
        x = x / np.sqrt(size if size > 0 else 1.0)
    whole = _rate(x, epsilon) if squares is None else 0.5 * float(np.log1p(squares / (n * epsilon)).sum())
    order, edges = in_class_order(codes, count)

    def rates_of(classes: Sequence[slice]) -> list[float]:
        return [_rate(x[order[members]], epsilon) for members in classes]

    with one_matrix_thread():  # many small products, which threads of our own share
        shares = over_shares(rates_of, [slice(*ends) for ends in pairwise(edges)], thread_count())
    rates = np.concatenate(shares)
    share = np.diff(edges) / n if weights == "frequency" else np.full(count, 1 / count)
    value = whole - float(share @ rates)
    return max(value, 0.0) if weights == "frequency" else value  # log det is concave, so rounding alone goes below


def _rate(x: np.ndarray, epsilon: float) -> float:
    """Half the log-determinant of I + x'x / (n epsilon), by the smaller of the two Gram matrices.

    By singular values where the ones that are added are next to nothing beside its entries, or its entries beside them.
    """
    n, d = x.shape
    gram = x @ x.T if n < d else x.T @ x
    gram /= n * epsilon
    level = float(np.trace(gram)) / len(gram)
    gram.flat[:: len(gram) + 1] += 1.0
    factor = None
    if LEAST < level < MOST:
        factor = scipy.linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    elif level >= MOST:
        factor = well_conditioned_factor(gram, 1 / MOST)
    if factor is None:
        return 0.5 * float(np.log1p(scipy.linalg.svdvals(x, check_finite=False) ** 2 / (n * epsilon)).sum())
    return float(np.log(np.diagonal(factor)).sum())


def _measure(inputs: Inputs) -> Measured:
    parts, labels = inputs.decomposition, inputs.labels
    if parts.rounding > LOST * inputs.n * EPSILON:
        features = inputs.features
        return leave_groups_out(
            inputs, transrate(features, labels), lambda kept: transrate(features[kept], labels[kept])
        )
    x = parts.reduced if len(parts.squares) else np.zeros((inputs.n, 1))  # constant features leave no direction
    value = _transrate(x, inputs.classes.codes, len(inputs.classes.counts), squares=parts.squares)
    notes = () if len(parts.squares) else ("the features are the same for every example",)
    level = float(parts.squares.mean()) / (inputs.n * EPSILON) if len(parts.squares) else 0.0
    if inputs.groups is None or not LEAST < level < MOST:
        return leave_groups_out(inputs, value, lambda kept: transrate(x[kept], labels[kept]), notes)
    order, edges = in_class_order(inputs.classes.codes, len(inputs.classes.counts))
    members = np.split(order, edges[1:-1])
    with one_matrix_thread():
        grams = [_smaller_gram(x[rows]) for rows in members]
        return subtract_groups(inputs, value, partial(_without, inputs, x, members, grams), notes)


def _without(
    inputs: Inputs,
    x: Float[np.ndarray, "n r"],
    members: list[np.ndarray],
    grams: list[np.ndarray],
    rows: Int[np.ndarray, " m"],
    counts: Int[np.ndarray, " c"],
) -> float:
    """The score without some rows, from the Gram matrices of all classes; the mean is that of the other rows."""
    own, left, squares = x[rows], int(counts.sum()), inputs.decomposition.squares
    mean = -own.sum(axis=0) / left
    # what leaves the scatter: the rows and, since the mean moves, one more direction
    gone = np.vstack([own, mean * np.sqrt(left)])
    if len(gone) < len(squares):
        gone /= np.sqrt(squares + left * EPSILON)
        rest = np.eye(len(gone)) - gone @ gone.T
        value = float(np.log1p(squares / (left * EPSILON)).sum()) / 2 + _half_log_determinant(rest)
    else:
        value = _half_log_determinant((np.diag(squares) - gone.T @ gone) / (left * EPSILON) + np.eye(len(squares)))
    kept = np.ones(inputs.n, dtype=bool)
    kept[rows] = False
    for all_rows, gram, count in zip(members, grams, counts, strict=True):
        if not count:
            continue
        stay, inside = kept[all_rows], x[all_rows]
        if len(gram) == len(all_rows):  # inner products of the examples, each measured from the mean
            along = inside[stay] @ mean
            gram = gram[np.ix_(stay, stay)] - along[:, None] - along + mean @ mean
        else:
            away, through = inside[~stay], inside[stay].sum(axis=0)
            gram = (
                gram - away.T @ away - np.outer(through, mean) - np.outer(mean, through) + count * np.outer(mean, mean)
            )
        gram /= count * EPSILON
        gram.flat[:: len(gram) + 1] += 1.0
        value -= count / left * _half_log_determinant(gram)
    return max(value, 0.0)


def _smaller_gram(x: Float[np.ndarray, "n r"]) -> np.ndarray:
    return np.asarray(x @ x.T if len(x) <= x.shape[1] else x.T @ x)


def _half_log_determinant(matrix: np.ndarray) -> float:
    factor = scipy.linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    return float(np.log(np.diagonal(factor)).sum())


SCORES.add(
    Score(
        title="TransRate",
        function=transrate,
        needs="features",
        low=0.0,
        cost="O(n d^2)",
        meaning="Nats saved by coding the features class by class: what features and labels share. It grows with the "
        "number and the scale of the features.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure,
    )
)
