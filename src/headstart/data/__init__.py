"""Targets: the labelled data a source is judged on, from files, tables, arrays and data sets by name."""

from headstart.data.formats.npz import read_arrays
from headstart.data.open import open_target, open_unlabelled, unlabelled_target
from headstart.data.order import limit, order_of, stratified_order
from headstart.data.provenance import target_hash
from headstart.data.reading import Reading
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
