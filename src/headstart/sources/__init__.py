"""Source models: found by name, loaded with their own preprocessing, run once for features and logits.

The check of torch and torchvision comes first: this file runs before any other of the package.
"""

import headstart.torchvision_ops  # noqa: F401
from headstart.sources.candidate import Candidate
from headstart.sources.find import find, list_models
from headstart.sources.module import from_module
from headstart.sources.source import Source

__all__ = ["Candidate", "Source", "find", "from_module", "list_models"]
