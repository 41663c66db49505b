"""Facts about models that are published, not computed: one table, `facts.json`, with its sources."""

import json
from functools import cache
from importlib import resources
from typing import Any

DATA_SETS = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "laion2b": "LAION-2B",
    "laion400m": "LAION-400M",
    "yfcc100m": "YFCC-100M",
    "datacompxl": "DataComp-XL",
    "lvd142m": "LVD-142M",
    "lvd1689m": "LVD-1689M",
    "webli": "WebLI",
    "ig1b": "Instagram-1B",
    "openai": "OpenAI's image-text pairs",
}


@cache
def table() -> dict[str, Any]:
    """The whole table: `zoo` (cards), `imagenet_top1` (accuracies by model) and `sources` (where both come from)."""
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


def trained_on(tag: str | None) -> str | None:
    """What the tag of a timm model says of its training data.

    Example:
        >>> trained_on("augreg_in21k_ft_in1k")
        'ImageNet-21k, then ImageNet-1k'
        >>> trained_on("untold") is None
        True
    """
    words = (tag or "").lower().split("_")
    found = [DATA_SETS[word] for word in words if word in DATA_SETS]
    return ", then ".join(dict.fromkeys(found)) or None
