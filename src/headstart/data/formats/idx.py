"""IDX files, the format of MNIST: one file of images beside one of labels, gzipped or not."""

import gzip
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.reading import Reading
from headstart.data.scaling import image_array
from headstart.data.splits import choose_split, role_of
from headstart.data.target import Found, row_ids
from headstart.errors import TargetError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IMAGES = re.compile(r"(?:(?P<prefix>.+)[-_.])?images[-_.]idx3-ubyte(?:\.gz)?", re.IGNORECASE)
GZIP = b"\x1f\x8b"


def is_images(path: Path) -> bool:
    """Whether a regular file is named as IDX images are."""
    return IMAGES.fullmatch(path.name) is not None and path.is_file()


@data_format
class Idx(Format):
    """A folder of IDX files (the training split, or the one asked for), or one file of images."""

    name = "idx"
    title = "IDX files"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and any(map(is_images, spec.iterdir() if spec.is_dir() else [spec]))

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        reading.refuse_columns(str(spec))
        path, split, notes = _chosen(spec, reading.split)
        pixels, scale_notes = image_array(read_idx(path), str(path))
        labels = read_idx(_labels_beside(path)) if kind is None else ()
        return Found(
            path.resolve().parent.name, "image", pixels, row_ids(len(pixels)), str(path), labels,
            task=reading.task, split=split or None, notes=(*notes, *scale_notes),
        )  # fmt: skip


def _chosen(path: Path, split: str | None) -> tuple[Path, str, tuple[str, ...]]:
    """The file of images, its split ("" if its name has none) and notes."""
    if path.is_dir():
        by_split: dict[str, list[Path]] = {}
        for file in sorted(inner for inner in path.iterdir() if is_images(inner)):
            by_split.setdefault(_split_name(file), []).append(file)
        sizes = {name: _header(files[-1])[1][0] for name, files in by_split.items()}
        chosen, note = choose_split(sizes, split, str(path))
        return _only(path, chosen, by_split[chosen]), chosen, (note,)
    found = _split_name(path)
    if split is not None and role_of(split) != role_of(found):
        raise TargetError(f"{path} is the split `{found}`, not `{split}`; pass its folder to choose.")
    return path, found, ()


def _only(folder: Path, split: str, files: list[Path]) -> Path:
    """The one file of a split, which may exist gzipped and not, with a dot and with a dash in its name."""
    if len({re.sub(r"[-_.]", "-", file.name.removesuffix(".gz")) for file in files}) > 1:
        raise TargetError(
            f"{folder} holds several files of the split `{split}`: {', '.join(file.name for file in files)}; pass one "
            "of them."
        )
    return files[-1]


def read_idx(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The array of an IDX file."""
    dtype, shape, offset = _header(path)
    content = _content(path)
    expected = offset + int(np.prod(shape)) * dtype.itemsize
    if len(content) != expected:
        raise TargetError(f"{path} holds {len(content)} bytes, but its header says {expected}; fetch it again.")
    return np.frombuffer(content, dtype=dtype, offset=offset).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _header(path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type, shape and length of the header."""
    head = _content(path, 4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not head[3]:
        raise TargetError(f"{path} is not an IDX file: it starts with {head!r}; fetch it again.")
    size = 4 + 4 * head[3]
    head = _content(path, size)
    if len(head) < size:
        raise TargetError(f"{path} ends inside its header; fetch it again.")
    return np.dtype(TYPES[head[2]]), struct.unpack(f">{head[3]}I", head[4:]), size


def _content(path: Path, size: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            return gzip.open(file).read(size) if start == GZIP else file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise TargetError(f"{path} cannot be read: {str(error).rstrip('.')}; fetch it again.") from error


def _split_name(path: Path) -> str:
    match = IMAGES.fullmatch(path.name)
    return re.split(r"[-_.]", (match["prefix"] or "") if match else "")[-1]


def _labels_beside(images: Path) -> Path:
    name = re.sub("idx3", "idx1", re.sub("images", "labels", images.name, flags=re.IGNORECASE), flags=re.IGNORECASE)
    bare = name.removesuffix(".gz")
    for candidate in (name, bare, f"{bare}.gz"):
        if (images.parent / candidate).is_file():
            return images.parent / candidate
    raise TargetError(f"{images} has no labels beside it; expected {name} in the same folder.")
