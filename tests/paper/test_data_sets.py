"""Data sets by name and by path: two parts over the same classes, and a plain word where one is missing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.errors import InputError, TargetError
from headstart_paper import data_sets
from headstart_paper.data_sets import KNOWN, Known, open_data_set, parse_places

DEMO = Path(__file__).parents[2] / "demo" / "fashion_mnist_1000.zip"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Train and test folders; the test part has a class more."""
    rng = np.random.default_rng(0)
    for split, classes in (("train", "ab"), ("test", "abc")):
        for name in classes:
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for number in range(4):
                pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "set" / split / name / f"{number}.png")
    return tmp_path / "set"


def test_data_without_a_test_part_get_one_that_is_always_the_same() -> None:
    one, two = open_data_set("demo", places={"demo": str(DEMO)}), open_data_set(str(DEMO))
    assert (len(one.train), len(one.test)) == (750, 250)
    assert one.test.ids == two.test.ids
    assert not set(one.train.ids) & set(one.test.ids)
    assert "held out" in one.notes[0]


def test_the_parts_that_data_come_with_are_kept_and_strange_classes_left_out(folders: Path) -> None:
    data = open_data_set(str(folders))
    assert (len(data.train), len(data.test)) == (8, 8)
    assert data.train.classes == data.test.classes == ("a", "b")
    assert "4 test examples left out" in data.notes[0]


def test_a_pool_holds_so_many_of_each_class_and_follows_from_its_seed() -> None:
    whole = open_data_set(str(DEMO))
    pool = whole.limited(train_each=7, test_each=3, seed=1)
    assert np.bincount(pool.train.labels).tolist() == [7] * 10
    assert np.bincount(pool.test.labels).tolist() == [3] * 10
    assert pool.train.ids == whole.limited(train_each=7, seed=1).train.ids
    assert pool.train.ids != whole.limited(train_each=7, seed=2).train.ids
    assert len(whole.limited().train) == 750


def test_a_missing_set_names_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        TargetError, match=r"CIFAR-100 is not on this machine.*CIFAR100\('data', download=True\)"
    ) as told:
        open_data_set("cifar100", root=str(tmp_path))
    assert f"is not in the folder {tmp_path} (`--root DIR`)" in str(told.value)
    assert "root=" not in str(told.value)  # a word of Python, of no use to a command line
    with pytest.raises(TargetError) as told:
        open_data_set("grocery-store")
    assert str(told.value).count("--data grocery-store=PATH") == 1
    known = KNOWN["fashion-mnist"]
    monkeypatch.setitem(data_sets.KNOWN, "fashion-mnist", Known(known.title, known.brings, (str(tmp_path / "none"),)))
    with pytest.raises(TargetError, match="apt-get install dataset-fashion-mnist"):
        open_data_set("fashion-mnist", root=str(tmp_path))


def test_what_the_user_says_goes_before_what_is_installed() -> None:
    assert len(open_data_set("fashion-mnist", places={"fashion-mnist": str(DEMO)}).train) == 750


def test_another_number_of_classes_is_not_the_set_of_that_name() -> None:
    with pytest.raises(TargetError, match=r"CIFAR-100 has 100 classes, and .* holds 10"):
        open_data_set("cifar100", places={"cifar100": str(DEMO)})


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(TargetError, match="Did you mean `trashnet`"):
        open_data_set("trasnet")


def test_a_place_named_twice_is_refused() -> None:
    with pytest.raises(InputError, match="names `a` twice"):
        parse_places(["a=one", "a=two"])
