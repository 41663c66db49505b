"""The settings of a training, checked once."""

from dataclasses import dataclass, fields
from math import isinf
from typing import Literal

import torch

from headstart.errors import InputError
from headstart.train.schedule import SCHEDULES, Schedule

Precision = Literal["fp32", "bf16", "auto"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "auto")


def precision_on(device: torch.device | str, wanted: Precision) -> Precision:
    """What "auto" means on a device: "bf16" on a graphics card that computes in it, else "fp32".

    Most processors only imitate half width, several times more slowly than they compute in float32.

    Example:
        >>> precision_on("cpu", "auto"), precision_on("cpu", "bf16")
        ('fp32', 'bf16')
    """
    if wanted != "auto":
        return wanted
    fast = torch.device(device).type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if fast else "fp32"


@dataclass(frozen=True)
class Training:
    """How long, how and with which regularisation a network is trained. Rates belong to the groups.

    Args:
        warmup: Share of all steps over which the rate rises.
        patience: Stop after so many epochs without a better validation quality; None: run all epochs.
        smoothing: Label smoothing in [0, 1).
        mixup: Parameter of the Beta distribution that mixes pairs of images; 0: no mixing.
        l2_sp: Strength of the pull back to the pretrained weights (L2-SP, Li et al. 2018); 0: none.
        clip: Largest norm of the gradient; None: not clipped.
        precision: "bf16" computes the forward pass in half width (weights and steps stay whole); "auto" does where the
            device is fast at it, see `precision_on`.
        keep_statistics: Batch norm keeps its pretrained statistics even where its weights train. Needed for networks
            whose batch norm was folded into the convolutions.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    patience: int | None = None
    smoothing: float = 0.0
    mixup: float = 0.0
    l2_sp: float = 0.0
    clip: float | None = None
    precision: Precision = "fp32"
    keep_statistics: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError where a setting is out of its range."""
        for name, low in (
            ("epochs", 1),
            ("batch_size", 1),
            ("weight_decay", 0),
            ("mixup", 0),
            ("l2_sp", 0),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not value >= low:  # nan is not
                raise InputError(f"`{name}` must be at least {low}; got {value}.")
            if isinf(value):
                raise InputError(f"`{name}` must be finite; got {value}.")
        for name in ("warmup", "smoothing", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"`{name}` must lie in [0, 1); got {getattr(self, name)}.")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"`patience` must be at least 1 epoch, or None; got {self.patience}.")
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"`clip` must be greater than 0, or None; got {self.clip}.")
        for name, known in (
            ("optimizer", ("adamw", "sgd")),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise InputError(f"`{name}` must be one of {', '.join(known)}; got {getattr(self, name)!r}.")


SETTINGS = tuple(field.name for field in fields(Training) if field.name != "seed")
