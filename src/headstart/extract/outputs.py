"""Checks what a network returns, and reports what it raises."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from headstart.errors import HeadstartError, ModelError

Outputs = tuple[Tensor, Tensor | None]  # features (b, d) and logits (b, z), float32 on the CPU


class OutOfMemoryError(ModelError):
    """The device has no memory left."""


def guarded(call: Callable[[], Any], doing: str) -> Any:
    """Run foreign code; any error becomes a ModelError, an OutOfMemoryError where memory ran out."""
    try:
        return call()
    except HeadstartError:
        raise
    except Exception as error:  # foreign code may raise anything
        # on the CPU torch raises a plain RuntimeError, which only its text tells from others
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
            raise OutOfMemoryError(
                f"it needs more memory than there is in {doing} ({type(error).__name__}). "
                "Use a smaller `batch_size`, another `--device` or a smaller source."
            ) from error
        raise ModelError(f"it fails in {doing}: {type(error).__name__}: {error}") from error


def rows_of(outputs: object, count: int) -> Outputs:
    """Float32 features and logits on the CPU; ModelError if they are not (b, d) and (b, z) or None."""
    if not (isinstance(outputs, tuple) and len(outputs) == 2):
        raise ModelError(f"it must return (features, logits), got {type(outputs).__name__}.")
    for name, rows in zip(("features", "logits"), outputs, strict=True):
        if rows is None and name == "logits":
            continue
        if not isinstance(rows, Tensor) or rows.ndim != 2 or len(rows) != count:
            shape = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
            raise ModelError(f"its {name} must be a matrix with {count} rows, got {shape}.")
    features, logits = (None if rows is None else rows.to("cpu", torch.float32) for rows in outputs)
    assert features is not None
    return features, logits


def disagreement(outputs: Outputs, expected: Outputs) -> float:
    """Largest difference as a share of the largest expected value; infinite where shapes differ."""
    worst = 0.0
    for one, other in zip(outputs, expected, strict=True):
        if one is None or other is None or one.shape != other.shape:
            worst = max(worst, 0.0 if one is other else float("inf"))
        else:
            scale = max(float(other.abs().max()), torch.finfo(torch.float32).tiny)
            worst = max(worst, float((one - other).abs().max()) / scale)
    return worst
