"""`timm/NAME`: pretrained models of timm, with the preprocessing each was trained for."""

from functools import partial
from pathlib import Path
from typing import Any

import timm
from torch import nn

from headstart.errors import ModelError, ModelNameError, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources import facts, hub
from headstart.sources.build import Head, build
from headstart.sources.candidate import Candidate
from headstart.sources.labels import imagenet_names
from headstart.sources.names import is_glob, matching
from headstart.sources.preparation import module_preparation
from headstart.sources.source import Source

PREFIX = "timm/"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def names() -> list[str]:
    """All models with pretrained weights, tag included: `timm/resnet18.a1_in1k`."""
    return [PREFIX + name for name in timm.list_models(pretrained=True)]


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """Candidates for `timm/NAME` or a glob of them; a name without a tag is the one timm calls default.

    Raises:
        ModelError: There is no such model, or it has no pretrained weights (a random network is never ranked).
    """
    if is_glob(name):
        found = matching(name, names()) or matching(name + ".*", names())
        if not found:
            raise ModelNameError(f"no pretrained timm model fits `{name}`.{did_you_mean(name, names())}")
        return [candidate(full) for full in found]
    return [candidate(PREFIX + resolve(name.removeprefix(PREFIX)))]


def resolve(name: str) -> str:
    """The full name of a pretrained model, its tag included.

    Raises:
        ModelError: There is no such model, or no such weights.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        known = [PREFIX + model for model in timm.list_models()] if not tag else names()
        raise ModelNameError(f"timm has no model `{name}`.{did_you_mean(PREFIX + name, known)}")
    if not timm.is_model_pretrained(name):
        pretrained = [PREFIX + full for full in timm.list_models(f"{architecture}.*", pretrained=True)]
        if pretrained:
            raise ModelNameError(
                f"timm has no weights `{tag}` for {architecture}.{did_you_mean(PREFIX + name, pretrained)}"
            )
        raise ModelNameError(
            f"timm has no pretrained weights for `{name}`, and a random network has nothing to transfer. "
            "`headstart models 'timm/*'` lists those that have."
        )
    config = timm.get_pretrained_cfg(name)
    return f"{architecture}.{config.tag}" if config.tag else architecture


def candidate(name: str) -> Candidate:
    """The candidate for a full name; nothing is loaded."""
    model = name.removeprefix(PREFIX)
    return Candidate(card(name), partial(load, model))


def card(name: str) -> ModelCard:
    """What timm knows of a model without building it."""
    model = name.removeprefix(PREFIX)
    config = timm.get_pretrained_cfg(model)
    return ModelCard(
        name=name,
        kind="image",
        input_size=tuple(config.input_size),
        num_classes=config.num_classes or None,
        imagenet_top1=facts.imagenet_top1(name),
        trained_on=facts.trained_on(config.tag),
        license=config.license,
        url=config.origin_url,
        local=bool(_cached(config)),
    )


def load(model: str, trust_pickle: bool = False) -> Source:
    """Build the model with its weights, from the cache or the hub.

    Raises:
        OfflineError: The weights are not on this machine and there is no network.
        ModelError: They cannot be read or do not fit.
    """
    name = PREFIX + model
    config = timm.get_pretrained_cfg(model)
    overlay: dict[str, Any] = {}
    if config.custom_load == "hf":
        hub.hub_file(config.hf_hub_id, (config.hf_hub_filename,), model=name)
    elif config.hf_hub_id:
        files = (config.hf_hub_filename,) if config.hf_hub_filename else WEIGHTS
        overlay = {"file": str(hub.hub_file(config.hf_hub_id, files, model=name)), "custom_load": False}
    else:
        hub.require_url(config.url, name)
    try:
        module = timm.create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)
    except (RuntimeError, OSError, KeyError) as error:
        raise ModelError(f"{name}: its weights cannot be loaded: {error}") from error
    return from_timm(module, card(name))


def from_timm(module: nn.Module, card: ModelCard) -> Source:
    """A source from a timm module that carries its `pretrained_cfg`."""
    preparation = module_preparation(module)
    assert preparation is not None, "timm modules know their preprocessing"
    classes = class_names(module)
    return build(module, card, preparation, head=head_names(module), classes=classes)


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


def _cached(config: Any) -> Path | bool | None:
    if config.hf_hub_id:
        return hub.cached_file(config.hf_hub_id, (config.hf_hub_filename,) if config.hf_hub_filename else WEIGHTS)
    return hub.url_is_cached(config.url)
