"""Minimise a smooth convex function by limited-memory BFGS."""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[Tensor, Tensor]]  # a point (p,) -> the value () and the gradient (p,)


def minimise(
    function: Function, start: Tensor, *, tolerance: float = 1e-10, iterations: int = 500, memory: int = 10
) -> tuple[Tensor, float]:
    """The point (p,) at the minimum, and the value there.

    The function should be scaled so that its curvature is about 1 in every direction: the first step is the gradient
    itself. The search ends once the decrease that its model predicts is below `tolerance`.

    Args:
        function: Value and gradient at a point.
        start: (p,); float32 reaches a tolerance of about 1e-6, float64 far less.
        tolerance: Predicted decrease, in units of the value.
        iterations: The most steps.
        memory: How many past steps shape the direction.

    Example:
        >>> point, value = minimise(lambda x: (((x - 3) ** 2).sum() / 2, x - 3), torch.zeros(4).double())
        >>> point.tolist(), value
        ([3.0, 3.0, 3.0, 3.0], 0.0)
    """
    point = start.clone()
    value, gradient = function(point)
    pairs: list[tuple[Tensor, Tensor]] = []
    scale = 1.0
    for _ in range(iterations):
        direction = _direction(pairs, gradient, scale)
        slope = float(gradient @ direction)
        if slope >= 0:
            direction, slope = -gradient, -float(gradient @ gradient)
        if -slope / 2 <= tolerance:
            break
        length, new_value, new_gradient = _search(function, point, value, direction, slope)
        if length == 0:  # no lower value: the limit of the arithmetic
            break
        step, bend = length * direction, new_gradient - gradient
        point, value, gradient = point + step, new_value, new_gradient
        curvature = float(step @ bend)
        scale = curvature / max(float(bend @ bend), 1e-30) if curvature > 0 else 1.0
        if curvature > 1e-30:
            pairs = [*pairs, (step, bend)][-memory:]
    return point, float(value)


def _direction(pairs: list[tuple[Tensor, Tensor]], gradient: Tensor, scale: float) -> Tensor:
    """The two loops of L-BFGS over past steps and the gradient's changes along them (Nocedal and Wright, 7.4)."""
    direction = -gradient
    shares = []
    for step, bend in reversed(pairs):
        shares.append((step @ direction) / (step @ bend))
        direction = direction - shares[-1] * bend
    direction = direction * scale
    for (step, bend), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - (bend @ direction) / (step @ bend)) * step
    return direction


def _search(
    function: Function, point: Tensor, value: Tensor, direction: Tensor, slope: float
) -> tuple[float, Tensor, Tensor]:
    """Halve the step until it brings enough (Armijo); the length is 0 where none does."""
    slack = 4 * torch.finfo(value.dtype).eps * abs(float(value))  # rounding of the value itself
    length = 1.0
    for _ in range(40):
        found = function(point + length * direction)
        if float(found[0]) <= float(value) + 1e-4 * length * slope + slack:
            return length, *found
        length /= 2
    return 0.0, *function(point)
