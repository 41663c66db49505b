"""One decomposition of the centred features, shared by every score that needs their covariance or Gram matrix."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from headstart.scores._checks import NotApplicableError, block_rows


@dataclass(frozen=True, eq=False)
class Decomposition:
    """features - mean = left * sqrt(squares) @ right.T, directions without variance dropped.

    `left` has orthonormal columns, all orthogonal to the vector of ones. Rows of `left * sqrt(squares)` are the centred
    features in r coordinates: distances and inner products between examples are kept, however large d is.
    """

    left: Float[np.ndarray, "n r"]
    squares: Float[np.ndarray, " r"]  # squared singular values, largest first: eigenvalues of n times the covariance
    mean: Float[np.ndarray, " d"]
    mean_inside: Float[np.ndarray, " r"]  # coordinates of the mean along the r directions
    mean_outside: float  # squared length of what remains of the mean

    @property
    def rounding(self) -> float:
        """Squared singular values up to this may have been taken as zero."""
        return _rounding(float(self.squares.max(initial=0.0)), len(self.left), len(self.mean))

    @property
    def reduced(self) -> Float[np.ndarray, "n r"]:
        """The centred features in r coordinates."""
        return np.asarray(self.left * np.sqrt(self.squares))


def decompose(features: np.ndarray) -> Decomposition:
    """Decompose checked (n, d) features in float64 by the smaller of the Gram matrix and the covariance.

    Squared singular values below the rounding of the largest are taken as zero.
    """
    n, d = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    if n <= d:
        centred = features - mean  # (n, d) float64, no larger than the Gram matrix of the other case
        squares, left = largest_first(centred @ centred.T, n, d)
        inside = left.T @ (centred @ mean) / np.sqrt(squares)
    else:
        squares, right = largest_first(scatter(features, mean), n, d)
        left = np.empty((n, len(squares)))
        step = block_rows(features)
        for start in range(0, n, step):
            np.matmul(features[start : start + step] - mean, right / np.sqrt(squares), out=left[start : start + step])
        inside = right.T @ mean
    return Decomposition(left, squares, mean, inside, rest_of_mean(mean, inside))


def rest_of_mean(mean: Float[np.ndarray, " d"], inside: Float[np.ndarray, " r"]) -> float:
    """Squared length of the part of a mean that has no coordinates `inside`; rounding counts as zero."""
    length = float(mean @ mean)
    rest = length - float(inside @ inside)
    return 0.0 if len(inside) == len(mean) or rest < 1e-14 * length else rest


def _rounding(largest: float, n: int, d: int) -> float:
    return max(n, d) * float(np.finfo(np.float64).eps) * max(largest, 0.0)


def largest_first(gram: np.ndarray, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    squares, vectors = scipy.linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    kept = squares > _rounding(float(squares[-1]), n, d)
    return squares[kept][::-1], np.ascontiguousarray(vectors[:, kept][:, ::-1])


def principal_components(parts: Decomposition, keep: int | float) -> Float[np.ndarray, "n k"]:
    """Scores of the leading principal components, with signs that do not depend on how the features were rotated.

    Args:
        parts: The features, decomposed.
        keep: A number of components, or a share of the variance in (0, 1) that they must pass.

    Raises:
        NotApplicableError: The features do not vary.
    """
    count = _kept(parts.squares, keep)
    return canonical_signs(parts.left[:, :count] * np.sqrt(parts.squares[:count]))


def canonical_signs(scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Each column turned so that the sum of its cubes is not negative: rotated features give the same columns.

    Example:
        >>> canonical_signs(np.array([[-3.0], [1.0], [2.0]])).ravel()
        array([ 3., -1., -2.])
    """
    return scores * np.where(np.einsum("ij,ij,ij->j", scores, scores, scores) < 0, -1.0, 1.0)


def _kept(squares: np.ndarray, keep: int | float) -> int:
    """How many of the falling `squares` are kept."""
    if len(squares) == 0:
        raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
    if isinstance(keep, int):
        return min(keep, len(squares))
    reached = np.cumsum(squares) > keep * squares.sum()
    return int(np.argmax(reached)) + 1 if reached.any() else len(squares)


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
    factor, failed = scipy.linalg.lapack.dpotrf(matrix, lower=1, clean=0)
    if failed:
        return None
    share, _ = scipy.linalg.lapack.dpocon(factor, size, uplo="L")  # 1 / (norm * norm of the inverse)
    return factor if share * size > near * float(np.trace(matrix)) / len(matrix) else None
