"""Any `nn.Module` as a source: its head found or named, its preprocessing given or carried by the module."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from headstart.data.media import MEDIA
from headstart.errors import InputError, about, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources.build import Head, Preparation, build_source, stack
from headstart.sources.fingerprint import behaviour
from headstart.sources.own_code import own_code
from headstart.sources.preparation import module_preparation
from headstart.sources.source import Source


def from_module(
    module: nn.Module,
    *,
    head: Head = "auto",
    prepare: Callable[[object], object] | None = None,
    collate: Callable[[list[Any]], object] | None = None,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    kind: Kind = "image",
) -> Source:
    """Make a source of a module, which is not edited.

    Args:
        module: Maps a batch to logits (b, z), or to an embedding (b, d) where `head` is None.
        head: Dotted name of the classifier, whose input is the features; several names if the model averages them;
            None if there is no classifier; "auto" to find it from one forward pass.
        prepare: The model's own preprocessing of one example: an RGB PIL image to a float tensor (c, h, w), or a text
            to what `collate` takes. Not needed for modules of timm and sentence-transformers, which carry theirs.
        collate: Joins prepared examples to a batch; stacks tensors by default.
        name: What the ranking calls it.
        classes: Names of the source's classes, in the order of its outputs.
        kind: "image" or "text".

    Raises:
        InputError: No preprocessing is given and the module carries none, or it is random; there is no such `kind`.
        ModelError: The head cannot be found, or the module does not run.

    Example:
        >>> import numpy as np, torch
        >>> module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
        >>> def prepare(image):
        ...     return torch.from_numpy(np.array(image.resize((8, 8)))).permute(2, 0, 1) / 255
        >>> source = from_module(module, prepare=prepare)
        >>> source.head, source.card.num_classes
        ('2', 2)
    """
    readable = [name for name, medium in MEDIA.items() if not medium.computed]
    if kind not in readable:
        raise InputError(f"`kind` must be {' or '.join(readable)}; got {kind!r}.{did_you_mean(str(kind), readable)}")
    name = name or f"module/{type(module).__name__}"
    if prepare is None and is_sentence_encoder(module):
        from headstart.sources.texts import from_sentence_transformer

        with about(name):
            return from_sentence_transformer(module, ModelCard(name=name, kind="text"))
    card = ModelCard(name=name, kind=kind)
    if prepare is not None:
        preparation = Preparation(prepare, collate or stack, _described(prepare, collate, kind))
    elif (carried := module_preparation(module)) is not None:
        preparation = carried
    else:
        raise InputError(
            f"`prepare` is needed: {name} does not say how its inputs are made, and a wrong size or scale changes "
            "rankings in silence. Pass `headstart.from_module(module, prepare=...)`."
        )
    if head == "auto" and hasattr(module, "get_classifier") and getattr(module, "pretrained_cfg", None):
        from headstart.sources.timm_modules import class_names, head_names

        head, classes = head_names(module), classes or class_names(module)
    with about(name):
        return build_source(module, card, preparation, head=head, classes=classes)


def _described(prepare: Callable[[object], object], collate: Callable[[list[Any]], object] | None, kind: Kind) -> str:
    own = bool(own_code(prepare, collate)[0])
    does = "does " + behaviour(prepare, kind, own=own)
    if collate is not None:
        does += f" joined {behaviour(lambda example: collate([prepare(example)]), kind, own=own)}"
    return does


def is_sentence_encoder(module: nn.Module) -> bool:
    # by name, so that asking does not import the library
    return any(cls.__name__ == "SentenceTransformer" for cls in type(module).__mro__)
