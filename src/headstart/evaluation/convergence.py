"""How fast a transfer learns compared with training from scratch (the paper's Figure 4)."""

from collections.abc import Sequence

import numpy as np

from headstart.errors import InputError
from headstart.records import Convergence, CurvePoint

Curve = Sequence[CurvePoint]


def convergence(transfer: Sequence[Curve], scratch: Sequence[Curve]) -> Convergence:
    """Epochs and seconds to reach scratch's best quality, area under the curve, and the difference per epoch.

    Curves of several seeds are averaged over the epochs that all of them ran. Quality is measured on the validation
    part.

    Args:
        transfer: One curve per seed.
        scratch: One curve per seed of the training from scratch.

    Raises:
        InputError: A curve is empty or has no validation quality.

    Example:
        >>> def curve(*values):
        ...     return [CurvePoint(i + 1, float(i + 1), 0.1, 1.0, 1.0, v, 1) for i, v in enumerate(values)]
        >>> found = convergence([curve(0.5, 0.75)], [curve(0.25, 0.5)])
        >>> found.epochs, found.scratch_epochs, found.difference
        (1, 2, (0.25, 0.25))
    """
    fast, fast_seconds = _mean(transfer, "a transfer")
    slow, slow_seconds = _mean(scratch, "the training from scratch")
    reference = float(slow.max())
    reached, slow_reached = _first(fast, reference), _first(slow, reference)
    assert slow_reached is not None, "a curve reaches its own best"
    shared = min(len(fast), len(slow))
    return Convergence(
        reference=reference,
        epochs=None if reached is None else reached + 1,
        seconds=None if reached is None else float(fast_seconds[reached]),
        scratch_epochs=slow_reached + 1,
        scratch_seconds=float(slow_seconds[slow_reached]),
        area=float(fast[:shared].mean()),
        scratch_area=float(slow[:shared].mean()),
        difference=tuple((fast[:shared] - slow[:shared]).tolist()),
    )


def _mean(curves: Sequence[Curve], whose: str) -> tuple[np.ndarray, np.ndarray]:
    epochs = min((len(curve) for curve in curves), default=0)
    if epochs == 0 or any(point.valid_quality is None for curve in curves for point in curve):
        raise InputError(
            f"the curve of {whose} has no validation quality. Train by epochs with a validation part; a head that is "
            "solved to its optimum has no curve."
        )
    quality = np.array([[point.valid_quality for point in curve[:epochs]] for curve in curves], dtype=np.float64)
    seconds = np.array([[point.seconds for point in curve[:epochs]] for curve in curves])
    return quality.mean(axis=0), seconds.mean(axis=0)


def _first(values: np.ndarray, level: float) -> int | None:
    found = np.flatnonzero(values >= level - 1e-12)
    return int(found[0]) if found.size else None
