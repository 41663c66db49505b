"""The door: paths that are not there, kinds that are not read, options that would change nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.data import open_target
from headstart.errors import TargetError

DEMO = Path(__file__).parents[2] / "demo" / "fashion_mnist_1000.zip"


def test_a_path_that_is_not_there_suggests_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"")
    with pytest.raises(TargetError, match=r"fotos.zip does not exist. Did you mean `photos.zip`\?"):
        open_target(tmp_path / "fotos.zip")
    with pytest.raises(TargetError, match=r"zzz does not exist. Check the path; supported: .csv"):
        open_target(str(tmp_path / "zzz"))
    with pytest.raises(TargetError, match=r"nor does the folder .*no/such; check the path"):
        open_target(tmp_path / "no/such/data.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.png", "is a single image; pass the folder that holds the class folders"),
        ("a.tar.gz", r"unsupported file type `.gz`. Supported: .csv"),
        ("a", r"cannot read .*/a`: the file name has no suffix"),
        ("a.zip", "cannot read .* as a zip"),
    ],
)
def test_files_of_another_kind_are_errors(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(TargetError, match=message):
        open_target(tmp_path / name)


@pytest.mark.parametrize("option", ["text_column", "image_column", "label_column"])
def test_columns_are_refused_where_there_are_none(folder: Callable, option: str) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    for spec in (root, (["a", "b"], [0, 1]), open_target(root)):
        with pytest.raises(TargetError, match=f"`{option}` is for tables, and .* is not a table"):
            open_target(spec, **{option: "x"})  # type: ignore[arg-type]


def test_an_unknown_task_is_an_error(folder: Callable) -> None:
    with pytest.raises(TargetError, match=r"unknown task 'regresion'. Did you mean `regression`\? Available: clas"):
        open_target(folder(["cat/1.png", "dog/1.png"]), task="regresion")


def test_an_open_target_passes_through(folder: Callable) -> None:
    target = open_target(folder(["train/cat/1.png", "train/dog/1.png"]))
    assert open_target(target) is target
    assert open_target(target, split="train", task="classification") is target
    with pytest.raises(TargetError, match="`split='test'`, but the open target has 'train'; open the data again"):
        open_target(target, split="test")


def test_a_target_prints_what_it_holds_and_repr_is_short(folder: Callable) -> None:
    assert str(open_target(folder(["train/cat/1.png", "train/cat/2.png", "train/dog/1.png"]))).splitlines()[:2] == [
        "photos: 3 images in 2 classes, train split",
        "cat 2 and dog 1",
    ]
    many = open_target(([f"text {i}" for i in range(900)], [f"kind {i % 300}" for i in range(900)]))
    assert "in 300 classes" in str(many)
    assert "kind 9 3 and 290 others" in " ".join(str(many).split())
    assert len(repr(many).splitlines()) <= 5
    assert "<array 900>" in repr(many)
    amounts = open_target((["a", "b", "c"], [0.5, 2.0, 1.25]), task="regression")
    assert "values from 0.5 to 2" in str(amounts)


def test_split_is_refused_for_data_in_memory() -> None:
    with pytest.raises(TargetError, match=r"a pair .* has no splits, so `split=.train.`"):
        open_target((["a", "b"], [0, 1]), split="train")


def test_folders_named_by_amounts_are_regression_only_when_asked(folder: Callable) -> None:
    root = folder(["0.5/1.png", "2.5/1.png", "10/1.png"])
    assert open_target(root).classes == ("0.5", "2.5", "10")
    assert open_target(root, task="regression").labels.tolist() == [0.5, 2.5, 10.0]


def test_a_subset_keeps_classes_and_order(folder: Callable) -> None:
    target = open_target(folder(["a/1.png", "b/1.png", "c/1.png"]))
    part = target.subset([2, 0]).subset([1])
    assert (part.ids, part.labels.tolist(), part.classes) == (("a/1.png",), [0], ("a", "b", "c"))
    assert part.examples.digest(0) == target.examples.digest(0)


def test_the_demo_data_are_a_thousand_small_images() -> None:
    target = open_target(DEMO)
    assert (len(target), len(target.classes), target.notes) == (1000, 10, ())
    assert DEMO.stat().st_size < 1_000_000
    image = target.examples.load(0)
    assert (image.mode, image.size) == ("RGB", (28, 28))  # type: ignore[attr-defined]
    assert len({target.examples.digest(row) for row in range(1000)}) > 990
