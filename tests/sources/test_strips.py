"""An image that is much longer than wide is prepared in little memory, and as the library's own transform does it."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.sources.preparation import ImageTransform, middle_of, timm_preparation

CONFIG = {"input_size": (3, 224, 224), "interpolation": "bicubic", "mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.mark.parametrize("size", [(6, 600), (600, 6), (7, 700), (6, 1001), (1001, 6)])
def test_the_middle_of_a_strip_is_prepared_as_the_whole(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    assert max(middle_of(image).size) < max(size)
    prepare = timm_preparation({**CONFIG, "crop_pct": 0.875, "crop_mode": "center"}).prepare
    assert isinstance(prepare, ImageTransform)
    ours, theirs = prepare(image), prepare.transform(image)
    assert float((ours - theirs).abs().max()) < 0.06  # the offset of the middle is rounded to whole pixels


def test_what_is_squashed_is_not_cut() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (2, 400, 3), dtype=np.uint8))
    squash = timm_preparation({**CONFIG, "crop_pct": 1.0, "crop_mode": "squash"}).prepare
    assert isinstance(squash, ImageTransform)
    assert not squash.crops
    assert torch.equal(squash(image), squash.transform(image))
    assert middle_of(image.crop((0, 0, 60, 2))).size == (60, 2)


def test_one_strip_does_not_raise_the_memory_of_a_run() -> None:
    script = f"""
import resource
from PIL import Image
import headstart.torchvision_ops
from headstart.sources.preparation import timm_preparation
prepare = timm_preparation({{**{CONFIG!r}, "crop_pct": 0.875, "crop_mode": "center"}}).prepare
prepare(Image.new("RGB", (300, 300)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepare(Image.new("RGB", (3, 6000)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert grown < 60_000  # KiB; the whole strip takes 400,000
