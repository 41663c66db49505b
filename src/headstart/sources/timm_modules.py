"""What a timm module tells about itself (its preprocessing, its classifier, its classes), and ImageNet's classes."""

from functools import cache
from typing import Any

from torch import nn

from headstart.records import ModelCard
from headstart.sources.build import Head, build_source
from headstart.sources.preparation import module_preparation
from headstart.sources.source import Source


def from_timm(module: nn.Module, card: ModelCard) -> Source:
    """A source from a timm module that carries its `pretrained_cfg`."""
    preparation = module_preparation(module)
    assert preparation is not None, "timm modules know their preprocessing"
    return build_source(module, card, preparation, head=head_names(module), classes=class_names(module))


def head_names(module: Any) -> Head:
    """Dotted names of the classifier that timm points at; None if it is empty; "auto" if timm points at none."""
    classifier = module.get_classifier() if hasattr(module, "get_classifier") else None
    parts = [classifier] if isinstance(classifier, nn.Module) else list(classifier or ())
    parts = [leaf for part in parts for leaf in (part if isinstance(part, nn.ModuleList) else [part])]
    if not parts:
        return "auto"
    if all(isinstance(part, nn.Identity) for part in parts):
        return None
    known = {id(part): name for name, part in module.named_modules()}
    return tuple(known[id(part)] for part in parts)


def class_names(module: nn.Module) -> tuple[str, ...] | None:
    """Names of the classes: the model's own, else ImageNet's where their number says which list it is."""
    config = getattr(module, "pretrained_cfg", {})
    count = getattr(module, "num_classes", None)
    own = config.get("label_names")
    if own and len(own) == count:
        described = config.get("label_descriptions") or {}
        return tuple(str(described.get(label, label)) for label in own)
    return imagenet_names(count)


@cache
def imagenet_names(count: int | None) -> tuple[str, ...] | None:
    """The names for a classifier with `count` outputs, or None where no ImageNet list has that length.

    Example:
        >>> imagenet_names(1000)[:2]
        ('tench, Tinca tinca', 'goldfish, Carassius auratus')
        >>> imagenet_names(7) is None
        True
    """
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        return None
    return tuple(ImageNetInfo(subset).label_descriptions())


def wordnet_name(label: str) -> str | None:
    """The first name of a WordNet id that ImageNet uses, or None.

    Example:
        >>> wordnet_name("n02084071"), wordnet_name("n99999999")
        ('dog', None)
    """
    from timm.data import ImageNetInfo

    try:
        described = ImageNetInfo("imagenet-21k").label_name_to_description(label)
    except (AssertionError, KeyError):
        return None
    return str(described).partition(",")[0]
