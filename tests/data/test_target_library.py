"""Data sets by name, from what is on this machine: nothing here touches the network."""

import gzip
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data import Reading, open_target
from headstart.errors import MissingExtra, NoSuchSplit, OfflineError, TargetError
from headstart.transfers.parts import split_target


def test_the_bundled_digits_are_images_of_the_full_range() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    target = open_target("sklearn/digits")
    assert (target.kind, target.classes) == ("image", tuple("0123456789"))
    np.testing.assert_array_equal(target.labels, bunch.target)
    expected = np.rint(bunch.images[7] * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(target.examples.load(7))[..., 1], expected)


@pytest.mark.parametrize(
    ("name", "task", "shape"),
    [
        ("iris", "classification", (150,)),
        ("wine", "classification", (178,)),
        ("breast_cancer", "classification", (569,)),
        ("diabetes", "regression", (442,)),
        ("linnerud", "regression", (20, 3)),
    ],
)
def test_the_bundled_tables_are_features(name: str, task: str, shape: tuple[int, ...]) -> None:
    target = open_target(f"sklearn/{name}")
    assert (target.kind, target.task, target.labels.shape) == ("arrays", task, shape)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("sklearn/iriss", {}, r"no bundled data set `iriss`. Did you mean `iris`\?"),
        ("sklearn/iris", {"split": "test"}, "sklearn/iris has no splits"),
        ("sklearn/iris", {"label_column": "x"}, "`label_column` is for tables, and sklearn/iris is not a table"),
        ("torchvision/FashionMNIS", {}, r"torchvision has no data set `FashionMNIS`. Did you mean `FashionMNIST`\?"),
        ("torchvision/MNIST", {"split": "val"}, "has no split `val`; it has `train`, `test`"),
        ("torchvision/EuroSAT", {"split": "test"}, "has no splits"),
    ],
)
def test_names_and_options_that_do_not_fit(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        open_target(spec, **options)


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """A tiny data set in the place and form in which torchvision keeps FashionMNIST."""
    raw = tmp_path / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 6), ("t10k", 4)):
        pixels = np.arange(count * 28 * 28).astype(np.uint8)
        images = bytes([0, 0, 8, 3]) + np.array([count, 28, 28], ">u4").tobytes() + pixels.tobytes()
        labels = (
            bytes([0, 0, 8, 1]) + np.array([count], ">u4").tobytes() + (np.arange(count) % 2).astype(np.uint8).tobytes()
        )
        (raw / f"{split}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    return tmp_path


def test_a_torchvision_data_set_is_found_under_its_root(fashion: Path) -> None:
    target = open_target("torchvision/FashionMNIST", root=fashion)
    assert (target.split, len(target), target.classes) == ("train", 6, ("T-shirt/top", "Trouser"))
    assert "only the split `train` is used" in target.notes
    assert np.asarray(target.examples.load(0))[0, :5, 0].tolist() == [0, 1, 2, 3, 4]
    assert len(open_target("torchvision/FashionMNIST", root=fashion, split="test")) == 4


@pytest.fixture
def countries(tmp_path: Path) -> Path:
    """A tiny data set in the form of torchvision's Country211, whose splits are train, valid and test."""
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        for name in ("CH", "FI"):
            folder = tmp_path / "country211" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{number}.png")
    return tmp_path


def test_a_split_is_asked_for_by_its_name_or_by_its_role(countries: Path) -> None:
    sizes = {
        split: len(open_target("torchvision/Country211", root=countries, split=split)) for split in ("val", "test")
    }
    assert sizes == {"val": 4, "test": 2}
    assert open_target("torchvision/Country211", root=countries).split == "train"
    with pytest.raises(NoSuchSplit, match=r"no split `extra`.*`valid`") as caught:
        open_target("torchvision/Country211", root=countries, split="extra")
    assert set(caught.value.splits) == {"train", "valid", "test"}


@pytest.mark.parametrize("name", ["FashionMNIST", "Country211"])
def test_a_torchvision_data_set_is_divided_by_its_own_splits(name: str, fashion: Path, countries: Path) -> None:
    parts = split_target(f"torchvision/{name}", reading=Reading(root=fashion))
    assert parts.test is not None
    assert parts.test.split == "test"
    assert (parts.valid is not None and parts.valid.split == "valid") == (name == "Country211")


def test_nothing_is_downloaded_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"is not in the folder .*`root`.*`download=True`"):
        open_target("torchvision/FashionMNIST", root=tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_a_download_that_fails_is_an_offline_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.torchvision_ops import declare_missing_ops

    declare_missing_ops()
    from torchvision import datasets

    nowhere = (tmp_path / "nowhere").as_uri() + "/"
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [nowhere])
    with pytest.raises(OfflineError, match="torchvision/FashionMNIST could not be downloaded"):
        open_target("torchvision/FashionMNIST", root=tmp_path, download=True)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_torchvision_download_that_is_allowed_is_made(
    fashion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.torchvision_ops import declare_missing_ops

    declare_missing_ops()
    from torchvision import datasets

    resources = []
    for file in sorted((fashion / "FashionMNIST/raw").iterdir()):
        packed = tmp_path / f"{file.name}.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        resources.append((packed.name, hashlib.md5(packed.read_bytes()).hexdigest()))
    monkeypatch.setattr(datasets.FashionMNIST, "resources", resources)
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        assert len(open_target("torchvision/FashionMNIST", root=tmp_path / "new", download=True)) == 6
        server.shutdown()


datasets_library = pytest.importorskip("datasets")


def pictures() -> dict[str, list]:
    return {
        "image": [Image.new("RGB", (4, 3), (row, 0, 0)) for row in range(6)],
        "label": [0, 1, 0, 1, 2, 2],
    }


def typed(columns: dict[str, list]) -> Any:
    features = datasets_library.Features(
        {"image": datasets_library.Image(), "label": datasets_library.ClassLabel(names=["cat", "dog", "emu"])}
    )
    return datasets_library.Dataset.from_dict(columns, features=features)


def check_pictures(target: Any) -> None:
    assert (target.kind, target.classes, target.labels.tolist()) == ("image", ("cat", "dog", "emu"), [0, 1, 0, 1, 2, 2])
    assert [target.examples.load(row).getpixel((1, 1))[0] for row in range(6)] == list(range(6))
    assert len({target.examples.digest(row) for row in range(6)}) == 6


def test_a_hugging_face_data_set_in_memory() -> None:
    dataset = typed(pictures())
    check_pictures(open_target(dataset))
    turned = open_target(dataset.select([5, 0]))
    assert (turned.classes, turned.labels.tolist()) == (("cat", "emu"), [1, 0])
    assert turned.examples.load(0).getpixel((0, 0))[0] == 5  # type: ignore[attr-defined]


def test_a_data_set_saved_to_disk(tmp_path: Path) -> None:
    typed(pictures()).save_to_disk(str(tmp_path / "one"))
    check_pictures(open_target(tmp_path / "one"))
    both = datasets_library.DatasetDict(train=typed(pictures()), test=typed(pictures()).select([0, 1]))
    both.save_to_disk(str(tmp_path / "both"))
    target = open_target(tmp_path / "both")
    check_pictures(target)
    assert target.split == "train"
    assert len(open_target(tmp_path / "both", split="test")) == 2


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache as the library itself leaves it after loading a data set of two splits called `reviews`."""
    source = tmp_path / "reviews"
    source.mkdir()
    for split, rows in (("train", "good,pos\nbad,neg\nfine,pos\n"), ("test", "awful,neg\nnice,pos\n")):
        (source / f"{split}.csv").write_text("text,label\n" + rows)
    monkeypatch.setattr(datasets_library.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets_library.load_dataset(str(source), cache_dir=str(tmp_path / "cache"))
    shutil.rmtree(source)
    return tmp_path / "cache"


def test_a_hugging_face_data_set_by_name_comes_from_the_cache(cached: Path) -> None:
    target = open_target("hf/reviews")
    assert (target.name, target.kind, target.classes, target.split) == ("hf/reviews", "text", ("neg", "pos"), "train")
    assert [target.examples.load(row) for row in range(3)] == ["good", "bad", "fine"]
    assert any("only the split `train` (3 examples) is used; set aside: `test` (2)" in note for note in target.notes)
    assert open_target("hf/reviews", split="test").examples.load(0) == "awful"
    assert open_target("hf/reviews", text_column="text", label_column="label").labels.tolist() == [1, 0, 1]


def test_a_data_set_that_is_not_in_the_cache_is_not_fetched_unasked(cached: Path) -> None:
    with pytest.raises(TargetError, match=r"hf/nowhere is not in the local cache .*`download=True`"):
        open_target("hf/nowhere")
    with pytest.raises(TargetError, match=r"hf/reviews.* is not in the local cache .*config 'other'"):
        open_target("hf/reviews:other")


def test_offline_the_message_says_so() -> None:
    program = (
        "from headstart.data import open_target\nfrom headstart.errors import OfflineError\n"
        "try:\n    open_target('hf/nobody/nothing', download=True)\n"
        "except OfflineError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "hf/nobody/nothing could not be downloaded" in done.stdout
    assert "HF_HUB_OFFLINE" in done.stdout


def test_without_the_library_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"hf/x needs datasets. Run: pip install 'headstart\[data\]'"):
        open_target("hf/x")


def test_importing_the_room_loads_neither_torch_nor_the_hub() -> None:
    heavy = ("torch", "torchvision", "datasets", "pyarrow", "sklearn", "pandas")
    program = f"import sys, headstart.data\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert importlib.util.find_spec("torch") is not None
