"""One decomposition of the centred features, shared by every score that needs their covariance or Gram matrix."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import linalg

from headstart.scores._checks import block_rows
from headstart.scores._scatter import scatter


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

    def right(self, features: np.ndarray) -> Float[np.ndarray, "d r"]:
        """The directions in feature space, given the features that were decomposed."""
        weighted = self.left / np.sqrt(self.squares)
        step = block_rows(features)
        total = np.zeros((features.shape[1], len(self.squares)))
        for start in range(0, len(features), step):
            total += (features[start : start + step] - self.mean).T @ weighted[start : start + step]
        return total


def decompose(features: np.ndarray) -> Decomposition:
    """Decompose checked (n, d) features in float64 by the smaller of the Gram matrix and the covariance.

    Squared singular values below the rounding of the largest are taken as zero.
    """
    n, d = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    if n <= d:
        centred = features - mean  # (n, d) float64, no larger than the Gram matrix of the other case
        squares, left = _largest_first(centred @ centred.T, n, d)
        inside = left.T @ (centred @ mean) / np.sqrt(squares)
    else:
        squares, right = _largest_first(scatter(features, mean), n, d)
        left = np.empty((n, len(squares)))
        step = block_rows(features)
        for start in range(0, n, step):
            np.matmul(features[start : start + step] - mean, right / np.sqrt(squares), out=left[start : start + step])
        inside = right.T @ mean
    length = float(mean @ mean)
    outside = length - float(inside @ inside)
    if len(squares) == d or outside < 1e-14 * length:  # nothing but rounding
        outside = 0.0
    return Decomposition(left, squares, mean, inside, outside)


def _rounding(largest: float, n: int, d: int) -> float:
    return max(n, d) * float(np.finfo(np.float64).eps) * max(largest, 0.0)


def _largest_first(gram: np.ndarray, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    squares, vectors = linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    kept = squares > _rounding(float(squares[-1]), n, d)
    return squares[kept][::-1], np.ascontiguousarray(vectors[:, kept][:, ::-1])
