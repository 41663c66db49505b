"""Source models: found by name, loaded with their own preprocessing, run once for features and logits.

Names are loaded when they are first used: models are found and listed without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from headstart.sources.adapters import ADAPTERS, Adapter, Candidate, adapter
from headstart.sources.lookup import candidates, list_models

if TYPE_CHECKING:
    from headstart.sources.build import build_source
    from headstart.sources.module import from_module
    from headstart.sources.preparation import timm_preparation
    from headstart.sources.source import Source
    from headstart.sources.timm_modules import imagenet_names
    from headstart.sources.tiny_resnet import TinyResNet

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Candidate",
    "Source",
    "TinyResNet",
    "adapter",
    "build_source",
    "candidates",
    "from_module",
    "imagenet_names",
    "list_models",
    "timm_preparation",
]

_NEED_TORCH = {
    "Source": "source",
    "TinyResNet": "tiny_resnet",
    "build_source": "build",
    "from_module": "module",
    "imagenet_names": "timm_modules",
    "timm_preparation": "preparation",
}  # name -> its file


def __getattr__(name: str) -> object:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("headstart.torchvision_ops")  # says how to install torch, and makes torchvision load beside it
    return getattr(import_module(f"headstart.sources.{_NEED_TORCH[name]}"), name)
