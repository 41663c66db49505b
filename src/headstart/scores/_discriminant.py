"""The regularised Fisher discriminant as a classifier, by one Cholesky factor instead of a generalised eigenproblem."""

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg, special

from headstart.scores._checks import block_rows
from headstart.scores._class_sums import class_sums

LEAST = 1e-10  # smallest shrinkage, as published


def within_covariance(
    x: Float[np.ndarray, "n r"], codes: Int[np.ndarray, " n"], counts: np.ndarray
) -> tuple[Float[np.ndarray, "c r"], Float[np.ndarray, "r r"]]:
    """Class means and the pooled covariance about them, divided by n."""
    means = class_sums(x, codes, len(counts)) / counts[:, None]
    total = np.zeros((x.shape[1], x.shape[1]))
    step = block_rows(x)
    for at in range(0, len(x), step):
        left = x[at : at + step] - means[codes[at : at + step]]
        total += left.T @ left
    return means, total / len(x)


def published_shrinkage(within: np.ndarray) -> float:
    """exp(-5 times the largest eigenvalue of the within-class covariance), at least 1e-10."""
    last = len(within) - 1
    largest = float(linalg.eigvalsh(within, subset_by_index=[last, last], check_finite=False)[0])
    return max(float(np.exp(-5 * largest)), LEAST)


def discriminant_posterior(
    x: Float[np.ndarray, "n r"],
    counts: Int[np.ndarray, " c"],
    means: Float[np.ndarray, "c r"],
    within: Float[np.ndarray, "r r"],
    shrinkage: float,
    width: int,
) -> Float[np.ndarray, "n c"]:
    """P(class given x) of Gaussians that share the shrunk covariance (1 - s) W + s tr(W) / width I.

    `width` is the number of directions in which features can vary, however many coordinates x has.
    """
    shrunk = (1.0 - shrinkage) * within
    shrunk.flat[:: len(within) + 1] += max(shrinkage * np.trace(within) / width, np.finfo(float).tiny)
    # classes without any spread: distances to the means are infinite, which this least spread stands for
    shrunk.flat[:: len(within) + 1] += 1e-14 * max(np.abs(means).max() ** 2, np.finfo(float).tiny)
    weights = linalg.cho_solve(linalg.cho_factor(shrunk, lower=True, check_finite=False), means.T).T  # (C, r)
    offsets = np.log(counts / counts.sum()) - 0.5 * np.einsum("cr,cr->c", means, weights)
    return np.asarray(special.softmax(x @ weights.T + offsets, axis=1))
