"""Minimise many smooth convex functions at once: limited-memory BFGS over a batch of problems."""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[Tensor, Tensor]]  # (t, p) points -> (t,) values and (t, p) gradients


def minimise(
    function: Function, start: Tensor, *, tolerance: float = 1e-10, iterations: int = 500, memory: int = 10
) -> tuple[Tensor, Tensor, Tensor]:
    """Points, values and gaps (t,) at the minima of t independent problems.

    The function should be scaled so that its curvature is about 1 in every direction: the first step is the gradient
    itself. A problem rests once the decrease that its model predicts is below `tolerance`.

    Args:
        function: Values and gradients of all problems at a batch of points.
        start: (t, p); float32 reaches a tolerance of about 1e-6, float64 far less.
        tolerance: Predicted decrease, in units of the value.
        iterations: At most so many.
        memory: How many past steps shape the direction.

    Returns:
        The points; their values; and the last predicted decreases, which estimate how far each is from its minimum.

    Example:
        >>> points, values, _ = minimise(lambda x: (((x - 3) ** 2).sum(1) / 2, x - 3), torch.zeros(2, 4).double())
        >>> points[0].tolist(), values.tolist()
        ([3.0, 3.0, 3.0, 3.0], [0.0, 0.0])
    """
    point = start.clone()
    value, gradient = function(point)
    past = _Memory(point, memory)
    direction = -gradient
    gap = torch.full_like(value, torch.inf)
    for _ in range(iterations):
        slope = (gradient * direction).sum(1)
        uphill = slope >= 0
        direction = torch.where(uphill[:, None], -gradient, direction)
        slope = torch.where(uphill, -gradient.square().sum(1), slope)
        gap = -slope / 2
        if bool((gap <= tolerance).all()):
            break
        moving = gap > tolerance
        length, new_value, new_gradient = _search(function, point, value, direction, slope, moving)
        step, bend = length[:, None] * direction, new_gradient - gradient
        point, value, gradient = point + step, new_value, new_gradient
        if not bool(length.any()):  # no problem finds a lower value: the limit of the arithmetic
            break
        direction = past.after(step, bend, gradient)
    return point, value, gap


class _Memory:
    """Past steps and the bends of the gradient along them, and the L-BFGS direction that they give.

    The compact form of Byrd, Nocedal and Schnabel (1994): all inner products of a new pair and the gradient with the
    past come from one product, where the usual two loops need forty small ones. Pairs without positive curvature count
    as zero.
    """

    def __init__(self, point: Tensor, most: int) -> None:
        t, p = point.shape
        self.count = 0  # pairs kept, the oldest first
        self.pairs = point.new_zeros(t, 2, most, p)  # steps, bends
        self.products = point.new_zeros(t, 2, most, most)  # step i . bend j, bend i . bend j

    def after(self, step: Tensor, bend: Tensor, gradient: Tensor) -> Tensor:
        """Remember a step; the next direction (t, p)."""
        curvature, square = (step * bend).sum(1, keepdim=True), bend.square().sum(1, keepdim=True)
        scale = torch.where(curvature > 0, curvature / square.clamp_min(1e-30), 1.0)
        good = curvature > 1e-30
        if self.count == self.pairs.shape[2]:
            self.pairs = self.pairs.roll(-1, dims=2)
            self.products = self.products.roll((-1, -1), dims=(2, 3))
            self.count -= 1
        last, self.count = self.count, self.count + 1
        self.pairs[:, 0, last], self.pairs[:, 1, last] = step * good, bend * good
        kept = self.pairs[:, :, : self.count].flatten(1, 2)
        found = kept @ torch.stack([self.pairs[:, 0, last], self.pairs[:, 1, last], gradient], dim=2)
        found = found.unflatten(1, (2, self.count))  # (t, 2, count, 3)
        self.products[:, :, : self.count, last] = found[..., 1]
        self.products[:, 1, last, : self.count] = found[:, 1, :, 1]
        weights = self._weights(found[..., 2:], scale[..., None])
        return -scale * gradient - (weights[:, None] @ kept)[:, 0]

    def _weights(self, along: Tensor, scale: Tensor) -> Tensor:
        """What each past step and bend adds to the direction, (t, 2 * count).

        `along` (t, 2, count, 1) holds the gradient's products with them.
        """
        across, bends = self.products[:, :, : self.count, : self.count].unbind(1)
        triangle = across.triu()
        curvature = triangle.diagonal(dim1=1, dim2=2)[..., None].clone()
        triangle.diagonal(dim1=1, dim2=2).add_((curvature == 0)[..., 0])
        first = torch.linalg.solve_triangular(triangle, along[:, 0], upper=True)
        inner = curvature * first + scale * (bends @ first - along[:, 1])
        second = torch.linalg.solve_triangular(triangle.mT, inner, upper=False)
        return torch.cat([second, -scale * first], dim=1)[..., 0]


def _search(
    function: Function, point: Tensor, value: Tensor, direction: Tensor, slope: Tensor, moving: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Halve the step of each problem until it brings enough (Armijo); a problem that finds none takes no step."""
    length = moving.to(value.dtype)
    slack = 4 * torch.finfo(value.dtype).eps * value.abs()  # rounding of the value itself
    for _ in range(40):
        new_value, new_gradient = function(point + length[:, None] * direction)
        short = (new_value > value + 1e-4 * length * slope + slack) & (length > 0)
        if not bool(short.any()):
            return length, new_value, new_gradient
        length = torch.where(short, length / 2, length)
    length = torch.where(short, 0.0, length)
    return length, *function(point + length[:, None] * direction)
