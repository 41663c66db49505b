"""Sums over examples of the outer products of centred features: the scatter matrix, n times the covariance."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.linalg import lapack

from headstart.scores._checks import block_rows


def scatter(features: np.ndarray, mean: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
    """The scatter matrix in float64, block by block."""
    total = np.zeros((features.shape[1], features.shape[1]))
    for _, centred in centred_blocks(features, mean):
        total += centred.T @ centred
    return total


def centred_blocks(features: np.ndarray, mean: Float[np.ndarray, " d"]) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of examples and their features minus the mean, in float64."""
    step = block_rows(features)
    for start in range(0, len(features), step):
        block = slice(start, start + step)
        yield block, features[block] - mean


def well_conditioned_factor(matrix: Float[np.ndarray, "k k"], near: float) -> Float[np.ndarray, "k k"] | None:
    """The lower Cholesky factor, or None where the smallest eigenvalue may be below `near` of the mean one.

    The smallest is known from LAPACK's estimate of the norm of the inverse, which bounds it within sqrt(k).
    """
    size = float(np.abs(matrix).sum(axis=0).max())
    factor, failed = lapack.dpotrf(matrix, lower=1, clean=0)
    if failed:
        return None
    share, _ = lapack.dpocon(factor, size, uplo="L")  # 1 / (norm * norm of the inverse)
    return factor if share * size > near * float(np.trace(matrix)) / len(matrix) else None
