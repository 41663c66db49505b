"""Source models: found by name, loaded with their own preprocessing, run once for features and logits.

The check of torch and torchvision comes first: this file runs before any other of the package.
"""

import headstart.torchvision_ops  # noqa: F401
from headstart.sources.build import build as build_source
from headstart.sources.candidate import Candidate
from headstart.sources.find import find, list_models
from headstart.sources.labels import imagenet_names
from headstart.sources.module import from_module
from headstart.sources.preparation import timm_preparation
from headstart.sources.source import Source
from headstart.sources.tiny_resnet import TinyResNet

__all__ = [
    "Candidate",
    "Source",
    "TinyResNet",
    "build_source",
    "find",
    "from_module",
    "imagenet_names",
    "list_models",
    "timm_preparation",
]
