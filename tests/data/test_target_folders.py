"""Class folders and zips of them: what is an example, of which class, and what is said of the rest."""

import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from headstart.data import Target, open_target
from headstart.data.formats.folder import arrange
from headstart.data.stored import ZipImages
from headstart.errors import ExampleError, TargetError

Make = Callable[[list[str]], Path]

PETS = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/3.png"]


def split_pets() -> list[str]:
    return [f"train/{name}" for name in PETS] + ["test/cat/9.png", "test/dog/9.png", "val/dog/8.png"]


def labels_by_id(target: Target) -> dict[str, str]:
    return {name: target.classes[code] for name, code in zip(target.ids, target.labels, strict=True)}


def test_a_folder_and_its_zip_are_the_same_target(folder: Make, archive: Make) -> None:
    loose, packed = open_target(folder(PETS)), open_target(archive(PETS))
    for target in (loose, packed):
        assert labels_by_id(target) == {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog", "dog/3.png": "dog"}
        assert (target.name, target.kind, target.task, target.split, target.notes) == (
            "photos", "image", "classification", None, (),
        )  # fmt: skip
    for index in range(4):
        assert loose.examples.digest(index) == packed.examples.digest(index)
        assert loose.examples.load(index).tobytes() == packed.examples.load(index).tobytes()
    assert len({loose.examples.digest(index) for index in range(4)}) == 4


def test_equal_content_has_equal_digests_whatever_its_name(tmp_path: Path, folder: Make) -> None:
    root = folder(PETS)
    (root / "dog/3.png").write_bytes((root / "cat/1.png").read_bytes())
    target = open_target(root)
    digests = dict(zip(target.ids, map(target.examples.digest, range(4)), strict=True))
    assert digests["dog/3.png"] == digests["cat/1.png"] != digests["cat/2.png"]
    assert all(len(digest) == 16 for digest in digests.values())


@pytest.mark.parametrize("wrapped", ["", "photos/", "outer/inner/"])
def test_only_the_training_split_is_scored(folder: Make, wrapped: str) -> None:
    target = open_target(folder([wrapped + name for name in split_pets()]))
    assert target.split == "train"
    assert len(target) == 4
    assert any(
        "only the split `train` (4 examples) is used; set aside: `test` (2), `val` (1)" in n for n in target.notes
    )


def test_another_split_is_scored_when_named(folder: Make) -> None:
    root = folder(split_pets())
    assert set(open_target(root, split="test").ids) == {"test/cat/9.png", "test/dog/9.png"}
    with pytest.raises(TargetError, match=r"no split `tset`; it has `test`, `train`, `val`. Did you mean `test`\?"):
        open_target(root, split="tset")


def test_a_role_finds_the_split_of_another_name(folder: Make) -> None:
    layout = [name.replace("val/", "Validation/").replace("train/", "Training/") for name in split_pets()]
    root = folder([*layout, "Validation/cat/7.png"])
    assert open_target(root).split == "Training"
    assert open_target(root, split="val").split == "Validation"


def test_without_a_training_split_one_must_be_named(folder: Make) -> None:
    root = folder(["val/cat/1.png", "val/dog/1.png", "test/cat/1.png", "test/dog/1.png"])
    with pytest.raises(TargetError, match=r"no training split among `test`, `val`; choose one with `split=`"):
        open_target(root)


def test_two_training_splits_are_not_merged(folder: Make) -> None:
    with pytest.raises(TargetError, match="more than one training split among `train`, `training`; choose one"):
        open_target(folder([f"{split}/{name}" for split in ("train", "training") for name in PETS]))


def test_splits_with_a_stray_image_are_still_not_taken_for_classes(folder: Make) -> None:
    target = open_target(folder([*split_pets(), "train/stray.png", "readme.txt"]))
    assert (target.split, target.classes) == ("train", ("cat", "dog"))
    assert any("outside the class folders, set aside: `train/stray.png`" in note for note in target.notes)


def test_splits_without_class_folders_are_an_error(folder: Make) -> None:
    with pytest.raises(
        TargetError, match=r"the splits `test`, `train` of .* hold no class folders; put each image into"
    ):
        open_target(folder(["train/1.png", "test/1.png"]))


def test_a_folder_beside_splits_is_set_aside_and_said(folder: Make) -> None:
    target = open_target(folder([*split_pets(), "unlabelled/more/1.png"]))
    assert target.split == "train"
    assert any("not splits, set aside: `unlabelled`" in note for note in target.notes)


@pytest.mark.parametrize(
    ("others", "note"),
    [
        (["test/8.png", "test/9.png"], "splits without class folders, set aside: `test`"),
        (["test/9.png", "docs/1.png", "samples/1.png"], "folders that are not splits, set aside: `docs`, `samples`"),
        (["docs/figure.png"], "folders that are not splits, set aside: `docs`"),
        (["val/emu/1.png", "preview/1.png"], "folders that are not splits, set aside: `preview`"),
    ],
)
def test_a_training_split_is_no_class_whatever_lies_beside_it(folder: Make, others: list[str], note: str) -> None:
    root = folder([f"train/{name}" for name in PETS] + others)
    target = open_target(root)
    assert (target.classes, target.split, len(target)) == (("cat", "dog"), "train", 4)
    assert note in target.notes
    if "test/9.png" in others:
        with pytest.raises(TargetError, match=r"the split `test` of .* holds no class folders; put each image into"):
            open_target(root, split="test")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("Train Images", "test-images"),
        ("train/train", "test/test"),
    ],
)
def test_splits_of_longer_names_are_no_classes(folder: Make, train: str, test: str) -> None:
    root = folder([f"{train}/{name}" for name in PETS] + [f"{test}/cat/1.png", f"{test}/emu/1.png"])
    target = open_target(root)
    assert (target.classes, target.split, len(target)) == (("cat", "dog"), train.split("/")[0], 4)
    assert open_target(root, split=test.split("/")[0]).classes == ("cat", "emu")


def test_a_class_with_a_split_in_its_name_is_a_class() -> None:
    for one, other in (("test_tube", "train_station"), ("train", "trainer"), ("train_test", "valid_ticket")):
        files = [(name, place, "1.jpg") for name in (one, other) for place in ("indoors", "outdoors")]
        assert set(arrange(files, set(), split=None, where="x").labels) == {one, other}
    lone = arrange([("test_data", "cat", "1.jpg"), ("test_data", "dog", "1.jpg")], set(), split=None, where="x")
    assert (lone.labels, lone.split) == (("cat", "dog"), None)  # a folder that wraps everything


def test_splits_inside_the_class_folders_are_not_merged(folder: Make) -> None:
    root = folder([f"{name}/{part}/1.png" for name in ("cat", "dog") for part in ("train", "test")] + ["dog/9.png"])
    target = open_target(root)
    assert (labels_by_id(target), target.split) == ({"cat/train/1.png": "cat", "dog/train/1.png": "dog"}, "train")
    assert "only the split `train` (2 examples) is used; set aside: `test` (2)" in target.notes
    assert "images outside the splits of their class, set aside: `dog/9.png`" in target.notes
    assert set(open_target(root, split="test").ids) == {"cat/test/1.png", "dog/test/1.png"}


def test_one_folder_inside_every_class_is_no_choice_of_splits(folder: Make) -> None:
    target = open_target(folder(["cat/test/1.png", "dog/test/1.png"]))
    assert (target.classes, target.split, len(target)) == (("cat", "dog"), None, 2)


def test_a_class_may_be_called_train(folder: Make) -> None:
    target = open_target(folder(["train/1.png", "bus/1.png", "car/1.png"]))
    assert (target.classes, target.split) == (("bus", "car", "train"), None)
    nested = arrange([("train", "steam", "1.png"), ("bus", "1.png")], set(), split=None, where="x")
    assert set(nested.labels) == {"train", "bus"}
    assert any("as classes because `bus`" in note for note in nested.notes)
    kinds = [("train", "steam", "1.png"), ("train", "diesel", "1.png"), ("bus", "1.png"), ("car", "1.png")]
    assert set(arrange(kinds, set(), split=None, where="x").labels) == {"train", "bus", "car"}


def test_a_split_asked_of_data_without_splits_is_an_error(folder: Make) -> None:
    with pytest.raises(TargetError, match=r"has no splits, so `split='train'` has no effect; leave it out"):
        open_target(folder(PETS), split="train")


def test_numbered_classes_and_files_are_in_natural_order(folder: Make) -> None:
    target = open_target(folder([f"{name}/{i}.png" for name in (10, 9, 1, 2) for i in (2, 11)]))
    assert target.classes == ("1", "2", "9", "10")
    assert target.ids[:2] == ("1/2.png", "1/11.png")
    assert target.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_images_in_deeper_folders_belong_to_their_class_folder(folder: Make) -> None:
    target = open_target(folder(["cat/a/1.png", "cat/b/1.png", "dog/1.png", "dog/c/d/1.png"]))
    assert labels_by_id(target) == {
        "cat/a/1.png": "cat",
        "cat/b/1.png": "cat",
        "dog/1.png": "dog",
        "dog/c/d/1.png": "dog",
    }


def test_what_is_no_image_is_counted_and_named(folder: Make) -> None:
    target = open_target(folder([*PETS, "readme.txt", "cat/notes.md"]))
    assert len(target) == 4
    assert "2 files without an image ending, set aside: `cat/notes.md`, `readme.txt`" in target.notes


def test_what_systems_leave_behind_is_not_mentioned(archive: Make) -> None:
    junk = ["__MACOSX/cat/._1.png", "cat/.DS_Store", "cat/Thumbs.db", ".hidden/cat/1.png", "dog/._1.png"]
    target = open_target(archive([*PETS, *junk]))
    assert (len(target), target.notes) == (4, ())


def test_empty_class_folders_are_said_to_be_left_out(folder: Make, archive: Make) -> None:
    layout = [*PETS, "bird/"]
    for target in (open_target(folder(layout)), open_target(archive(layout))):
        assert target.classes == ("cat", "dog")
        assert "class folders without images, left out: `bird`" in target.notes


def test_a_class_with_one_example_is_kept_and_said(folder: Make) -> None:
    target = open_target(folder([*PETS, "emu/1.png"]))
    assert target.classes == ("cat", "dog", "emu")
    assert any("one class has a single example (`emu`)" in note for note in target.notes)


def test_links_are_followed_but_never_round_in_a_circle(folder: Make, tmp_path: Path) -> None:
    root = folder(PETS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1.png").write_bytes((root / "cat/1.png").read_bytes())
    os.symlink(elsewhere, root / "emu")
    os.symlink(root, root / "cat/loop")
    os.symlink(root / "nowhere.png", root / "dog/broken.png")
    target = open_target(root)
    assert len(target) == 6
    assert labels_by_id(target)["emu/1.png"] == "emu"
    assert any("links to folders that are read already are not followed: `cat/loop`" in note for note in target.notes)
    with pytest.raises(ExampleError, match="cannot be read: No such file"):
        target.examples.load(target.ids.index("dog/broken.png"))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([], r"photos.* is empty: expected one folder of images per class, as in cat/1.jpg"),
        (["cat/", "dog/"], r"photos.* is empty"),
        (["a.txt", "b.txt", "c.md"], r"holds 3 files but no image \(2 .txt, 1 .md\): expected one folder"),
        (["a.csv"], r"to read a table, pass it itself, for example a.csv"),
        (["cat/1.png", "cat/2.png"], r"all 2 examples are of the one class `cat`; add examples of at least one other"),
        (["1.png", "2.png", "index.csv"], r"the 2 images in .* are not in class folders; .*index.csv"),
    ],
)
def test_layouts_that_cannot_be_used_end_in_a_sentence(
    folder: Make, archive: Make, layout: list[str], message: str
) -> None:
    for path in (folder(layout), archive(layout)):
        with pytest.raises(TargetError, match=message) as caught:
            open_target(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")


def test_files_that_only_look_like_images_are_found_when_loaded(folder: Make) -> None:
    root = folder(PETS)
    (root / "cat/1.png").write_bytes(b"no picture")
    (root / "cat/2.png").write_bytes(b"")
    target = open_target(root)
    with pytest.raises(ExampleError, match="not an image"):
        target.examples.load(0)
    with pytest.raises(ExampleError, match="the file is empty"):
        target.examples.load(1)
    assert len(target.examples.digest(0)) == 16


def test_a_damaged_zip_is_an_error_and_a_damaged_member_an_example_error(archive: Make) -> None:
    path = archive(PETS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TargetError, match=r"cannot read .*photos.zip as a zip: .*"):
        open_target(path)
    start = content.index(b"\x89PNG") + 20
    path.write_bytes(content[:start] + bytes(8) + content[start + 8 :])
    target = open_target(path)
    with pytest.raises(ExampleError, match="cannot be unpacked from the zip: Bad CRC"):
        target.examples.load(0)
    target.examples.load(1)


def test_a_zip_bomb_is_refused_unread(archive: Make) -> None:
    path = archive(PETS)
    with zipfile.ZipFile(path) as file:
        member = file.infolist()[0]
    member.file_size = 1 << 40
    with pytest.raises(ExampleError, match=r"unpacks to 1099511627776 bytes; at most"):
        ZipImages(path, (member,)).load(0)


def test_a_zip_that_goes_away_is_an_example_error(archive: Make) -> None:
    path = archive(PETS)
    elsewhere = pickle.loads(pickle.dumps(open_target(path).examples))
    path.unlink()
    with pytest.raises(ExampleError, match="cannot be unpacked from the zip"):
        elsewhere.load(0)


def test_names_written_as_utf8_without_the_flag_are_read_as_utf8(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("käse/1.png", "brot/1.png"):
            file.writestr(name, b"x")
    name = "käse/1.png".encode()
    content = bytearray(path.read_bytes())
    for signature, flags, start in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        at = content.index(signature)
        while content[at + start : at + start + len(name)] != name:
            at = content.index(signature, at + 1)
        content[at + flags + 1] &= ~0x08  # bit 11, "the name is UTF-8"
    path.write_bytes(bytes(content))
    assert open_target(path).classes == ("brot", "käse")


def many(archive: Make) -> Target:
    return open_target(archive([f"{name}/{i}.png" for name in ("a", "b") for i in range(100)]))


def test_a_zip_is_read_by_many_threads_at_once(archive: Make) -> None:
    target = many(archive)
    expected = [target.examples.digest(index) for index in range(len(target))]
    order = np.random.default_rng(0).integers(0, len(target), 2000)
    fresh = pickle.loads(pickle.dumps(target.examples))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fresh.digest, order))
    assert found == [expected[index] for index in order]


def test_a_zip_is_read_by_forked_processes_at_once(archive: Make) -> None:
    target = many(archive)
    expected = [target.examples.digest(index) for index in range(len(target))]  # so the handle is open before the fork

    def read_again() -> None:
        sys.exit(
            0 if all([target.examples.digest(i) for i in range(len(target))] == expected for _ in range(20)) else 1
        )

    children = [get_context("fork").Process(target=read_again) for _ in range(4)]  # forked as it is, not pickled
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
