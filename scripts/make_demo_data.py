"""Make demo/fashion_mnist_1000.zip: 100 training images of each Fashion-MNIST class, as PNG in class folders.

    apt-get install dataset-fashion-mnist
    python scripts/make_demo_data.py

The same input gives the same bytes: the draw is seeded, names and times in the zip are fixed.
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from headstart.data.formats.idx import read_idx

CLASSES = (
    "T-shirt_top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle_boot",
)  # in the order of the labels 0 to 9
SOURCE = Path("/usr/share/datasets/fashion-mnist")  # where the Debian package puts it
PER_CLASS = 100
SEED = 0
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


def png(pixels: np.ndarray) -> bytes:
    """A grey image (h, w) as the bytes of a PNG."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG", optimize=True)
    return content.getvalue()


def draw(labels: np.ndarray) -> list[tuple[str, int]]:
    """Class name and index of each image drawn, by class and index."""
    rng = np.random.default_rng(SEED)
    drawn = [
        np.sort(rng.choice(np.flatnonzero(labels == code), PER_CLASS, replace=False)) for code in range(len(CLASSES))
    ]
    return [(name, int(index)) for name, indices in zip(CLASSES, drawn, strict=True) for index in indices]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=SOURCE, help="folder of the IDX files")
    parser.add_argument("--out", type=Path, default=Path("demo/fashion_mnist_1000.zip"))
    arguments = parser.parse_args()
    images = read_idx(arguments.source / "train-images-idx3-ubyte.gz")
    labels = read_idx(arguments.source / "train-labels-idx1-ubyte.gz")
    with zipfile.ZipFile(arguments.out, "w", zipfile.ZIP_STORED) as archive:  # PNG is compressed already
        for name, index in draw(labels):
            archive.writestr(zipfile.ZipInfo(f"{name}/train_{index:05d}.png", LONG_AGO), png(images[index]))
    print(f"{arguments.out}: {len(CLASSES) * PER_CLASS} images, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
