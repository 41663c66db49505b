"""Facts about models that are published, not computed: one table, `facts.json`, with its sources."""

import json
from functools import cache
from importlib import resources
from typing import Any


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


@cache
def _timm_sizes() -> dict[str, tuple[float, float | None]]:
    found: dict[str, tuple[float, float | None]] = json.loads(
        resources.files("headstart.sources").joinpath("timm_sizes.json").read_text(encoding="utf-8")
    )
    return found


def timm_size(architecture: str) -> tuple[int | None, float | None]:
    """Parameters, and products for one image, of an architecture of timm; counted by `scripts/measure_timm.py`.

    Example:
        >>> timm_size("resnet50")
        (25557000, 4090000000.0)
        >>> timm_size("no_such_model")
        (None, None)
    """
    parameters, products = _timm_sizes().get(architecture, (None, None))
    return None if parameters is None else round(parameters * 1e6), None if products is None else products * 1e9


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
