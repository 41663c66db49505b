"""What one source's forward pass over one target leaves."""

from dataclasses import dataclass, field

import numpy as np

from headstart.records.facts import ModelCard
from headstart.records.shown import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Extraction(Brief):
    """One source's forward pass over one target: everything a score can ask for."""

    source: str
    labels: np.ndarray  # (n,) class codes; (n,) or (n, t) floats for regression; (n, C) of 0/1 for multi-label
    ids: tuple[str, ...]  # (n,) stable names of the examples
    features: np.ndarray | None = None  # (n, d): what goes into the head
    logits: np.ndarray | None = None  # (n, z) over the source's classes; None without a classifier
    source_classes: tuple[str, ...] | None = None  # names of the z columns, where known
    card: ModelCard | None = None
    layer: str = ""
    fingerprint: str = ""  # hash of weights, preprocessing and layer
    seconds: float = 0.0  # spent on forward passes, decoding included; 0 when all came from the cache
    computed: int = 0  # rows that this call sent through the network; the others came from the cache
    skipped: dict[str, str] = field(default_factory=dict)  # id of an unreadable example -> why
    engine: str = ""  # what ran the network for the computed rows: "eager", "eager, then onnxruntime"; "" for none
    notes: tuple[str, ...] = ()  # what a reader should know: damaged cache rows, an engine that was refused
