"""Targets: the labelled data a source is judged on, from files, tables, arrays and data sets by name.

Names are loaded when they are first used: how data are read (`Reading`) is known without the formats.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from headstart.data.reading import Reading

if TYPE_CHECKING:
    from headstart.data.formats.npz import read_arrays
    from headstart.data.open import open_target, open_unlabelled, unlabelled_target
    from headstart.data.order import limit, order_of, stratified_order
    from headstart.data.provenance import target_hash
    from headstart.data.sampling import sampled
    from headstart.data.summary import summarize
    from headstart.data.target import Examples, Target

__all__ = [
    "Examples",
    "Reading",
    "Target",
    "limit",
    "open_target",
    "open_unlabelled",
    "order_of",
    "read_arrays",
    "sampled",
    "stratified_order",
    "summarize",
    "target_hash",
    "unlabelled_target",
]

_HOMES = {
    "formats.npz": ("read_arrays",),
    "open": ("open_target", "open_unlabelled", "unlabelled_target"),
    "order": ("limit", "order_of", "stratified_order"),
    "provenance": ("target_hash",),
    "sampling": ("sampled",),
    "summary": ("summarize",),
    "target": ("Examples", "Target"),
}


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"headstart.data.{home}"), name)
