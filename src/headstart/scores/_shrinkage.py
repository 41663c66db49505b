"""Ledoit and Wolf's shrinkage of the covariance, for all examples and with each group of them left out."""

import numpy as np
from jaxtyping import Float, Int

from headstart.scores._class_sums import class_sums
from headstart.scores._decomposition import Decomposition


def penalties(parts: Decomposition, groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
    """`penalty` of the examples outside each group, centred on their own mean."""
    points, squares = parts.reduced, parts.squares
    n = len(points)
    lengths = (points**2).sum(axis=1)
    count = int(groups.max()) + 1
    sums = class_sums(points, groups, count)
    kept = n - np.bincount(groups, minlength=count)
    means = -sums / kept[:, None]  # of the others; the mean of all is 0
    offsets = (means**2).sum(axis=1)
    along = points @ means.T  # (n, g)
    outside = groups[:, None] != np.arange(count)
    moved = np.where(outside, lengths[:, None] - 2 * along + offsets, 0.0)
    own = [points[groups == g] for g in range(count)]
    grams = [rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows for rows in own]
    inside = ~outside
    second = (
        (squares**2).sum()
        + np.array([(gram**2).sum() for gram in grams])
        + kept**2 * offsets**2
        - 2 * np.array([((rows**2) @ squares).sum() for rows in own])
        - 2 * kept * (means**2 @ squares)
        + 2 * kept * np.where(inside, along**2, 0.0).sum(axis=0)
    )
    trace = moved.sum(axis=0)
    return _penalty(_shrinkage((moved**2).sum(axis=0), second, trace, kept, len(parts.mean)), trace, len(parts.mean))


def penalty(parts: Decomposition) -> float:
    """The ridge penalty on sums of squares that the shrinkage amounts to; infinite where it is complete."""
    lengths = (parts.left**2) @ parts.squares  # (n,) squared distances from the mean
    sums = ((lengths**2).sum(), (parts.squares**2).sum(), parts.squares.sum(), len(lengths))
    fourth, second, trace, n = (np.array([one]) for one in sums)
    return float(_penalty(_shrinkage(fourth, second, trace, n, len(parts.mean)), trace, len(parts.mean))[0])


def _penalty(amount: Float[np.ndarray, " g"], trace: Float[np.ndarray, " g"], d: int) -> Float[np.ndarray, " g"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(amount < 1, amount / (1 - amount) * trace / d, np.inf)


def _shrinkage(
    fourth: Float[np.ndarray, " g"],
    second: Float[np.ndarray, " g"],
    trace: Float[np.ndarray, " g"],
    n: Int[np.ndarray, " g"],
    d: int,
) -> Float[np.ndarray, " g"]:
    """From sums over examples: squared squared lengths; squares of the scatter matrix's entries; its trace.

    Ledoit and Wolf, Journal of Multivariate Analysis 2004, section 3.3, with covariances divided by n. 0 for one
    feature, whose variance is its own target.
    """
    if d == 1:
        return np.zeros(len(fourth))  # not by the formula: rounding would make of 0 / 0 anything up to 1
    spread = np.maximum((second / n**2 - (trace / n) ** 2 / d) / d, 0.0)  # of the eigenvalues
    noise = np.minimum((fourth / n - second / n**2) / (d * n), spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise > 0, np.clip(noise / spread, 0.0, 1.0), 0.0)
