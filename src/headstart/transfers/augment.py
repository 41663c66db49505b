"""Augmentation of a decoded image, before the source's own preprocessing; every draw comes from the given generator."""

from typing import Literal

import numpy as np
from PIL import Image, ImageEnhance

from headstart.errors import InputError

Augmentation = Literal["none", "light", "strong"]
AUGMENTATIONS: tuple[Augmentation, ...] = ("none", "light", "strong")


def augment(image: Image.Image, rng: np.random.Generator, strength: Augmentation) -> Image.Image:
    """A changed copy: "light" crops (to at least 70 % of the area) and mirrors; "strong" crops to a third and colours.

    Raises:
        InputError: It is no image, or `strength` is unknown.
    """
    check_augment(strength)
    if not isinstance(image, Image.Image):
        raise InputError("`augment` is for images; leave it at none for texts.")
    if strength == "none":
        return image
    image = _crop(image, rng, 0.7 if strength == "light" else 0.33)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if strength == "strong":
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhancer(image).enhance(rng.uniform(0.6, 1.4))
    return image


def check_augment(strength: str) -> None:
    """Raises InputError where `strength` is unknown."""
    if strength not in AUGMENTATIONS:
        raise InputError(f"`augment` must be one of {', '.join(AUGMENTATIONS)}; got {strength!r}.")


def _crop(image: Image.Image, rng: np.random.Generator, least: float) -> Image.Image:
    """A random box of a share of the area and an aspect within 3:4 of the image's, scaled back to its size."""
    width, height = image.size
    area, stretch = rng.uniform(least, 1.0), np.exp(rng.uniform(np.log(0.75), np.log(4 / 3)))
    w = min(width, max(1.0, width * np.sqrt(area * stretch)))
    h = min(height, max(1.0, height * np.sqrt(area / stretch)))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (float(left), float(top), float(left + w), float(top + h))
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
