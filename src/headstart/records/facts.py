"""Facts that several records share: what was ranked, on what, and how to make the same numbers again."""

from dataclasses import dataclass, field

import numpy as np

from headstart.records.shown import Brief

Kind = str  # a name in `headstart.data.media.MEDIA`


@dataclass(frozen=True)
class Provenance:
    """Enough to make the same numbers again: hashes, versions, seed and the command."""

    command: str
    seed: int
    created: str  # ISO 8601, UTC
    versions: dict[str, str]
    target_hash: str
    source_hashes: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"  # of the arithmetic in training


@dataclass(frozen=True, repr=False)
class TargetSummary(Brief):
    """What a reader must know of the labelled data without having it."""

    name: str
    kind: Kind
    task: str
    n: int
    split: str | None
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # examples per class, in the order of `classes`
    samples: dict[str, tuple[str, ...]] = field(default_factory=dict)  # class -> data URIs of thumbnails, or texts
    notes: tuple[str, ...] = ()  # what was guessed, skipped or set aside
    skipped: dict[str, str] = field(default_factory=dict)  # id of an unreadable example -> why
    pictures: bool = True  # the samples are thumbnails, not texts


@dataclass(frozen=True)
class ModelCard:
    """Static facts about a source model, known without running it (unknown ones are None)."""

    name: str  # e.g. "zoo/efficientnet_lite0"
    kind: Kind
    parameters: int | None = None
    input_size: tuple[int, int, int] | None = None  # channels, height, width
    num_classes: int | None = None  # None: the source has no classifier
    imagenet_top1: float | None = None  # accuracy in [0, 1] as published
    trained_on: str | None = None
    license: str | None = None
    url: str | None = None
    local: bool = True  # False: loading it may need a network
    family: str | None = None  # of architectures, as its library groups them: "resnet", "vision_transformer"
    revision: str | None = None  # commit of the hub's repository that the weights came from
    products: float | None = None  # multiplications and additions for one example
    activations: float | None = None  # numbers that its operations put out for one example

    def reads(self, kind: Kind) -> bool:
        """Whether the source is for that kind of data.

        Example:
            >>> ModelCard("zoo/tiny_digits", "image").reads("text")
            False
        """
        return self.kind == kind


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
