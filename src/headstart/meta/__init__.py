"""Meta-transfer: networks that adapt a pretrained model to a new task from its examples, without training on it."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.meta.cnaps import Adapted, Cnaps
from headstart.meta.episodes import MetaTraining
from headstart.meta.stored import load, save
from headstart.meta.training import identity_of, meta_train

__all__ = ["Adapted", "Cnaps", "MetaTraining", "identity_of", "load", "meta_train", "save"]
