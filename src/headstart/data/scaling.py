"""An array of images of any layout and type as examples of 8 bits, with notes on how it was read."""

from typing import Any

import numpy as np

from headstart.data.stored import ImageArray
from headstart.errors import TargetError
from headstart.tasks.values import is_float

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def image_array(
    pixels: np.ndarray, where: str, *, channels_first: bool = False, unit: bool = False
) -> tuple[ImageArray, tuple[str, ...]]:
    """Images (n, h, w), (n, h, w, channels) or (n, channels, h, w); the scale is one for the whole array.

    uint8 stays as it is, uint16 is scaled (see `levelled`), other whole numbers must lie in 0..255, booleans are black
    and white, and floats must lie in 0..1 or in 0..255.

    `channels_first` prefers (n, channels, h, w) where a shape is ambiguous. With `unit` floats must lie in 0..1,
    because `pixels` is one image of many and cannot show the range of all.

    Example:
        >>> images, notes = image_array(np.ones((2, 4, 4)), "`x`")
        >>> images.load(0).getpixel((0, 0)), notes
        ((255, 255, 255), ('`x`: floats from 1 to 1 are read as 0 (black) to 1 (white)',))
    """
    pixels, layout_notes = _channels_last(np.asarray(pixels), where, channels_first)
    scale, scale_notes = _scale(pixels, where, unit)
    return ImageArray(pixels, scale), (*layout_notes, *scale_notes)


def _channels_last(pixels: np.ndarray, where: str, first: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    can_be_first = pixels.ndim == 4 and pixels.shape[1] in CHANNELS
    if pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] in CHANNELS and not (first and can_be_first)):
        return pixels, ()
    if can_be_first:
        return np.moveaxis(pixels, 1, 3), (f"{where}: channels come first and were moved to the end",)
    raise TargetError(
        f"{where}: expected images of shape (n, height, width) or (n, height, width, 1, 3 or 4); got {pixels.shape}."
    )


def _scale(pixels: np.ndarray, where: str, unit: bool) -> tuple[float, tuple[str, ...]]:
    if pixels.dtype == np.uint8:
        return 1.0, ()
    if pixels.dtype == np.bool_:
        return 255.0, ()
    if pixels.dtype == np.uint16:
        return 255 / 65535, ()
    if pixels.dtype.kind not in "iuf":
        raise TargetError(f"{where}: pixels must be numbers; got {pixels.dtype}.")
    low, high = pixels.min(initial=0), pixels.max(initial=0)  # nan fits neither range
    if is_float(pixels) and low >= 0 and high <= 1:
        return 255.0, (f"{where}: floats from {pixels.min():g} to {high:g} are read as 0 (black) to 1 (white)",)
    if low >= 0 and high <= 255 and not (unit and is_float(pixels)):
        return 1.0, (f"{where}: values from {pixels.min():g} to {high:g} are read as 0 (black) to 255 (white)",)
    raise TargetError(
        f"{where}: pixel values run from {low:g} to {high:g}, so the values of black and white are unknown; "
        "pass uint8, or floats from 0 to 1 without normalisation (each model has its own preprocessing)."
    )


def as_numpy(value: object) -> object:
    """A torch tensor or a column of a table as an array; anything else as it is.

    numpy has no bfloat16 and no float8; such numbers become float32, which holds them all. (Tensors and columns are
    seen by their methods, so that neither torch nor pandas need be loaded.)
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        held: Any = value.detach().cpu()
        return (held.float() if "float8" in str(held.dtype) or "bfloat16" in str(held.dtype) else held).numpy()
    if hasattr(value, "to_numpy"):
        return np.asarray(value)
    return value
