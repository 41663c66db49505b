"""Processor-seconds of an image, by what a network takes: four networks fit two constants, others check them.

    python benchmarks/cost_model.py

Random weights, one thread, `extract` on JPEG photos at 224 pixels, decoding and hashing included: time that the
processor spent, so that other jobs do not count.
"""

import tempfile
import time
from pathlib import Path

import headstart.torchvision_ops  # noqa: F401  before timm

import timm  # isort: skip
import numpy as np
import torch
from extraction import make_photos

from headstart.data.target import Target
from headstart.extract import extract
from headstart.sources import from_module
from headstart.sources.facts import timm_size

FITTED = ("mobilenetv3_large_100", "resnet18", "resnet50", "vit_tiny_patch16_224")
CHECKED = (
    *("efficientnet_b0", "regnety_008", "poolformer_s12", "convnext_tiny"),
    *("vit_small_patch16_224", "swin_tiny_patch4_window7_224", "resmlp_12_224"),
)
PHOTOS = 24


def seconds(name: str, photos: Target) -> float:
    """Of one image, with the package's own forward pass."""
    source = from_module(timm.create_model(name), name=name)
    started = time.process_time()
    extract(photos, source, device="cpu", engine="eager")
    return (time.process_time() - started) / PHOTOS


def main() -> None:
    """The constants, then what they say of each network."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), PHOTOS, side=300)
        measured = {name: seconds(name, photos) for name in (*FITTED, *CHECKED)}
    sizes = {name: np.array(timm_size(name)[1:], float) for name in measured}  # products, activations
    weights = np.array([1 / measured[name] for name in FITTED])
    lines = np.stack([sizes[name] for name in FITTED]) * weights[:, None]
    product, activation = np.linalg.lstsq(lines, np.ones(len(FITTED)), rcond=None)[0]
    print(f"{1e12 * product:.3g} seconds for 10^12 products, {1e9 * activation:.3g} for 10^9 activations")
    for name, spent in measured.items():
        said = float(sizes[name] @ (product, activation))
        check = " check" * (name in CHECKED)
        print(f"{name}: {1000 * spent:.0f} ms, said {1000 * said:.0f} ms ({said / spent:.2f}){check}", flush=True)


if __name__ == "__main__":
    main()
