"""Learning-rate schedules as pure functions of the step: nothing to save, so nothing to restore wrongly."""

import math
from typing import Literal

from headstart.errors import InputError

Schedule = Literal["constant", "cosine", "slanted"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "cosine", "slanted")


def multiplier(schedule: Schedule, step: int, steps: int, *, warmup: float = 0.0) -> float:
    """The share of the peak rate at `step` of `steps`, in (0, 1].

    Args:
        schedule: "constant"; "cosine" (half a cosine down to 0); or "slanted" (ULMFiT's slanted triangle).
        step: Counted from 0.
        steps: All steps of the training.
        warmup: Share of the steps over which the rate rises linearly first. The slanted triangle has its own rise.

    Example:
        >>> [round(multiplier("cosine", step, 4), 3) for step in range(4)]
        [1.0, 0.854, 0.5, 0.146]
    """
    if schedule not in SCHEDULES:
        raise InputError(f"`schedule` must be one of {', '.join(SCHEDULES)}; got {schedule!r}.")
    if schedule == "slanted":
        return slanted_triangular(step, steps)
    rise = int(warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if schedule == "constant":
        return 1.0
    return (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2


def slanted_triangular(step: int, steps: int, *, cut: float = 0.1, ratio: float = 32) -> float:
    """ULMFiT's schedule: a short linear rise over the share `cut` of the steps, then a long linear fall to 1 / `ratio`.

    Reference: Howard and Ruder, "Universal Language Model Fine-tuning", ACL 2018, eq. 3.
    https://arxiv.org/abs/1801.06146

    Example:
        >>> [slanted_triangular(step, 100) for step in (0, 10)]
        [0.03125, 1.0]
        >>> slanted_triangular(0, 1)  # a single step is at the peak
        1.0
    """
    if steps == 1:
        return 1.0
    peak = max(1, int(steps * cut))
    share = step / peak if step < peak else 1 - (step - peak) / (peak * (1 / cut - 1))
    return (1 + max(0.0, share) * (ratio - 1)) / ratio
