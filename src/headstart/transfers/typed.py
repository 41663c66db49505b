"""The flat keywords of `transfer`, for a type checker; a test compares them with the dataclasses they stand for."""

from typing import Literal

from headstart.data.reading import ReadingOptions
from headstart.sources.source import Source
from headstart.train.schedule import Schedule
from headstart.train.training import Augmentation, Precision


class TransferOptions(ReadingOptions, total=False):
    """Options of the methods, settings of a training and how data are read; None leaves a value to its default."""

    alpha: float | None
    augment: Augmentation | None
    balanced_sampling: bool | None
    batch_size: int | None
    blocks: int | None
    bottleneck: int | None
    class_names: str | None
    class_weights: Literal["none", "balanced"] | None
    clip: float | None
    decay: float | None
    dropout: float | None
    epochs: int | None
    keep_statistics: bool | None
    l2_sp: float | None
    layer: str | None
    metric: str | None
    mix: float | None
    mixup: float | None
    momentum: float | None
    optimizer: Literal["adamw", "sgd"] | None
    patience: int | None
    penalty: float | None
    precision: Precision | None
    prompt: int | None
    rank: int | None
    rate: float | None
    ratio: float | None
    schedule: Schedule | None
    share: float | None
    smoothing: float | None
    solver: Literal["lbfgs", "sgd"] | None
    teacher: str | Source | None
    temperature: float | None
    templates: str | None
    top: float | None
    warm_start: bool | None
    warmup: float | None
    weight_decay: float | None
