"""From a target and a source to features and logits: one forward pass, kept by content."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.extract.device import pick_device
from headstart.extract.extract import Progress, extract

__all__ = ["Progress", "extract", "pick_device"]
