"""Facts about models that are published, not computed: one table, `facts.json`, with its sources."""

import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple


@cache
def table() -> dict[str, Any]:
    """The table: `zoo` (cards), `imagenet_top1` by model, `sources` (where both come from), `data_sets` by tag."""
    found: dict[str, Any] = json.loads(
        resources.files("headstart.sources").joinpath("facts.json").read_text(encoding="utf-8")
    )
    return found


def imagenet_top1(name: str) -> float | None:
    """Published ImageNet-1k top-1 accuracy in [0, 1] of `timm/...`; None where the table has none.

    Example:
        >>> imagenet_top1("timm/no_such_model") is None
        True
    """
    found: dict[str, float] = table()["imagenet_top1"]
    return found.get(name)


class Size(NamedTuple):
    """What a network takes for one image; None where it is not known."""

    parameters: int | None = None
    products: float | None = None
    activations: float | None = None  # numbers that its operations put out


@cache
def _timm_sizes() -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = json.loads(
        resources.files("headstart.sources").joinpath("timm_sizes.json").read_text(encoding="utf-8")
    )
    return found


def timm_size(architecture: str) -> Size:
    """The size of an architecture of timm, counted by `scripts/measure_timm.py`.

    Example:
        >>> timm_size("resnet50")
        Size(parameters=25557000, products=4090000000.0, activations=38000000.0)
        >>> timm_size("no_such_model").products is None
        True
    """
    parameters, products, activations = _timm_sizes().get(architecture, [None] * 3)
    count = None if parameters is None else round(parameters * 1e6)
    return Size(count, products and products * 1e9, activations and activations * 1e6)


def trained_on(tag: str | None) -> str | None:
    """What the tag of a timm model says of its training data.

    Example:
        >>> trained_on("augreg_in21k_ft_in1k")
        'ImageNet-21k, then ImageNet-1k'
        >>> trained_on("untold") is None
        True
    """
    data_sets: dict[str, str] = table()["data_sets"]
    found = [data_sets[word] for word in (tag or "").lower().split("_") if word in data_sets]
    return ", then ".join(dict.fromkeys(found)) or None
