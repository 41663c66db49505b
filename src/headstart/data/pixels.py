"""Decodes any image to upright RGB of 8 bits, or raises an `ExampleError` with the reason."""

import io
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from headstart.errors import ExampleError

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".ppm",
    ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".mpo", ".tga",
})  # what counts as an image file by name  # fmt: skip

FORMATS = (
    "JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "MPO", "TGA",
)  # not EPS or PDF: those start a program  # fmt: skip

PEEK = 100  # cells looked at to guess what a column holds

UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError, struct.error,
    zlib.error, Image.DecompressionBombError, Warning,
)  # what Pillow's decoders raise on damaged files; warnings where they are made errors  # fmt: skip

WHITE = (255, 255, 255, 255)
WIDEST = 65535  # the white of 16 bits
LARGEST = (281, 341)  # tags of TIFF that declare the largest value: MaxSampleValue, SMaxSampleValue
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF and its value


class Deep(NamedTuple):
    """The values of an image of more than 8 bits a channel, (h, w) or (h, w, channels)."""

    values: np.ndarray
    declared: float | None = None  # the largest value that may occur, where the file says so


def decode(content: bytes, white: float | None = None) -> Image.Image:
    """An encoded image as upright RGB of 8 bits; of several frames the first.

    With `white` the values of an image of more than 8 bits a channel are scaled so that this one becomes 255. Without,
    white is 65535, or 1 for floats.
    """
    with _opened(content) as image:
        values = None if white in (None, WIDEST) else _deep(image, content)
        return upright_rgb(image, white) if values is None else _black_is_zero(image, _as_bytes(values, white))


def deep_values(content: bytes) -> Deep | None:
    """The values of an image of more than 8 bits a channel; None if 8 bits hold them."""
    with _opened(content) as image:
        values = _deep(image, content)
        declared = next((value for tag in LARGEST if (value := _tag(image, tag)) is not None), None)
        return None if values is None else Deep(values, declared)


def _tag(image: Image.Image, number: int) -> float | None:
    """A number in the header of a TIFF file, the largest of several channels; None where there is none."""
    found = getattr(image, "tag_v2", {}).get(number)
    values = found if isinstance(found, tuple) else (found,)
    return max(map(float, values)) if values and all(isinstance(one, int | float) for one in values) else None


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """An encoded image whose pixels are not loaded yet; what Pillow raises in the block becomes an ExampleError."""
    if not content:
        raise ExampleError("the file is empty.")
    try:
        with Image.open(io.BytesIO(content), formats=_known_formats()) as image:
            _refuse_bomb(image)
            yield image
    except UnidentifiedImageError as error:
        raise ExampleError(f"not an image: it starts with {content[:8]!r}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ExampleError(f"{str(error).rstrip('.')}; shrink the image.") from error
    except UNREADABLE as error:
        raise ExampleError(f"the image is damaged: {_reason(error)}.") from error


def upright_rgb(image: Image.Image, white: float | None = None) -> Image.Image:
    """A picture in any of Pillow's modes as upright RGB of 8 bits; the given image is not edited.

    Sixteen bits are scaled, never clipped; transparent parts are laid over white; the EXIF orientation is applied.

    Example:
        >>> upright_rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0))  # transparent: white shows through
        (255, 255, 255)
    """
    given, image = image, _upright(image)
    if is_wide(image):
        grey = _from_wide(image) if white is None or image.format == "PPM" else _as_bytes(np.asarray(image), white)
        return _black_is_zero(given, grey.convert("RGB"))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


def _black_is_zero(image: Image.Image, picture: Image.Image) -> Image.Image:
    """The picture of a wide image, turned over if its zero is white, which Pillow minds in 8 bits only."""
    return ImageOps.invert(picture) if is_wide(image) and _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO else picture


def is_wide(image: Image.Image) -> bool:
    """Whether it is a grey image of 16 bits (modes I;16 and I) or of floats (F)."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _deep(image: Image.Image, content: bytes) -> np.ndarray | None:
    if image.format == "PPM":  # Pillow scales it by the maximum that the file declares
        return None
    if is_wide(image):
        return np.asarray(_upright(image))
    layouts = {_layout(tile.args) for tile in getattr(image, "tile", ())}
    if not any(";16" in layout for layout in layouts):
        return None
    if layouts == {"LA;16B"}:  # Pillow keeps the high bytes; read as RGBA, the four bytes of a pixel are all there
        with Image.open(io.BytesIO(content)) as whole:
            whole._mode, whole.tile = "RGBA", [tile._replace(args="RGBA") for tile in whole.tile]
            parts = np.asarray(_upright(whole)).astype(np.uint16)
        return parts[..., ::2] << 8 | parts[..., 1::2]
    with Image.open(io.BytesIO(content)) as low:  # Pillow keeps one of the two bytes of a colour: read each in turn
        low.tile = [tile._replace(args=_other_bytes(tile.args)) for tile in low.tile]
        try:
            below = np.asarray(_upright(low)).astype(np.uint16)
        except ValueError:  # Pillow cannot read the low bytes of this layout
            return None
    return np.asarray(_upright(image)).astype(np.uint16) << 8 | below


def _layout(arguments: Any) -> str:
    """How a decoder of Pillow is told that the samples lie in the file: "RGB;16B"."""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _other_bytes(arguments: Any) -> Any:
    """The arguments of a decoder, for the bytes of each sample that it would leave out."""
    layout = _layout(arguments)
    native = "B" if sys.byteorder == "little" else "L"
    other = layout[:-1] + {"B": "L", "L": "B", "N": native}.get(layout[-1], layout[-1])
    return (other, *arguments[1:]) if isinstance(arguments, tuple) else other


def colours_of(values: np.ndarray) -> np.ndarray:
    """Values (h, w) or (h, w, channels) without those of a second or fourth channel, which is opacity."""
    return values[..., : values.shape[2] - 1 + values.shape[2] % 2] if values.ndim == 3 else values


def _as_bytes(values: np.ndarray, white: float | None) -> Image.Image:
    """Deep values as RGB of 8 bits, `white` as 255; a second or fourth channel is opacity."""
    white = white or WIDEST
    colours = colours_of(values)
    if not (colours.min() >= 0 and colours.max() <= white):  # written so that nan fails too
        raise ExampleError(
            f"its values run from {colours.min():g} to {colours.max():g}, but white is {white:g} in these data; set "
            "`white_level` to the largest value that may occur."
        )
    scaled = np.rint(np.minimum(values, white) * (255.0 / white)).astype(np.uint8)
    return upright_rgb(Image.fromarray(scaled))


def names_an_image(value: str) -> bool:
    """Whether a name ends as image files do."""
    return PurePosixPath(value.strip()).suffix.casefold() in SUFFIXES


def holds_image_paths(column: Sequence[object] | np.ndarray) -> bool:
    """Whether most of a column's first cells name image files."""
    values = [str(value) for value in column[:PEEK] if value]
    return sum(map(names_an_image, values)) > len(values) / 2


def pixel_digest(image: Image.Image) -> bytes:
    """16 bytes for the size and pixels of an RGB image."""
    return blake2b(b"%d %d " % image.size + image.tobytes(), digest_size=16).digest()


def _from_wide(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits or of floats as 8 bits, read by the range of its mode."""
    values = np.asarray(image)
    top = 1.0 if image.mode == "F" else 65535
    # a few images of 8 bits of data among others would turn almost black; Pillow scales PGM to 65535 itself
    unclear = image.mode != "F" and image.format != "PPM" and 0 < values.max() <= 255
    if unclear or not (values.min() >= 0 and values.max() <= top):  # written so that nan fails too
        raise ExampleError(
            f"its grey values run from {values.min():g} to {values.max():g}, but an image of mode {image.mode} should "
            f"use 0 to {top:g}; save it with 8 bits, or scale it to 16."
        )
    return Image.fromarray(np.rint(values * (255.0 / top)).astype(np.uint8))


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # some formats keep the orientation behind the pixels
    try:
        turned = int(image.getexif().get(ExifTags.Base.Orientation, 1)) != 1
    except UNREADABLE:  # the EXIF block is damaged, but the pixels are good
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _refuse_bomb(image: Image.Image) -> None:
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:  # Pillow itself only warns up to twice the limit
        raise Image.DecompressionBombError(f"the image has {pixels} pixels; the limit is {limit}")


def _reason(error: BaseException) -> str:
    text = str(error).strip().rstrip(".")
    return f"{type(error).__name__}: {text}" if isinstance(error, KeyError) or not text else text


@cache
def _known_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]  # a build of Pillow may lack some
