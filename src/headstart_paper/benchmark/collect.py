"""The data sets' pictures at 32 pixels, kept beside the results so that every later step needs no data set."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from headstart.data import Target
from headstart.records import write_atomically
from headstart_paper.benchmark.classes import names_of
from headstart_paper.benchmark.samples import Collection
from headstart_paper.data_sets import open_data_set

SIDE = 32


def collect(data: str, places: Mapping[str, str], folder: Path) -> Path:
    """Write a data set's pictures to `folder`, if they are not there yet.

    Raises:
        TargetError: The data set is not on this machine; the text says what brings it.
        ExampleError: A picture cannot be read.
    """
    path = picture_file(data, folder)
    if path.exists():
        return path
    opened = open_data_set(data, places=places)
    names = np.array(names_of(data, opened.classes))
    images = [at_32(_picture(part, i)) for part in (opened.train, opened.test) for i in range(len(part))]
    labels = names[np.concatenate([opened.train.labels, opened.test.labels])]
    parts = np.array(["train"] * len(opened.train) + ["test"] * len(opened.test))
    content = io.BytesIO()
    np.savez(content, images=np.stack(images), labels=labels, parts=parts)
    write_atomically(path, content.getvalue())
    return path


def _picture(target: Target, index: int) -> Image.Image:
    image = target.examples.load(index)
    assert isinstance(image, Image.Image), "`names_of` knows data sets of pictures only"
    return image


def collection(data: str, folder: Path) -> Collection:
    """What `collect` wrote."""
    with np.load(picture_file(data, folder), allow_pickle=False) as file:
        return Collection(file["images"], file["labels"], file["parts"])


def at_32(image: Image.Image) -> np.ndarray:
    """(32, 32, 3) uint8: the middle square, resized; 28 pixels get a border of 2 of their corner's colour instead.

    Example:
        >>> at_32(Image.new("RGB", (28, 28), "white")).min(), at_32(Image.new("RGB", (96, 128))).shape
        (np.uint8(255), (32, 32, 3))
    """
    image = image.convert("RGB")
    if image.size == (28, 28):
        canvas = Image.new("RGB", (SIDE, SIDE), image.getpixel((0, 0)))
        canvas.paste(image, (2, 2))
        return np.array(canvas)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    filtering = Image.Resampling.BOX if side >= 2 * SIDE else Image.Resampling.BICUBIC
    square = image.crop((left, top, left + side, top + side))
    return np.array(square if side == SIDE else square.resize((SIDE, SIDE), filtering))


def picture_file(data: str, folder: Path) -> Path:
    """Where a data set's pictures are kept."""
    return folder / f"{data.replace('/', '-')}.npz"
