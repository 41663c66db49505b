"""Ways to transfer: one file each, one table of them all, and `transfer`, which carries one out."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.transfers.adapt import Preview, preview, transfer
from headstart.transfers.network import transferable, whole_groups
from headstart.transfers.parts import hold_out
from headstart.transfers.run import Answers, Run
from headstart.transfers.saved import load
from headstart.transfers.table import STRATEGIES, Strategy

__all__ = [
    "STRATEGIES",
    "Answers",
    "Preview",
    "Run",
    "Strategy",
    "hold_out",
    "load",
    "preview",
    "transfer",
    "transferable",
    "whole_groups",
]
