"""Data that are easily read wrongly without a sign of it: each is read rightly, refused, or noted."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import Target, open_target, open_unlabelled, read_arrays
from headstart.errors import ExampleError, InputError, TargetError

Make = Callable[[list[str]], Path]


def write(folder: Path, text: str, name: str = "x.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def named_labels(target: Target) -> list[str]:
    return [target.classes[code] for code in target.labels]


def test_a_table_beside_storage_folders_holds_the_labels(folder: Make) -> None:
    root = folder(["images_1/1.png", "images_1/2.png", "images_2/3.png"])
    rows = "images_1/1.png,cat\nimages_1/2.png,dog\nimages_2/3.png,cat\n"
    write(root, f"file_name,label\n{rows}", "metadata.csv")
    target = open_target(root)
    assert (target.ids[1], named_labels(target)) == ("images_1/2.png", ["cat", "dog", "cat"])
    assert any("labels are those of metadata.csv" in note for note in target.notes)
    assert len(open_unlabelled(root, "image").ids) == 3
    (root / "metadata.csv").rename(root / "images_1/labels.csv")
    write(root / "images_1", "path,label\n1.png,cat\n2.png,dog\n", "labels.csv")
    with pytest.raises(TargetError, match=r"images_1/labels\.csv lists images .*pass this table"):
        open_target(root)


def test_a_table_that_lists_no_images_leaves_the_folders_classes(folder: Make) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    write(root, "class,count\ncat,1\ndog,1\n", "metadata.csv")
    assert open_target(root).classes == ("cat", "dog")


def test_the_same_folders_under_every_top_folder_are_refused_or_noted(folder: Make) -> None:
    root = folder([f"{top}/{name}/1.png" for top in ("Original", "Augmented") for name in ("cat", "dog", "emu")])
    with pytest.raises(TargetError, match=r"`Augmented`, `Original` .* holds the folders `cat`, `dog`, `emu`"):
        open_target(root)
    assert open_target(root / "Original").classes == ("cat", "dog", "emu")


def test_folds_are_refused_and_views_of_each_class_noted(tmp_path: Path) -> None:
    for root, tops in (("folds", ("fold1", "fold2", "fold3")), ("views", ("cat", "dog", "emu"))):
        for top in tops:
            for inner in ("front", "side"):
                place = tmp_path / root / top / inner
                place.mkdir(parents=True)
                Image.new("RGB", (4, 4)).save(place / "1.png")
    with pytest.raises(TargetError, match="fold1"):
        open_target(tmp_path / "folds")
    target = open_target(tmp_path / "views")
    assert target.classes == ("cat", "dog", "emu")
    assert any("`front`, `side`; if those are the classes" in note for note in target.notes)


def test_predict_leaves_out_the_same_junk_as_rank(folder: Make, archive: Make) -> None:
    layout = ["cat/1.png", "dog/1.png", "cat/._1.png", ".ipynb_checkpoints/1.png", "__MACOSX/cat/1.png"]
    for place in (folder(layout), archive(layout)):
        assert open_unlabelled(place, "image").ids == open_target(place).ids == ("cat/1.png", "dog/1.png")


def test_pipes_are_set_aside_in_folders_and_refused_elsewhere(folder: Make, tmp_path: Path) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    os.mkfifo(root / "cat/pipe.png")
    target = open_target(root)
    assert len(target) == 2
    assert any("pipes" in note and "`cat/pipe.png`" in note for note in target.notes)
    for spec in (root / "cat/pipe.png", "/dev/zero"):
        with pytest.raises(TargetError, match="neither a file nor a folder"):
            open_target(spec)
    listed = open_target(([root / "cat/1.png", root / "cat/pipe.png"], ["a", "b"]))
    with pytest.raises(ExampleError, match="not a regular file"):
        listed.examples.load(1)


def test_each_folder_is_read_once_however_many_links_lead_to_it(folder: Make, tmp_path: Path) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    level = tmp_path / "level0"
    level.mkdir()
    for depth in range(1, 20):  # two links per level: 2 ** 19 paths
        (upper := tmp_path / f"level{depth}").mkdir()
        os.symlink(level, upper / "a")
        os.symlink(level, upper / "b")
        level = upper
    os.symlink(level, root / "fan")
    os.symlink(root / "dog", root / "aardvark")
    target = open_target(root)
    assert target.ids == ("cat/1.png", "dog/1.png")
    assert any("not followed: `aardvark`" in note for note in target.notes)


def test_a_name_that_is_not_utf8_is_shown_escaped(folder: Make) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    os.rename(os.fsencode(root / "cat/1.png"), os.fsencode(root) + b"/cat/\xff.png")
    target = open_target(root)
    assert target.ids[0] == "cat/\\xff.png"
    assert target.ids[0].encode()
    target.examples.load(0)


def test_a_sep_line_names_the_delimiter(tmp_path: Path) -> None:
    target = open_target(write(tmp_path, "sep=;\ntext;label\na, b;x\nc;y\n"))
    assert named_labels(target) == ["x", "y"]


def test_a_comma_in_a_quoted_header_is_no_delimiter(tmp_path: Path) -> None:
    target = open_target(write(tmp_path, '"text, long";label\n"a, b";x\nc;y\n'))
    assert (target.examples.load(0), named_labels(target)) == ("a, b", ["x", "y"])


@pytest.mark.parametrize("header", ["good film,1", "img/1.png,cat"])
def test_a_header_that_looks_like_data_is_noted(tmp_path: Path, header: str) -> None:
    first, second = header.split(",")
    path = write(tmp_path, f"{header}\nbad film,0\nfine film,1\n")
    target = open_target(path, text_column=first, label_column=second)
    assert any("taken as its header" in note for note in target.notes)


@pytest.mark.parametrize(
    ("column", "cells", "split", "kept"),
    [
        ("is_valid", "False True False True", "train", ["a", "c"]),
        ("is_test", "0 0 1 1", "train", ["a", "b"]),
        ("is_train", "yes no yes no", "train", ["a", "c"]),
        ("is_valid", "False True False True", "val", ["b", "d"]),
    ],
)
def test_a_column_of_flags_holds_the_split(
    tmp_path: Path, column: str, cells: str, split: str, kept: list[str]
) -> None:
    rows = "".join(f"{text},{text in 'ad'},{cell}\n" for text, cell in zip("abcd", cells.split(), strict=True))
    target = open_target(write(tmp_path, f"text,label,{column}\n{rows}"), split=split, task="classification")
    assert [target.examples.load(row) for row in range(len(target))] == kept


def test_a_column_of_folds_is_noted(tmp_path: Path) -> None:
    target = open_target(write(tmp_path, "text,label,fold\na,x,0\nb,y,1\n"))
    assert any("column `fold` is not used" in note for note in target.notes)


def test_composed_and_decomposed_names_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    for number, name in enumerate((composed, decomposed, "dog")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / f"{number}.png")
    assert open_target(tmp_path).classes == (composed, "dog")
    assert open_target((["a", "b", "c"], [composed, decomposed, "dog"])).labels.tolist() == [0, 0, 1]
    assert open_target((["a", "b"], [[composed, "dog"], [decomposed]])).classes == (composed, "dog")


@pytest.mark.parametrize("name", ["nan", "None", "null", "N/A", "-1"])
def test_a_class_that_may_be_a_missing_label_is_noted(name: str) -> None:
    target = open_target((["a", "b", "c", "d"], [name, "1", "0", "1"]))
    assert name in target.classes
    assert any(f"`{name}`" in note and "missing label" in note for note in target.notes)


def test_backslashes_in_a_table_lead_to_the_file(folder: Make) -> None:
    root = folder(["cat/1.png", "dog/1.png"])
    target = open_target(write(root, "image,label\ncat\\1.png,cat\ndog\\1.png,dog\n"))
    assert target.ids == ("cat/1.png", "dog/1.png")
    target.examples.load(0)


@pytest.mark.parametrize(("cell", "found"), [("cat/1.PNG", "1.png"), ("cat/1", "1.png")])
def test_a_file_of_another_ending_is_named(folder: Make, cell: str, found: str) -> None:
    path = write(folder(["cat/1.png", "dog/1.png"]), f"image_path,label\n{cell},cat\n{cell},dog\n")
    with pytest.raises(TargetError, match=f"'{found}' exists"):
        open_target(path, image_column="image_path")


def test_probabilities_called_logits_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", logits=np.full((4, 2), 0.5), labels=[0, 1, 0, 1])
    with pytest.raises(InputError, match=r"are probabilities.*`probs`"):
        read_arrays(tmp_path / "x.npz")
