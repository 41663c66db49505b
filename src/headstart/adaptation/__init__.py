"""Domain adaptation: labels in one domain, none in the other, and an honest account of what adapting gained."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.adaptation.across import across
from headstart.adaptation.entry import adapt
from headstart.adaptation.method import ADAPTATIONS, Adaptation, Domains, OnFeatures, adaptation
from headstart.adaptation.run import Adapted, load, load_run
from headstart.adaptation.stack import Stacked, load_stack, stack

__all__ = [
    "ADAPTATIONS",
    "Adaptation",
    "Adapted",
    "Domains",
    "OnFeatures",
    "Stacked",
    "across",
    "adapt",
    "adaptation",
    "load",
    "load_run",
    "load_stack",
    "stack",
]
