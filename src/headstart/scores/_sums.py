"""Sums of rows by class, and sums over examples from which any group of them can be taken out again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from headstart.scores import _kernels
from headstart.scores._checks import block_rows
from headstart.scores._inputs import Inputs

HELD_BYTES = 1 << 28  # sums of all groups are kept up to this size; larger ones are computed again


def class_sums(rows: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Sum of the rows of each class, (count, d) in float64, whatever the dtype of `rows`.

    Example:
        >>> class_sums(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), 2).ravel()
        array([5., 2.])
    """
    total, ones = np.zeros((count, rows.shape[1])), np.ones(len(rows))
    step = block_rows(rows)
    for start in range(0, len(rows), step):
        block = np.ascontiguousarray(rows[start : start + step])
        if block.dtype not in (np.float32, np.float64):
            block = block.astype(np.float64)
        _kernels.count_scaled(block, codes[start : start + step], ones, total)
    return total


def in_class_order(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The order (n,) that puts each class in one run, and where the runs begin and end, (count + 1,).

    Example:
        >>> order, edges = in_class_order(np.array([1, 0, 1]), 2)
        >>> order.tolist(), edges.tolist()
        ([1, 0, 2], [0, 1, 3])
    """
    order = np.argsort(codes, kind="stable")
    return order, np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=count))])


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over examples x, measured from a point near their mean, and over their targets y."""

    n: float
    x: Float[np.ndarray, " d"]
    y: Float[np.ndarray, " t"]
    xx: Float[np.ndarray, "d d"]
    xy: Float[np.ndarray, "d t"]
    yy: Float[np.ndarray, " t"]  # squares of the targets
    fourth: float  # |x|^4
    along: Float[np.ndarray, " d"]  # |x|^2 x

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(*(a - b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def scatter(self) -> Float[np.ndarray, "d d"]:
        """Sum of squares and products about the mean."""
        return self.xx - np.outer(self.x, self.x / self.n)

    @property
    def products(self) -> Float[np.ndarray, "d t"]:
        """Sum of products of features about their mean and targets."""
        return self.xy - np.outer(self.x, self.y / self.n)

    @property
    def centred_fourth(self) -> float:
        """Sum of the fourth powers of the distances from the mean."""
        mean = self.x / self.n
        square, through = float(mean @ mean), float(mean @ self.xx @ mean)
        trace = float(np.trace(self.xx))
        return self.fourth + 4 * through - 4 * float(mean @ self.along) + 2 * square * trace - 3 * self.n * square**2


def _sums(inputs: Inputs, rows: Int[np.ndarray, " m"], origin: np.ndarray) -> Sums:
    x = inputs.features[rows] - origin
    lengths = np.einsum("ij,ij->i", x, x)
    if inputs.single_class:
        codes, count = inputs.classes.codes[rows], len(inputs.classes.counts)
        y = yy = np.bincount(codes, minlength=count).astype(np.float64)
        xy = class_sums(x, codes, count).T
    else:
        targets = inputs.targets[rows]
        y, yy, xy = targets.sum(axis=0), (targets**2).sum(axis=0), x.T @ targets
    return Sums(float(len(x)), x.sum(axis=0), y, x.T @ x, xy, yy, float(lengths @ lengths), lengths @ x)


def _sums_over(inputs: Inputs, rows: Int[np.ndarray, " m"], origin: np.ndarray) -> Sums:
    step = block_rows(inputs.features)
    parts = (_sums(inputs, rows[at : at + step], origin) for at in range(0, len(rows), step))
    return sum(parts, start=next(parts))


def whole_and_groups(inputs: Inputs) -> tuple[Float[np.ndarray, " d"], Sums, Callable[[int], Sums]]:
    """The mean of the features, sums about it over all examples, and over each group; from one pass where they fit."""

    def own(group: int) -> Sums:
        return _sums_over(inputs, np.flatnonzero(inputs.groups == group), origin)

    def compute() -> tuple[Sums, list[Sums]]:
        if 8 * len(origin) ** 2 * inputs.group_count > HELD_BYTES or not inputs.group_count:
            return _sums_over(inputs, np.arange(inputs.n), origin), []
        held = [own(group) for group in range(inputs.group_count)]
        return sum(held[1:], start=held[0]), held

    origin = inputs.once("origin", lambda: inputs.features.mean(axis=0, dtype=np.float64))
    whole, held = inputs.once("sums", compute)
    return origin, whole, held.__getitem__ if held else own
