"""The settings of a training by epochs."""

from dataclasses import dataclass
from typing import Literal

import torch

from headstart.records.options import check_options, option
from headstart.train.schedule import Schedule

Precision = Literal["fp32", "bf16", "auto"]
Augmentation = Literal["none", "light", "strong"]


def precision_on(device: torch.device | str, wanted: Precision) -> Precision:
    """What "auto" means on a device: "bf16" on a graphics card that computes in it, else "fp32".

    Most processors only emulate half width, several times more slowly than they compute in float32.

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
    """How long, how and with which regularisation a network is trained. Learning rates belong to the groups.

    `keep_statistics` is needed for networks whose batch norm was folded into the convolutions.

    Raises:
        InputError: A setting has the wrong type, is out of range, or has no effect beside the others.
    """

    epochs: int = option(20, "Passes over the training part", low=1)
    batch_size: int = option(32, "Examples per step", low=1)
    optimizer: Literal["adamw", "sgd"] = option("adamw", "Optimizer")
    momentum: float = option(0.9, "Momentum of SGD", low=0, below=1, needs={"optimizer": ["sgd"]})
    weight_decay: float = option(0.01, "Weight decay of matrices; biases and norms have none", low=0)
    schedule: Schedule = option("cosine", "How the learning rate changes over the steps")
    warmup: float = option(
        0.1,
        "Share of the steps with a rising learning rate",
        low=0,
        below=1,
        needs={"schedule": ["constant", "cosine"]},
    )
    patience: int | None = option(
        None, "Stop after this many epochs without a better validation quality", low=1, usual="never"
    )
    metric: str | None = option(
        None,
        "Metric that picks the best epoch and by which results are compared (accuracy, balanced_accuracy, macro_f1, "
        "roc_auc, pr_auc, r2, mae)",
        usual="the first of the task",
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "Weights of the classes in the loss; balanced makes all classes count alike"
    )
    balanced_sampling: bool = option(False, "Draw each epoch's examples so that all classes are equally frequent")
    smoothing: float = option(0.0, "Label smoothing, for classification", low=0, below=1)
    mixup: float = option(0.0, "Mixup of pairs of images: the parameter of its Beta distribution", low=0)
    l2_sp: float = option(0.0, "Strength of the L2 pull towards the pretrained weights (L2-SP)", low=0)
    clip: float | None = option(None, "Largest norm of the gradient", above=0, usual="not clipped")
    precision: Precision = option(
        "fp32", "Arithmetic of the forward pass; auto picks bf16 where the device is fast at it"
    )
    keep_statistics: bool = option(False, "Keep the pretrained batch-norm statistics")
    augment: Augmentation = option("none", "Random changes to training images")
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every setting."""
        check_options(self)
