"""Features and logits of a target's examples: one forward pass of a source, cached by content.

Names are loaded when they are first used: rows that are all cached are read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.extract.device import pick_device
    from headstart.extract.one_pass import extract

__all__ = ["extract", "pick_device"]

_NEED_TORCH = {"extract": "one_pass", "pick_device": "device"}  # name -> its file


def __getattr__(name: str) -> object:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module("headstart.torchvision_ops")  # says how to install torch, and makes torchvision load beside it
    return getattr(import_module(f"headstart.extract.{_NEED_TORCH[name]}"), name)
