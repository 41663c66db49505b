"""Leading principal components, alone or out of the shared decomposition, with signs that the data choose."""

import numpy as np
from jaxtyping import Float
from scipy import linalg
from scipy.sparse.linalg import ArpackError, eigsh

from headstart.scores._checks import block_rows
from headstart.scores._decomposition import Decomposition
from headstart.scores._scatter import scatter
from headstart.scores._table import NotApplicableError

_LANCZOS = 20  # so many times fewer components than dimensions, and Lanczos beats a whole decomposition
_STEPS = 300  # restarts of Lanczos, where ten are usual, after which the whole decomposition is sooner there


def leading_components(features: np.ndarray, keep: int | float) -> Float[np.ndarray, "n k"]:
    """Scores of the leading principal components of checked features, without decomposing all of them.

    Args:
        features: One row per example.
        keep: A whole number of components, or a share of the variance in (0, 1) that they must pass.

    Raises:
        NotApplicableError: The features do not vary.
    """
    n, d = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    if n <= d:
        centred = features - mean
        squares, left = _leading(centred @ centred.T, keep, max(n, d))
        return canonical_signs(left * np.sqrt(squares))
    _, right = _leading(scatter(features, mean), keep, max(n, d))
    step = block_rows(features)
    return canonical_signs(np.concatenate([(features[at : at + step] - mean) @ right for at in range(0, n, step)]))


def principal_components(parts: Decomposition, keep: int | float) -> Float[np.ndarray, "n k"]:
    """The same from features that were decomposed.

    Raises:
        NotApplicableError: The features do not vary.
    """
    count = _kept(parts.squares, keep, float(parts.squares.sum()))
    return canonical_signs(parts.left[:, :count] * np.sqrt(parts.squares[:count]))


def canonical_signs(scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Each column turned so that the sum of its cubes is not negative: rotated features give the same columns.

    Example:
        >>> canonical_signs(np.array([[-3.0], [1.0], [2.0]])).ravel()
        array([ 3., -1., -2.])
    """
    return scores * np.where(np.einsum("ij,ij,ij->j", scores, scores, scores) < 0, -1.0, 1.0)


def _leading(gram: np.ndarray, keep: int | float, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues and their vectors, as many as `keep` asks for; those at rounding level are dropped."""
    size, total = len(gram), float(np.trace(gram))
    few = isinstance(keep, int) and keep <= size // _LANCZOS and total > 0
    found = _lanczos(gram, int(keep)) if few else None
    squares, vectors = linalg.eigh(gram, check_finite=False, driver="evd") if found is None else found
    real = squares > longest * np.finfo(np.float64).eps * max(squares[-1], 0.0)
    squares, vectors = squares[real][::-1], vectors[:, real][:, ::-1]
    count = _kept(squares, keep, total)
    return squares[:count], vectors[:, :count]


def _lanczos(gram: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The largest eigenvalues, rising, and their vectors, to machine precision; None where equal ones hide some."""
    start = np.linspace(1.0, 2.0, len(gram))  # fixed, and orthogonal to no eigenvector but by accident
    try:
        squares, vectors = eigsh(gram, k=count, v0=start, maxiter=_STEPS)
    except ArpackError:
        return None
    order = np.argsort(squares)
    return squares[order], vectors[:, order]


def _kept(squares: np.ndarray, keep: int | float, total: float) -> int:
    """How many of the falling `squares` are kept."""
    if len(squares) == 0:
        raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
    if isinstance(keep, int):
        return min(keep, len(squares))
    reached = np.cumsum(squares) > keep * total
    return int(np.argmax(reached)) + 1 if reached.any() else len(squares)
