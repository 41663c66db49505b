"""Decodes any image to upright RGB of 8 bits, or raises an `ExampleError` with the reason."""

import io
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import PurePosixPath

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


def decode(content: bytes) -> Image.Image:
    """An encoded image as upright RGB of 8 bits; of several frames the first."""
    if not content:
        raise ExampleError("the file is empty.")
    try:
        with Image.open(io.BytesIO(content), formats=_known_formats()) as image:
            _refuse_bomb(image)
            return upright_rgb(image)
    except UnidentifiedImageError as error:
        raise ExampleError(f"not an image: it starts with {content[:8]!r}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ExampleError(f"{str(error).rstrip('.')}; shrink the image.") from error
    except UNREADABLE as error:
        raise ExampleError(f"the image is damaged: {_reason(error)}.") from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """A picture in any of Pillow's modes as upright RGB of 8 bits; the given image is not edited.

    Sixteen bits are scaled by 255/65535, never clipped; floats are read as 0 to 1; transparent parts are laid over
    white; the EXIF orientation is applied.

    Example:
        >>> upright_rgb(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0))  # transparent: white shows through
        (255, 255, 255)
    """
    image.load()  # some formats keep the orientation behind the pixels
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_wide(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


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
    """A grey image of 16 bits (modes I;16 and I) or of floats (F) as 8 bits."""
    values = np.asarray(image)
    top = 1.0 if image.mode == "F" else 65535
    # 8 bits of data in a wider file would turn almost black; Pillow scales PGM to 65535 itself
    unclear = image.mode != "F" and image.format != "PPM" and 0 < values.max() <= 255
    if unclear or not (values.min() >= 0 and values.max() <= top):  # written so that nan fails too
        raise ExampleError(
            f"its grey values run from {values.min():g} to {values.max():g}, but an image of mode {image.mode} should "
            f"use 0 to {top:g}; save it with 8 bits, or scale it to 16."
        )
    return Image.fromarray(np.rint(values * (255.0 / top)).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except UNREADABLE:  # the EXIF block is damaged, but the pixels are good
        return 1


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
