"""Sums over examples of the outer products of centred features: the scatter matrix, n times the covariance."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.linalg import lapack

from headstart.scores._checks import block_rows

LARGE = 1 << 21  # entries from which products in single precision pay


def scatter(features: np.ndarray, mean: Float[np.ndarray, " d"], dtype: type = np.float64) -> Float[np.ndarray, "d d"]:
    """The scatter matrix from products in `dtype`, block by block, that are summed in float64."""
    total = np.zeros((features.shape[1], features.shape[1]))
    for _, centred in centred_blocks(features, mean, dtype):
        total += centred.T @ centred
    return total


def rough_scatter(features: np.ndarray, mean: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
    """The same from products in float32: off by some millionths of the mean variance.

    Twice as quick; for many features that hold no more digits, where no direction's spread is small.
    """
    return scatter(features, mean, np.float32)


def centred_blocks(
    features: np.ndarray, mean: Float[np.ndarray, " d"], dtype: type = np.float64
) -> Iterator[tuple[slice, np.ndarray]]:
    """Runs of examples and their features less the mean, in `dtype`."""
    step, mean = block_rows(features), mean.astype(dtype)
    for start in range(0, len(features), step):
        block = slice(start, start + step)
        yield block, np.subtract(features[block], mean, dtype=dtype)


def takes_float32(features: np.ndarray) -> bool:
    """Whether the features hold no more digits than float32 and are many enough for its speed to show."""
    return features.dtype.kind == "f" and features.dtype.itemsize <= 4 and features.size >= LARGE


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
