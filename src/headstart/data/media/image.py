"""Images: decoded to upright RGB of 8 bits."""

import base64
import io
import os
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance

from headstart.data.media import Augment, Held, Medium, medium
from headstart.data.pixels import holds_image_paths, names_an_image
from headstart.data.scaling import as_numpy, image_array
from headstart.data.stored import ImageBytes, ImageFiles, Pictures
from headstart.errors import TargetError

if TYPE_CHECKING:
    from headstart.data.roles import Table
    from headstart.data.target import Examples

NAMES = (
    "image", "images", "img", "picture", "photo", "image_path", "img_path", "image_file", "filepath", "file_path",
    "path", "filename", "file_name", "file",
)  # fmt: skip
SIDE = 64  # pixels of a thumbnail's longer side
LEAST_AREA = {"light": 0.7, "strong": 0.33}  # share of the area that a random crop keeps at least


@medium
class Picture(Medium):
    """A `PIL.Image.Image` in RGB."""

    name = "image"
    pictures = True
    one_shape = True
    rows = 32
    augmentations = ("none", "light", "strong")

    def hold(self, examples: Any, *, channels_first: bool) -> Held | None:
        """Images as one array, PIL images, encoded bytes, paths of images, or arrays of 8 bits."""
        if isinstance(examples, np.ndarray):
            numbers = examples.dtype.kind in "iufb" and examples.ndim != 2
            return image_array(examples, "the images given", channels_first=channels_first) if numbers else None
        if all(isinstance(item, Image.Image) for item in examples):
            return Pictures(examples), ()
        if all(isinstance(item, bytes) for item in examples):
            return ImageBytes(examples, np.arange(len(examples))), ()
        if all(isinstance(item, str | PurePath) for item in examples):
            paths = [Path(item) for item in examples]
            images = all(isinstance(item, PurePath) for item in examples)
            images = images or (all(names_an_image(path.name) for path in paths) and os.path.isfile(paths[0]))
            return (ImageFiles(tuple(paths)), ()) if images else None
        arrays = [as_numpy(item) for item in examples]
        if all(isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim in (2, 3) for item in arrays):
            return _of_arrays([np.asarray(item) for item in arrays], channels_first)
        return None

    def guess_column(self, table: "Table", free: Sequence[str]) -> str | None:
        """The one column of encoded images or of their paths; of several, the one with a usual name."""
        held = table.kinds
        paths = [name for name in free if held[name] == "text" and holds_image_paths(table.read(name))]
        images = [name for name in free if held[name] == "bytes" or name in paths]
        if len(images) > 1:
            images = [name for known in NAMES for name in images if name.casefold() == known][:1]
        return images[0] if images else None

    def column(self, table: "Table", name: str, rows: np.ndarray) -> tuple["Examples", list[str]] | None:
        column, held = table.read(name), table.kinds[name]
        if held == "bytes":
            return ImageBytes(column, rows, table.folder), []
        if held != "text":
            return None
        files = [_existing(table.folder, str(column[row] or "").strip()) for row in rows]
        return ImageFiles(tuple(table.folder / file if file else None for file in files)), files

    def kept_bytes(self, example: Any) -> int | None:
        return 4 * int(example.width) * int(example.height)  # Pillow pads RGB to 4 bytes

    def copy(self, example: Any) -> Any:
        return example.copy()

    def sample(self, example: Any) -> str | None:
        return thumbnail(example)

    def augment(self, strength: str) -> Augment | None:
        """ "light" crops to at least 70 % of the area and mirrors; "strong" crops to a third and changes colours."""
        super().augment(strength)
        least = LEAST_AREA.get(strength)
        return None if least is None else partial(_changed, least=least, strong=strength == "strong")

    @cache  # noqa: B019  # one object for the whole process
    def probes(self) -> tuple[Any, ...]:
        """Noise and gradients in four shapes, small and large."""
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((256, 256), (61, 97), (300, 200))]
        rows, columns = np.mgrid[0:240, 0:320]
        gradient = np.stack([rows, columns * 0.75, 240 - rows], axis=2).astype(np.uint8)
        return tuple(Image.fromarray(pixels) for pixels in (*noise, gradient))

    @cache  # noqa: B019  # one object for the whole process
    def odd_probes(self, *, own: bool) -> tuple[Any, ...]:
        """A large image, for hand-written code."""
        pixels = np.random.default_rng(1).integers(0, 256, (1100, 1500, 3), dtype=np.uint8)
        return (Image.fromarray(pixels),) if own else ()


def thumbnail(image: Image.Image) -> str:
    """An RGB image as a small data URI: PNG or JPEG, whichever is shorter."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    return min((_data_uri(small, "PNG", optimize=True), _data_uri(small, "JPEG", quality=85)), key=len)


def _data_uri(image: Image.Image, form: str, **options: Any) -> str:
    content = io.BytesIO()
    image.save(content, format=form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def _existing(folder: Path, name: str) -> str:
    """The name of a file, with slashes for a Windows path's backslashes where they lead to one."""
    slashes = name.replace("\\", "/")
    return slashes if slashes != name and (folder / slashes).is_file() else name


def _of_arrays(arrays: list[np.ndarray], channels_first: bool) -> Held:
    """Images with values from 0 to 255; if all have one shape, it shows on which axis the channels are."""
    if arrays[0].ndim == 3 and len({item.shape for item in arrays}) == 1 and arrays[0].shape[2] != 2:
        return image_array(np.stack(arrays), "the images given", channels_first=channels_first)
    turned = [np.moveaxis(item, 0, -1) if channels_first and item.ndim == 3 else item for item in arrays]
    odd = next((item.shape for item in turned if item.ndim == 3 and item.shape[2] not in (1, 2, 3, 4)), None)
    if odd is not None:
        raise TargetError(
            f"an image array has shape {odd}; expected (height, width) or (height, width, channels) with 1 to 4 "
            "channels. If its channels come first, use `np.moveaxis(image, 0, -1)`."
        )
    return Pictures([Image.fromarray(item[..., 0] if item.shape[2:] == (1,) else item) for item in turned]), ()


def _changed(image: Image.Image, rng: np.random.Generator, *, least: float, strong: bool) -> Image.Image:
    image = _crop(image, rng, least)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color) if strong else ():
        image = enhancer(image).enhance(rng.uniform(0.6, 1.4))
    return image


def _crop(image: Image.Image, rng: np.random.Generator, least: float) -> Image.Image:
    """A random box of a share of the area and an aspect within 3:4 of the image's, scaled back to its size."""
    width, height = image.size
    area, stretch = rng.uniform(least, 1.0), np.exp(rng.uniform(np.log(0.75), np.log(4 / 3)))
    w = min(width, max(1.0, width * np.sqrt(area * stretch)))
    h = min(height, max(1.0, height * np.sqrt(area / stretch)))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (float(left), float(top), float(left + w), float(top + h))
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)
