"""Every form of data is read with labels and without, through one registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data import Reading, open_target, open_unlabelled
from headstart.data.formats import FORMATS, Format, data_format
from headstart.data.stored import Texts
from headstart.data.target import Found, row_ids
from headstart.errors import InputError, TargetError


def idx(folder: Path, pixels: np.ndarray, labels: np.ndarray | None) -> Path:
    folder.mkdir(exist_ok=True)
    head = bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes()
    (folder / "test-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    if labels is not None:
        head = bytes([0, 0, 8, 1]) + np.array([len(labels)], ">u4").tobytes()
        (folder / "test-labels-idx1-ubyte").write_bytes(head + labels.astype(np.uint8).tobytes())
    return folder


PIXELS = np.arange(4 * 6 * 6, dtype=np.uint8).reshape(4, 6, 6)


def test_idx_files_need_no_labels_to_be_predicted(tmp_path: Path) -> None:
    folder = idx(tmp_path / "digits", PIXELS, None)
    found = open_unlabelled(folder / "test-images-idx3-ubyte", "image")
    assert found.ids == ("0", "1", "2", "3")
    assert np.array_equal(np.asarray(found.examples.load(2))[..., 0], PIXELS[2])
    with pytest.raises(TargetError, match="no labels beside it"):
        open_target(folder / "test-images-idx3-ubyte")


def test_a_torchvision_data_set_is_predicted_by_its_split(tmp_path: Path) -> None:
    folder = tmp_path / "country211/valid/CH"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{number}.png")
    found = open_unlabelled("torchvision/Country211", "image", split="val", root=tmp_path)
    assert len(found.ids) == 3


def test_a_bundled_data_set_is_predicted_as_it_is_ranked() -> None:
    spec = "sklearn/digits"
    found, target = open_unlabelled(spec, "image"), open_target(spec)
    assert found.ids == target.ids
    assert np.array_equal(np.asarray(found.examples.load(7)), np.asarray(target.examples.load(7)))


def test_a_hugging_face_data_set_needs_no_labels_to_be_predicted(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"text": ["good film", "bad film"]}).save_to_disk(tmp_path / "saved")
    found = open_unlabelled(tmp_path / "saved", "text")
    assert [found.examples.load(row) for row in range(2)] == ["good film", "bad film"]


def test_python_objects_are_predicted(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in (1, 2)]
    assert open_unlabelled(pictures, "image").ids == ("0", "1")
    assert open_unlabelled({"text": ["a", "b"], "label": [0, 1]}, "text").ids == ("0", "1")
    assert open_unlabelled(open_target((pictures, ["a", "b"])), "image").ids == ("0", "1")
    with pytest.raises(InputError, match="holds images, but the model reads texts"):
        open_unlabelled(pictures, "text")


def test_a_split_is_predicted_when_it_is_named(tmp_path: Path) -> None:
    for split, count in (("train", 2), ("test", 1)):
        for name in "ab":
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
    assert len(open_unlabelled(tmp_path, "image").ids) == 6
    assert len(open_unlabelled(tmp_path, "image", split="test").ids) == 2
    table = {"text": ["a", "b", "c"], "split": ["train", "test", "train"]}
    assert open_unlabelled(table, "text", split="test").examples.load(0) == "b"


@pytest.fixture
def words() -> Iterator[str]:
    @data_format
    class Words(Format):
        """A file with a class and a text in each line."""

        name = "words"
        title = ".words"

        def takes(self, spec: Any) -> bool:
            return isinstance(spec, Path) and spec.suffix == ".words"

        def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
            labels, texts = zip(*(line.split(" ", 1) for line in spec.read_text().splitlines()), strict=True)
            return Found(spec.stem, "text", Texts(texts), row_ids(len(texts)), str(spec), labels=labels)

    yield ".words"
    FORMATS._entries.pop("words")


def test_a_new_format_is_one_class(words: str, tmp_path: Path) -> None:
    (tmp_path / "x.words").write_text("pos very good\nneg bad\n")
    assert open_target(tmp_path / "x.words").classes == ("neg", "pos")
    assert open_unlabelled(tmp_path / "x.words", "text").ids == ("0", "1")
    (tmp_path / "x.foo").write_text("")
    with pytest.raises(TargetError, match=r"unsupported file type `\.foo`\. Supported: .*\.words"):
        open_target(tmp_path / "x.foo")
