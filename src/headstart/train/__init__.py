"""The training loop, the blocks it freezes and thaws, and heads on fixed features."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
