"""`torchvision/NAME`: torchvision's classifiers with their DEFAULT weights and the transforms those weights bring."""

from functools import partial
from typing import Any

import torchvision.models as library

from headstart.errors import ModelError, ModelNameError, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources import hub
from headstart.sources.build import Preparation, build, stack
from headstart.sources.candidate import Candidate
from headstart.sources.names import is_glob, matching
from headstart.sources.preparation import ImageTransform
from headstart.sources.source import Source

PREFIX = "torchvision/"


def names() -> list[str]:
    """All image classifiers of torchvision."""
    return [PREFIX + name for name in library.list_models(module=library)]


def find(name: str, kind: Kind | None = None) -> list[Candidate]:
    """Candidates for `torchvision/NAME` or a glob of them.

    Raises:
        ModelError: There is no such model.
    """
    found = matching(name, names()) if is_glob(name) else [full for full in names() if full == name]
    if not found:
        raise ModelNameError(f"torchvision has no classifier `{name}`.{did_you_mean(name, names())}")
    return [candidate(full) for full in found]


def candidate(name: str) -> Candidate:
    """The candidate for one model; nothing is loaded."""
    return Candidate(card(name), partial(load, name))


def card(name: str) -> ModelCard:
    """What torchvision says of the model's DEFAULT weights."""
    weights = _weights(name)
    meta = weights.meta
    top1 = meta.get("_metrics", {}).get("ImageNet-1K", {}).get("acc@1")
    size = weights.transforms().crop_size[0]
    return ModelCard(
        name=name,
        kind="image",
        parameters=meta.get("num_params"),
        input_size=(3, size, size),
        num_classes=len(meta["categories"]),
        imagenet_top1=None if top1 is None else round(top1 / 100, 5),
        trained_on="Instagram-3.6B, then ImageNet-1k" if "SWAG" in weights.name else "ImageNet-1k",
        license=meta.get("license"),  # most weights state none
        url=meta.get("recipe"),
        local=hub.url_is_cached(weights.url),
    )


def load(name: str, trust_pickle: bool = False) -> Source:
    """Build the model with its DEFAULT weights, from torch's cache or the network; code in them is never run.

    Raises:
        OfflineError: The weights are not on this machine and there is no network.
        ModelError: They cannot be read.
    """
    weights = _weights(name)
    hub.require_url(weights.url, name)
    try:
        # torchvision would unpickle what it downloads; this reads the same cached file as plain tensors first
        weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
        module = library.get_model(name.removeprefix(PREFIX), weights=weights, progress=False)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{name}: its weights cannot be loaded: {error}") from error
    transform = weights.transforms()
    preparation = Preparation(ImageTransform(transform), stack, repr(transform))
    return build(module.eval(), card(name), preparation, classes=weights.meta["categories"])


def _weights(name: str) -> Any:
    return library.get_model_weights(name.removeprefix(PREFIX)).DEFAULT
