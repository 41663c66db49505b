"""Leading principal components of float32 features with fewer rows than columns, by a block Lanczos recurrence.

A whole decomposition of the n x n Gram matrix works in float64 on vectors nobody asks for. Here a space that holds the
leading ones is grown in float32, a block of directions at a time, until their residuals say that they are in it; the
squares and directions inside the space are then taken in float64 from the features themselves. What is left of the
rounding of float32 is that of the features.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32
from scipy import linalg

from headstart.scores._scatter import well_conditioned_factor
from headstart.scores._threads import one_matrix_thread

WIDTH = 20  # directions a step
CLOSE = 3e-5  # residual of an eigenvector, as a share of its eigenvalue, at which it counts as found
FIRST = 10  # steps before the first look; then at most a third more each time
INDEPENDENT = 1e-3  # least squared length of a combination of the directions that are taken for a basis
SHARE = 3  # beyond a third of all dimensions the whole decomposition is as quick


def leading_pairs(
    centred: Float32[np.ndarray, "n d"], kept: Callable[[Float[np.ndarray, " m"]], int]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]] | None:
    """Largest squared singular values and their left vectors, or None where too many are asked for.

    Args:
        centred: The centred features, n at most d.
        kept: From falling squares, of which the last may be too small, how many are wanted; as many as it is given if
            they are not enough.

    Reference: Golub and Underwood, "The block Lanczos method for computing eigenvalues", 1977.
    """
    gram = centred @ centred.T
    with one_matrix_thread():  # the steps are narrow
        leading = _grow(gram, kept)
    return None if leading is None else _within(centred, leading, kept)


def _grow(gram: np.ndarray, kept: Callable[[np.ndarray], int]) -> Float32[np.ndarray, "n m"] | None:
    """Grow a space until what is wanted lies in it: that and a few directions more."""
    n = len(gram)
    steps = n // (SHARE * WIDTH)
    basis = np.empty((n, WIDTH * (steps + 1)), np.float32, order="F")
    start = gram @ np.random.default_rng(0).standard_normal((n, WIDTH), dtype=np.float32)
    block = linalg.qr(start, mode="economic", check_finite=False)[0]
    basis[:, :WIDTH] = block
    inside = np.zeros((WIDTH * (steps + 1),) * 2)  # the Gram matrix within the basis: a band
    look, before, far = FIRST, 0, np.inf
    for step in range(steps):
        low, high = WIDTH * step, WIDTH * (step + 1)
        found = basis[:, :high]
        after = gram @ block
        inside[low:high, low:high] = block.T @ after
        near = basis[:, max(0, low - WIDTH) : high]  # but for rounding, all that `after` has a part in
        for known in (near, found):
            after -= known @ (known.T @ after)
        block, link = linalg.qr(after, mode="economic", overwrite_a=True, check_finite=False)
        basis[:, high : high + WIDTH] = block
        inside[high : high + WIDTH, low:high] = link
        inside[low:high, high : high + WIDTH] = link.T
        if step + 1 == look or step + 1 == steps:
            vectors, now = _look(inside[:high, :high], link, kept)
            if now <= 1:
                return found @ vectors
            look, before, far = _next_look(before, far, look, now), look, now
    return None


def _look(inside: np.ndarray, link: np.ndarray, kept: Callable[[np.ndarray], int]) -> tuple[np.ndarray, float]:
    """Vectors of the leading values, and the largest residual of a wanted one beside what counts as found.

    It is infinite where the basis does not hold enough yet.
    """
    if kept(np.sort(np.diagonal(inside))[::-1]) >= len(inside):  # the values have the diagonal's sum
        return inside, np.inf
    values, vectors = linalg.eigh(inside.astype(np.float32), overwrite_a=True, check_finite=False, driver="evd")
    values, vectors = values[::-1], vectors[:, ::-1]
    count = kept(values)
    if count >= len(values) or values[count - 1] <= 0:
        return vectors, np.inf
    residuals = np.linalg.norm(link @ vectors[-WIDTH:, :count], axis=0)
    return vectors[:, : count + WIDTH], float((residuals / values[:count]).max()) / CLOSE


def _next_look(before: int, far: float, look: int, now: float) -> int:
    """The step at which residuals that go on falling as they did since the look before are small enough.

    They fall faster and faster, so that this is rarely too soon; where nothing is known, it is a third more steps.
    """
    third = max(1, look // 3)
    if not now < far < np.inf:
        return look + third
    return look + min(third, math.ceil(math.log(now) * (look - before) / math.log(far / now)))


def _within(
    centred: np.ndarray, basis: np.ndarray, kept: Callable[[np.ndarray], int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """The singular values and left vectors of the features within a basis, or None where it is no basis.

    Rounding leaves the directions near to orthonormal, and less near where the features have fewer directions.
    """
    right = (centred.T @ basis).astype(np.float64)
    basis = basis.astype(np.float64)
    with one_matrix_thread():
        overlap = basis.T @ basis
        if well_conditioned_factor(overlap, INDEPENDENT) is None:
            return None
        squares, vectors = linalg.eigh(right.T @ right, overlap, check_finite=False, driver="gvd")
        squares, vectors = squares[::-1], vectors[:, ::-1]
        count = kept(squares)
        return squares[:count], basis @ vectors[:, :count]
