"""Ways to transfer a source to a target: `transfer` carries one out, and each method is one file of `methods`."""

import headstart.torchvision_ops  # noqa: F401  first: it says how to install torch where it is missing
from headstart.transfers import methods
from headstart.transfers.method import METHODS, Method, Recipe, method
from headstart.transfers.network import transferable, whole_groups
from headstart.transfers.parts import hold_out
from headstart.transfers.run import Answers, Run
from headstart.transfers.saved import load
from headstart.transfers.single import Preview, preview, transfer

__all__ = [
    "METHODS",
    "Answers",
    "Method",
    "Preview",
    "Recipe",
    "Run",
    "hold_out",
    "load",
    "method",
    "methods",
    "preview",
    "transfer",
    "transferable",
    "whole_groups",
]
