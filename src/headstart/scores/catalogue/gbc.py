"""GBC: how far the classes overlap when each is taken for a Gaussian."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError
from headstart.scores._decomposition import principal_components
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums, in_class_order
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out

Covariance = Literal["spherical", "diagonal", "full"]
_BLOCK = 1 << 20  # numbers in one block of pairs
_LEAST = 1e-150  # mean variance where no class has any, beside features of size one; its inverse squares stay finite


def gbc(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    covariance: Covariance = "spherical",
    dims: int | None = 64,
    ddof: int = 0,
    floor: float = 1e-6,
) -> float:
    """Gaussian Bhattacharyya coefficient: minus the summed overlap of all ordered pairs of classes.

    Each class becomes a Gaussian; the score is - sum over i != j of exp(-D(i, j)) with the Bhattacharyya distance
    D = (m_i - m_j)' S^-1 (m_i - m_j) / 8 + log(det S / sqrt(det S_i det S_j)) / 2 and S = (S_i + S_j) / 2.

    Args:
        covariance: "spherical" (one variance per class, as in the authors' experiments), "diagonal" or "full".
        dims: Principal components kept first (64 in the authors' experiments); None takes the features as they are,
            constant ones dropped.
        ddof: 0 divides a class's scatter by its size, 1 by its size less one.
        floor: Smallest variance, as a share of the mean variance of all classes: a class of one example, or a feature
            that is constant in a class, has none of its own.

    Returns:
        The score in [-C (C - 1), 0]; 0 when no two classes overlap.

    Example:
        Two classes with one mean and one variance overlap wholly:
        >>> gbc(np.array([[0.0], [2.0], [0.0], [2.0]]), np.array([0, 0, 1, 1]))
        -2.0

    Reference: Pandy et al., CVPR 2022, eq. 3 to 5. https://arxiv.org/abs/2111.12780
    """
    inputs = Inputs(labels, features=features)
    checked, features = inputs.classes, inputs.features
    _check_options(covariance, dims, ddof, floor)
    if dims is None:
        x = np.asarray(features, dtype=np.float64)
        x = x[:, (x != x[0]).any(axis=0)]  # a constant feature has no shape
        if x.shape[1] == 0:
            raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
        x = x - x.mean(axis=0)
    else:
        x = principal_components(inputs.decomposition, dims)
    return _gbc(x, checked.codes, len(checked.counts), covariance, ddof, floor)


def _gbc(
    x: np.ndarray,
    codes: np.ndarray,
    count: int,
    covariance: Covariance = "spherical",
    ddof: int = 0,
    floor: float = 1e-6,
) -> float:
    x = x / np.sqrt((x**2).mean())
    means, covariances = class_gaussians(x, codes, count, covariance, ddof, floor)
    return -2.0 * float(np.exp(-distances(means, covariances)).sum()) + 0.0  # + 0.0: no -0.0


def _measure(inputs: Inputs) -> Measured:
    x = principal_components(inputs.decomposition, 64)
    value = _gbc(x, inputs.classes.codes, len(inputs.classes.counts))
    labels = inputs.labels  # the components, which see no labels, are kept while groups are left out
    return leave_groups_out(inputs, value, lambda kept: gbc(x[kept], labels[kept], dims=None))


def class_gaussians(
    x: np.ndarray, codes: np.ndarray, count: int, shape: Covariance, ddof: int = 0, floor: float = 1e-6
) -> tuple[np.ndarray, np.ndarray]:
    """Means (C, d) and covariances of the classes: (C, 1) spherical, (C, d) diagonal, (C, d, d) full."""
    counts = np.bincount(codes, minlength=count).astype(np.float64)
    means = class_sums(x, codes, count) / counts[:, None]
    divide = np.maximum(counts - ddof, 1.0)
    left = x - means[codes]
    if shape == "full":
        order, edges = in_class_order(codes, count)
        parts = [left[order[edges[c] : edges[c + 1]]] for c in range(count)]
        scatter = np.stack([part.T @ part / share for part, share in zip(parts, divide, strict=True)])
        level = max(np.trace(scatter, axis1=1, axis2=2).mean() / x.shape[1], _LEAST)
        return means, scatter + floor * level * np.eye(x.shape[1])
    variances = class_sums(left**2, codes, count) / divide[:, None]
    if shape == "spherical":
        variances = variances.mean(axis=1, keepdims=True)
    level = max(variances.mean(), _LEAST)
    return means, np.maximum(variances, floor * level)


def distances(means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Bhattacharyya distances of the C (C - 1) / 2 pairs of classes, in blocks of pairs."""
    first, second = np.triu_indices(len(means), 1)
    step = max(1, _BLOCK // (means.shape[1] * (covariances.shape[-1] if covariances.ndim == 3 else 1)))
    one = _full_block if covariances.ndim == 3 else _diagonal_block
    logdets = _logdets(covariances, means.shape[1])
    blocks = [
        one(means, covariances, logdets, first[at : at + step], second[at : at + step])
        for at in range(0, len(first), step)
    ]
    return np.concatenate(blocks)


def _logdets(covariances: np.ndarray, d: int) -> np.ndarray:
    if covariances.ndim == 3:
        return np.asarray(np.linalg.slogdet(covariances)[1])
    return np.asarray(
        np.log(covariances).sum(axis=1) * (d / covariances.shape[1])
    )  # one variance stands for all d features


def _diagonal_block(
    means: np.ndarray, variances: np.ndarray, logdets: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    average = (variances[i] + variances[j]) / 2  # (pairs, d) or (pairs, 1)
    apart = ((means[i] - means[j]) ** 2 / average).sum(axis=1) / 8
    shape = np.log(average).sum(axis=1) * (means.shape[1] / average.shape[1])
    return np.asarray(apart + 0.5 * np.maximum(shape - 0.5 * (logdets[i] + logdets[j]), 0.0))


def _full_block(
    means: np.ndarray, covariances: np.ndarray, logdets: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    factor = np.linalg.cholesky((covariances[i] + covariances[j]) / 2)  # (pairs, d, d)
    solved = np.linalg.solve(factor, (means[i] - means[j])[:, :, None])[:, :, 0]
    shape = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray((solved**2).sum(axis=1) / 8 + 0.5 * np.maximum(shape - 0.5 * (logdets[i] + logdets[j]), 0.0))


def _check_options(covariance: str, dims: int | None, ddof: int, floor: float) -> None:
    if covariance not in ("spherical", "diagonal", "full"):
        raise InputError(f'`covariance` must be "spherical", "diagonal" or "full"; got {covariance!r}.')
    if dims is not None and dims < 1:
        raise InputError(f"`dims` must be at least 1, or None for the features as they are; got {dims}.")
    if ddof not in (0, 1):
        raise InputError(f"`ddof` must be 0 or 1; got {ddof}.")
    if not 0 < floor < 1:
        raise InputError(f"`floor` must lie between 0 and 1, a share of the mean variance; got {floor}.")


SCORES.add(
    Score(
        title="Gaussian Bhattacharyya coefficient",
        function=gbc,
        needs="features",
        high=0.0,
        cost="O(n d^2 + C^2 dims)",
        meaning="Minus the overlap of the classes, each taken for a Gaussian cloud of features; 0 is no overlap.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
