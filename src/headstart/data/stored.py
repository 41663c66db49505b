"""Examples in files, in a zip or in memory. Each is loaded on its own, from any thread or process."""

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from headstart.data.pixels import WIDEST, Deep, decode, deep_values, is_wide, pixel_digest, upright_rgb
from headstart.errors import ExampleError

LARGEST_MEMBER = 1 << 29  # bytes; one image inside a zip is never larger, a zip bomb is

NO_IMAGE = "there is no image in this row."


def content_digest(content: bytes) -> bytes:
    """The BLAKE2b hash of `content`, 16 bytes."""
    return blake2b(content, digest_size=16).digest()


def array_digest(values: np.ndarray) -> bytes:
    """A hash of an array's shape, type and values, 16 bytes."""
    values = np.ascontiguousarray(values)
    head = f"{values.dtype.str} {values.shape} ".encode()
    return content_digest(head + values.tobytes())


@dataclass(frozen=True, eq=False, kw_only=True)
class DeepImages:
    """Images that may have more than 8 bits; `white` maps to 255 and is by default the largest value of the type."""

    white: float | None = None
    looks: ClassVar[int] = 16  # images checked first for more than 8 bits

    def deep(self, index: int) -> Deep | None:
        """The values of an image with more than 8 bits; None for other images."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodedImages(DeepImages):
    """Images in a file format; subclasses say where the bytes come from."""

    def read(self, index: int) -> bytes:
        raise NotImplementedError

    def load(self, index: int) -> Image.Image:
        return decode(self.read(index), self.white)

    def digest(self, index: int) -> bytes:
        usual = self.white in (None, WIDEST)
        scale = b"" if usual else f"white {self.white:g} ".encode()  # another scale makes another picture
        return content_digest(scale + self.read(index))

    def deep(self, index: int) -> Deep | None:
        return deep_values(self.read(index))


def _read_file(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise ExampleError("it is not a regular file.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExampleError(f"the file cannot be read: {error.strerror}.") from error


@dataclass(frozen=True, eq=False)
class ImageFiles(EncodedImages):
    """Image files; None for a table row without one."""

    paths: tuple[Path | None, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> bytes:
        path = self.paths[index]
        if path is None:
            raise ExampleError(NO_IMAGE)
        return _read_file(path)


@dataclass(frozen=True, eq=False)
class ZipImages(EncodedImages):
    """Image files in a zip, read without unpacking it.

    All threads of a process share one `ZipFile`, which locks its file position. A forked process opens its own, since
    the two would move one position; so the handle is stored with the process id.
    """

    path: Path
    members: tuple[zipfile.ZipInfo, ...]
    _handle: list[tuple[int, zipfile.ZipFile]] = field(default_factory=list, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.members)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(ZipImages, white=self.white), (self.path, self.members)

    def read(self, index: int) -> bytes:
        member = self.members[index]
        if member.file_size > LARGEST_MEMBER:
            raise ExampleError(f"it unpacks to {member.file_size} bytes; at most {LARGEST_MEMBER} are read.")
        try:
            return self._open().read(member)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise ExampleError(f"it cannot be unpacked from the zip: {str(error).rstrip('.')}.") from error

    def _open(self) -> zipfile.ZipFile:
        for process, handle in self._handle[-1:]:
            if process == os.getpid():
                return handle
        handle = zipfile.ZipFile(self.path)
        self._handle[:] = [(os.getpid(), handle)]  # if two threads open one, the second stays
        return handle


@dataclass(frozen=True, eq=False)
class ImageBytes(EncodedImages):
    """Encoded images in a table column: bytes, or Hugging Face's {"bytes": ..., "path": ...}."""

    column: Sequence[object] | np.ndarray  # read row by row, so it may be on disk
    rows: np.ndarray  # the rows that are examples
    folder: Path = Path()  # what paths are relative to

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> bytes:
        value = self.column[int(self.rows[index])]
        content = value.get("bytes") if isinstance(value, Mapping) else value
        if isinstance(content, bytes):
            return content
        if isinstance(value, Mapping) and value.get("path"):
            return _read_file(self.folder / str(value["path"]))
        raise ExampleError(NO_IMAGE)


@dataclass(frozen=True, eq=False)
class ImageArray(DeepImages):
    """Images as one array (n, h, w) or (n, h, w, channels); `scale` brings its values to 0..255."""

    pixels: np.ndarray
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.pixels)

    def load(self, index: int) -> Image.Image:
        values, scale = self.pixels[index], self._scale
        if values.dtype != np.uint8 or scale != 1.0:
            values = np.rint(values * scale).astype(np.uint8)
        return upright_rgb(Image.fromarray(values[..., 0] if values.shape[2:] == (1,) else values))

    def digest(self, index: int) -> bytes:
        scale = f"{self._scale!r} ".encode()  # the same numbers on another scale are another picture
        return content_digest(scale + array_digest(self.pixels[index]))

    def deep(self, index: int) -> Deep | None:
        return Deep(np.asarray(self.pixels[index])) if self.pixels.dtype == np.uint16 else None

    @property
    def _scale(self) -> float:
        return self.scale if self.white is None else 255 / self.white


@dataclass(frozen=True, eq=False)
class Pictures(DeepImages):
    """Pillow images in memory."""

    images: Sequence[Image.Image]

    def __len__(self) -> int:
        return len(self.images)

    def load(self, index: int) -> Image.Image:
        return upright_rgb(self.images[index], self.white)

    def digest(self, index: int) -> bytes:
        return pixel_digest(self.load(index))

    def deep(self, index: int) -> Deep | None:
        image = self.images[index]
        return Deep(np.asarray(image)) if is_wide(image) else None


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts in memory."""

    texts: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.texts)

    def load(self, index: int) -> str:
        text = self.texts[index]
        if text is None or not str(text).strip():
            raise ExampleError("there is no text in this row.")
        return str(text)

    def digest(self, index: int) -> bytes:
        return content_digest(self.load(index).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, eq=False)
class TextPairs:
    """Pairs of texts that a tokenizer joins, such as premise and hypothesis."""

    first: Any  # `Examples` that load texts
    second: Any

    def __len__(self) -> int:
        return len(self.first)

    def load(self, index: int) -> tuple[str, str]:
        return self.first.load(index), self.second.load(index)

    def digest(self, index: int) -> bytes:
        return content_digest(b"pair " + self.first.digest(index) + self.second.digest(index))


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows of numbers computed elsewhere: features, or logits if there are no features."""

    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, index: int) -> np.ndarray[Any, np.dtype[Any]]:
        return np.asarray(self.rows[index])

    def digest(self, index: int) -> bytes:
        return array_digest(self.rows[index])
