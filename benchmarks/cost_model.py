"""Processor-seconds of a forward pass and the products that it takes: three sizes fit a constant, others check it.

    python benchmarks/cost_model.py

Random weights, channels last, one thread, batches of 8: time that the processor spent, so that other jobs do not count.
"""

import time

import headstart.torchvision_ops  # noqa: F401  before timm

import timm  # isort: skip
import numpy as np
import torch

from headstart.sources.facts import timm_size

FITTED = ("mobilenetv3_large_100", "resnet18", "resnet50")
CHECKED = ("efficientnet_b0", "convnext_tiny", "vit_small_patch16_224")


def seconds(name: str, batches: int = 3) -> float:
    """Of one image."""
    module = timm.create_model(name).eval().to(memory_format=torch.channels_last)
    batch = torch.rand(8, 3, 224, 224).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        module(batch)
        started = time.process_time()
        for _ in range(batches):
            module(batch)
    return (time.process_time() - started) / (8 * batches)


def main() -> None:
    """The constant, then what it says of each."""
    torch.set_num_threads(1)
    measured = {name: seconds(name) for name in (*FITTED, *CHECKED)}
    products = {name: timm_size(name)[1] or 0.0 for name in measured}
    speeds = [products[name] / measured[name] for name in FITTED]
    constant = float(np.exp(np.mean(np.log(speeds))))
    sizes = ", ".join(f"{speed / 1e9:.0f}" for speed in speeds)
    print(f"{constant / 1e9:.1f} billion products a second (three sizes: {sizes})")
    for name, spent in measured.items():
        said = products[name] / constant
        check = " check" * (name in CHECKED)
        print(f"{name}: {1000 * spent:.0f} ms, said {1000 * said:.0f} ms ({said / spent:.2f}){check}")


if __name__ == "__main__":
    main()
