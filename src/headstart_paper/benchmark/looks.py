"""The same pictures in another look: in grey, blurred, in negative, in other colours, or drawn over photos."""

from collections.abc import Callable

import numpy as np

from headstart.errors import InputError
from headstart_paper.benchmark.recipes import Look


def change_look(images: np.ndarray, look: Look, seed: int, photos: np.ndarray | None = None) -> np.ndarray:
    """The pictures in a look; what is random about it is drawn for each picture from `seed`.

    Args:
        images: (n, h, w, 3) uint8. "coloured" and "on photos" read their brightness as how much ink covers a pixel.
        look: "blurred" keeps means of 4 x 4 pixels and adds noise.
        photos: (m, h, w, 3) uint8 grounds for "on photos".

    Returns:
        (n, h, w, 3) uint8.

    Raises:
        InputError: "on photos" without photos.
    """
    rng = np.random.default_rng([seed, sum(map(ord, look))])
    if look == "plain":
        return images
    if look == "on photos":
        if photos is None:
            raise InputError("the look 'on photos' needs `photos` to draw on.")
        grounds = photos[rng.integers(0, len(photos), len(images))]
        return _drawn(images, grounds, rng)
    return _ALONE[look](images, rng)


def _grey(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(_brightness(images), 3, axis=3)


def _negative(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 255 - images


def _blurred(images: np.ndarray, rng: np.random.Generator, block: int = 4, noise: float = 20.0) -> np.ndarray:
    n, h, w, c = images.shape
    means = images.reshape(n, h // block, block, w // block, block, c).mean(axis=(2, 4))
    large = means.repeat(block, axis=1).repeat(block, axis=2)
    return _bytes(large + noise * rng.standard_normal(images.shape, dtype=np.float32))


def _coloured(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grounds = rng.integers(0, 256, (len(images), 1, 1, 3), dtype=np.uint8)
    return _drawn(images, np.broadcast_to(grounds, images.shape), rng)


def _drawn(images: np.ndarray, grounds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink of one random colour a picture over its ground, at least a quarter of the range away from its mean."""
    mask = _brightness(images).astype(np.float32) / 255
    ink = rng.uniform(0, 255, (len(images), 1, 1, 3)).astype(np.float32)
    mean = grounds.mean(axis=(1, 2), keepdims=True)
    near = np.abs(ink - mean).mean(axis=3, keepdims=True) < 64
    ink = np.where(near, np.where(mean < 128, 255, 0), ink)
    return _bytes(grounds + (ink - grounds) * mask)


def _brightness(images: np.ndarray) -> np.ndarray:
    """(n, h, w, 1) uint8."""
    return _bytes(images @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


_ALONE: dict[Look, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "grey": _grey,
    "negative": _negative,
    "blurred": _blurred,
    "coloured": _coloured,
}
