"""The training loop, the blocks it freezes and thaws, and heads on fixed features."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.train.batches import TensorBatches, batches_of
from headstart.train.groups import Group
from headstart.train.head import fit_head
from headstart.train.head_sgd import fit_heads_sgd
from headstart.train.loop import fit
from headstart.train.outputs import outputs_of
from headstart.train.training import Precision, Training

__all__ = [
    "Group",
    "Precision",
    "TensorBatches",
    "Training",
    "batches_of",
    "fit",
    "fit_head",
    "fit_heads_sgd",
    "outputs_of",
]
