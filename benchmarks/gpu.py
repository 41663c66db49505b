"""Images per second of `extract` against a bare loop, on a graphics card or a processor, and what to expect.

    python benchmarks/gpu.py --out expect.json                       # a card: 10 minutes at most
    python benchmarks/gpu.py --device cpu --models resnet18 --images 64   # the same code where there is none

The bare loop is `for x in batches: network(x.to(device))` in fp32 with batches of 64 and no gradients, on pictures that
are decoded and prepared already; `extract` also decodes. Both run twice, and the second run counts. A row tells how far
the features are from those of the bare loop.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import headstart.torchvision_ops  # noqa: F401  before timm

import timm  # isort: skip
import numpy as np
import torch
from extraction import Prepared, make_photos
from torch.utils.data import DataLoader

from headstart.data.target import Target
from headstart.extract import extract
from headstart.extract.device import pick_device
from headstart.sources import Source, from_module

MODELS = ("resnet18", "resnet50", "efficientnet_b0", "convnext_tiny", "vit_small_patch16_224")
BATCH = 64


@dataclass(frozen=True)
class Speed:
    """Images per second of one network."""

    model: str
    precision: str
    bare: float
    extract: float
    difference: float  # of the features from those of the bare loop, as a share of the largest
    memory_gb: float  # the most that was allocated on the card


def bare_loop(batches: Sequence[torch.Tensor], source: Source, device: torch.device) -> np.ndarray:
    """Features by a plain loop."""
    network = source.network.to(device)
    with torch.inference_mode():
        return torch.cat([network(batch.to(device))[0].float().cpu() for batch in batches]).numpy()


def rate(call: Callable[[], np.ndarray], count: int, device: torch.device) -> tuple[np.ndarray, float]:
    """What the second call returns, and images per second."""
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    found = call()
    return found, count / (time.perf_counter() - started)


def measured(name: str, photos: Target, device: torch.device, precisions: Sequence[str]) -> list[Speed]:
    """Both sides for one network."""
    source = from_module(timm.create_model(name), name=name)
    loader = DataLoader(Prepared(photos, source), BATCH, collate_fn=source.collate)
    plain, bare = rate(partial(bare_loop, list(loader), source, device), len(photos), device)
    source.network.cpu()
    found = []
    for precision in precisions:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

        def ours(precision: str = precision) -> np.ndarray:
            features = extract(photos, source, device=str(device), precision=precision).features
            assert features is not None
            return features

        features, speed = rate(ours, len(photos), device)
        memory = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0
        far = float(np.abs(features - plain).max() / np.abs(plain).max())
        found.append(Speed(name, precision, round(bare, 1), round(speed, 1), far, round(memory, 2)))
    return found


def main() -> None:
    """Measure, print one line each, and write what to expect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    device = pick_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads, {given.images} images", flush=True)
    rows: list[Speed] = []
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), given.images, side=300)
        for model in given.models:
            for one in measured(model, photos, device, given.precision):
                print(
                    f"{one.model} {one.precision}: bare {one.bare:.0f}/s, extract {one.extract:.0f}/s "
                    f"({one.extract / one.bare:.2f}), off by {one.difference:.0e}, {one.memory_gb} GB",
                    flush=True,
                )
                rows.append(one)
    if given.out:
        given.out.write_text(json.dumps({"device": name, "rows": [asdict(one) for one in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
