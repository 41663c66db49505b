"""Count parameters, products and outputs of every pretrained architecture of timm, without weights.

    python scripts/measure_timm.py src/headstart/sources/timm_sizes.json

About ten minutes on one core. Architectures already in the file are skipped; one that cannot run on the device `meta`
keeps its parameters and has none of the rest.
"""

import json
import sys
from pathlib import Path
from typing import Any

import headstart.torchvision_ops  # noqa: F401  before timm, which imports torchvision

import timm  # isort: skip
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Outputs(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts the numbers that operations put out: all but views of what is there, which take no time."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not (func.is_view or func._overloadpacket is torch.ops.aten._unsafe_view):
            self.count += sum(one.numel() for one in tree_leaves(made) if isinstance(one, torch.Tensor))
        return made


class Fused(TorchFunctionMode):
    """Counts attention as one operation, as it runs: its table of weights is never written."""

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self.outputs = outputs

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self.outputs.count
        made = func(*args, **(kwargs or {}))
        if func is torch.nn.functional.scaled_dot_product_attention:
            self.outputs.count = before + made.numel()
        return made


def measured(architecture: str) -> list[float | None]:
    """Millions of parameters, and for one image of the size that its default weights take:

    billions of products, and millions of numbers that its operations put out.
    """
    with torch.device("meta"):
        module = timm.create_model(architecture).eval()
    size = module.pretrained_cfg["input_size"]
    parameters = sum(one.numel() for one in module.parameters()) / 1e6
    outputs = Outputs()  # type: ignore[no-untyped-call]  # torch has no types here
    fused = Fused(outputs)
    try:
        with torch.no_grad(), torch.device("meta"), FlopCounterMode(display=False) as counter, outputs, fused:
            module(torch.empty(1, *size, device="meta"))
    except (RuntimeError, NotImplementedError, AssertionError, TypeError, ValueError):
        return [float(f"{parameters:.5g}"), None, None]
    return [
        float(f"{value:.3g}") if at else float(f"{value:.5g}")
        for at, value in enumerate((parameters, counter.get_total_flops() / 2e9, outputs.count / 1e6))
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
