"""Layouts and files that are not what they seem: copies, folds, special files, odd names, headers that are data."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.conftest import encode
from torch.utils.data import DataLoader, SubsetRandomSampler

import headstart as hs
from headstart.data import open_target, open_unlabelled
from headstart.errors import TargetError

Make = Callable[[list[str]], Path]


@pytest.mark.parametrize(
    "outer",
    [
        ("Original", "Augmented"),
        ("fold1", "fold2", "fold3"),
        ("fold_0", "fold_1"),
        ("original images", "augmented_images"),
    ],
)
@pytest.mark.parametrize("inner", [("cat", "dog"), ("",)])
def test_copies_and_folds_are_never_classes(folder: Make, outer: tuple[str, ...], inner: tuple[str, ...]) -> None:
    root = folder([f"{one}/{name}/{number}.png" for one in outer for name in inner for number in range(2)])
    with pytest.raises(TargetError, match="which are the classes is unclear; pass one of them"):
        open_target(root)
    if len(inner) > 1:
        assert open_target(root / outer[0]).classes == inner


def test_folds_that_lack_a_class_are_refused_too(folder: Make) -> None:
    with pytest.raises(TargetError, match="which are the classes is unclear"):
        open_target(folder(["fold1/cat/1.png", "fold1/dog/1.png", "fold2/cat/2.png"]))


def test_the_same_folders_in_every_class_are_noted(folder: Make) -> None:
    root = folder([f"{name}/{place}/1.png" for name in ("cat", "dog", "owl") for place in ("indoors", "outdoors")])
    target = open_target(root)
    assert target.classes == ("cat", "dog", "owl")
    assert any("if those are the classes, pass one of the outer folders" in note for note in target.notes)


def test_augmented_copies_inside_the_classes_are_noted(folder: Make) -> None:
    target = open_target(folder(["cat/1.png", "cat/1_aug.png", "cat/1_flipped_2.png", "dog/1.png", "dog/carrot.png"]))
    assert len(target) == 5
    noted = "2 files may be augmented copies of others: `cat/1_aug.png`, `cat/1_flipped_2.png`"
    assert any(noted in note for note in target.notes)


def test_predict_leaves_out_what_rank_leaves_out(folder: Make) -> None:
    junk = [".ipynb_checkpoints/cat/1.png", "cat/._1.png", "__MACOSX/cat/1.png", "cat/.hidden.png"]
    root = folder(["cat/1.png", "dog/1.png", *junk])
    assert set(open_unlabelled(root, "image").ids) == set(open_target(root).ids) == {"cat/1.png", "dog/1.png"}


def test_class_folders_that_differ_by_a_trailing_space_are_one_class(folder: Make) -> None:
    target = open_target(folder(["cat/1.png", "cat /2.png", "dog/1.png"]))
    assert (target.classes, np.bincount(target.labels).tolist()) == (("cat", "dog"), [2, 1])


def test_special_files_are_never_opened(folder: Make, tmp_path: Path) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    for name in ("cat/pipe.png", "metadata.csv", "train-images-idx3-ubyte", "train.parquet"):
        os.mkfifo(root / name)
    os.symlink("/dev/zero", root / "dog/zero.png")
    target = open_target(root)
    assert target.ids == ("cat/1.png", "dog/1.png")
    assert any("pipes, sockets and devices, set aside:" in note for note in target.notes)
    shutil.rmtree(root / "cat")
    (tmp_path / "list.csv").write_text("image,label\nphotos/dog/1.png,a\nphotos/dog/zero.png,b\nphotos/dog/1.png,b\n")
    with pytest.raises(TargetError, match=r"1 of 3 files in column `image`"):
        open_target(tmp_path / "list.csv")


def test_a_fan_of_links_is_read_once(folder: Make) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    for depth in range(20):  # each level has two links to the level above: 2**20 paths
        (root / "fan" / str(depth)).mkdir(parents=True)
        for side in "ab":
            os.symlink(root / "fan" / str(depth - 1) if depth else root / "cat", root / "fan" / str(depth) / side)
    assert len(open_target(root)) == 2


def test_names_that_are_not_utf8_are_shown_escaped(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/b\xe9ta"
    for name in (b"caf\xe9", b"bar"):
        os.makedirs(root + b"/" + name)
        for number in range(4):
            with open(root + b"/" + name + b"/%d\xff.png" % number, "wb") as file:
                file.write(encode((number, len(name), 9)))
    ranking = hs.rank(os.fsdecode(root), models=["zoo/tiny_letters"], scores="logme", cache=False)
    assert ranking.target.classes == ("bar", r"caf\xe9")
    assert ranking.target.name == r"b\xe9ta"
    ranking.to_json().encode()
    str(ranking).encode()
    assert r"bar/0\xff.png" in open_unlabelled(os.fsdecode(root), "image").ids


def test_a_header_that_is_data_is_noted(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("i love it,good\nso bad it hurts,bad\nall fine,good\nvery dull,bad\n")
    notes = open_target(tmp_path / "x.csv", text_column="i love it", label_column="good").notes
    assert any("taken as its header, but `good` looks like a value" in note for note in notes)
    (tmp_path / "y.csv").write_text("1,i love it,good\n2,so bad,bad\n3,all fine,good\n4,dull,bad\n")
    with pytest.raises(TargetError, match=r"which column .* Note that the first row of y.csv is taken as its header"):
        open_target(tmp_path / "y.csv")


def test_an_error_names_at_most_ten_columns(tmp_path: Path) -> None:
    names = [f"column{number}" for number in range(500)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *[",".join("x" * 500)] * 2]))
    for options in ({}, {"label_column": "nothing"}, {"text_column": "column1"}):
        with pytest.raises(TargetError, match="and 490 more") as caught:
            open_target(tmp_path / "wide.csv", **options)
        assert str(caught.value).count("`column") <= 12


class Mappings:
    """Yields dictionaries, as data sets of Hugging Face and of many projects do."""

    classes = ("cat", "dog")

    def __init__(self, **columns: Any) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: column[row] for name, column in self.columns.items()}


IMAGES = [Image.new("RGB", (5, 5), (40 * number, 10, 10)) for number in range(6)]


def test_data_sets_of_mappings_data_loaders_and_lists_of_mappings() -> None:
    dataset = Mappings(image=IMAGES, label=[0, 1] * 3, extra=[None] * 6)
    for spec in (dataset, DataLoader(dataset, batch_size=2, shuffle=True), [dataset[row] for row in range(6)]):  # type: ignore[arg-type]
        target = open_target(spec)
        assert (target.kind, len(target), target.labels.tolist()) == ("image", 6, [0, 1] * 3)
        assert target.examples.load(3).getpixel((0, 0)) == (120, 10, 10)  # type: ignore[attr-defined]
    assert open_target(dataset).classes == ("cat", "dog")
    loader = DataLoader(dataset, sampler=SubsetRandomSampler([5, 0, 3]))  # type: ignore[arg-type]
    assert open_target(loader).labels.tolist() == [0, 1, 1]
    assert any("neither its order nor `collate_fn`" in note for note in open_target(loader).notes)
    assert len(open_unlabelled(DataLoader(dataset), "image").ids) == 6  # type: ignore[arg-type]
    assert open_unlabelled([{"text": "good"}, {"text": "bad"}], "text").ids == ("0", "1")


def test_keys_of_mappings_can_be_named() -> None:
    dataset = Mappings(premise=["a", "b", "c"], hypothesis=["x", "y", "z"], verdict=["no", "yes", "no"])
    target = open_target(dataset, text_column=["premise", "hypothesis"], label_column="verdict")
    assert (target.examples.load(2), target.classes) == (("c", "z"), ("no", "yes"))
    with pytest.raises(TargetError, match=r"yields `premise`, `hypothesis`, `verdict`.* name one with `image_column`"):
        open_target(dataset)
    with pytest.raises(TargetError, match=r"no `nothing`; name one with `label_column`"):
        open_target(dataset, text_column="premise", label_column="nothing")


def test_a_dataset_dict_keeps_its_parts() -> None:
    datasets = pytest.importorskip("datasets")
    parts = {
        name: datasets.Dataset.from_dict({"text": [f"{name} good", f"{name} bad"] * rows, "label": ["a", "b"] * rows})
        for name, rows in (("train", 4), ("test", 2))
    }
    target = open_target(datasets.DatasetDict(parts))
    assert (target.split, len(target)) == ("train", 8)
    assert len(open_target(datasets.DatasetDict(parts), split="test")) == 4
