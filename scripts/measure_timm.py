"""Count parameters, products and outputs of every pretrained architecture of timm, without weights.

    python scripts/measure_timm.py src/headstart/sources/timm_sizes.json

About ten minutes on one core. Architectures already in the file are skipped; one that cannot run on the device `meta`
keeps its parameters and has none of the rest.
"""

import json
import sys
from pathlib import Path

import headstart.torchvision_ops  # noqa: F401  before timm, which imports torchvision

import timm  # isort: skip
import torch
from torch.utils.flop_counter import FlopCounterMode

LAYERS = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)


def measured(architecture: str) -> list[float | None]:
    """Millions of parameters, and for one image of the size that its default weights take:

    billions of products, and millions of numbers that its convolutions and linear layers put out.
    """
    with torch.device("meta"):
        module = timm.create_model(architecture).eval()
    size = module.pretrained_cfg["input_size"]
    parameters = sum(one.numel() for one in module.parameters()) / 1e6
    outputs = [0]

    def count(layer: torch.nn.Module, given: object, made: torch.Tensor) -> None:
        outputs[0] += made.numel()

    for layer in module.modules():
        if isinstance(layer, LAYERS):
            layer.register_forward_hook(count)
    try:
        with torch.no_grad(), torch.device("meta"), FlopCounterMode(display=False) as counter:
            module(torch.empty(1, *size, device="meta"))
    except (RuntimeError, NotImplementedError, AssertionError, TypeError, ValueError):
        return [float(f"{parameters:.5g}"), None, None]
    return [
        float(f"{value:.3g}") if at else float(f"{value:.5g}")
        for at, value in enumerate((parameters, counter.get_total_flops() / 2e9, outputs[0] / 1e6))
    ]


def main(place: Path) -> None:
    """Measure what the file lacks."""
    found: dict[str, list[float | None]] = json.loads(place.read_text()) if place.exists() else {}
    names = sorted({name.split(".")[0] for name in timm.list_models(pretrained=True)})
    for at, architecture in enumerate(names):
        if len(found.get(architecture, ())) < 3:
            found[architecture] = measured(architecture)
            if at % 50 == 0:
                place.write_text(json.dumps(found))  # a killed run resumes
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found[name])}" for name in names)
    place.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
