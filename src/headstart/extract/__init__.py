"""Features and logits of a target's examples: one forward pass of a source, cached by content."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.extract.device import pick_device
from headstart.extract.extract import extract

__all__ = ["extract", "pick_device"]
