"""Class names as people write them, names from files, templates."""

from pathlib import Path

import pytest

from headstart.errors import InputError
from headstart.zeroshot.prompts import clean, listed, readable, templates


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ankle_boot", "ankle boot"),
        ("GoldenRetriever", "golden retriever"),
        ("TV", "TV"),
        ("USBCable", "USB cable"),
        ("T-shirt/top", "t-shirt or top"),
        ("  Trouser ", "trouser"),
    ],
)
def test_names_are_made_readable(name: str, said: str):
    assert clean(name) == said


def test_wordnet_ids_are_looked_up():
    assert readable(["n02084071", "n02121808"]) == ("dog", "domestic cat")


def test_names_come_from_a_file_and_the_rest_from_the_data(tmp_path: Path):
    file = tmp_path / "names.csv"
    file.write_text("class,name\n0,zero\n1,one\n")
    assert readable(["0", "1", "two_"], file) == ("zero", "one", "two")


@pytest.mark.parametrize(
    ("classes", "given", "words"),
    [
        (["0", "1"], None, ["'0'", "number or nothing", "2 of 2", "class_names"]),
        (["cat", "dog"], {"cat": ""}, ["'cat'", "number or nothing", "1 of 2", "class_names"]),
        (["a", "b"], {"c": "sea"}, ["'c'", "do not have"]),
        (["a", "b"], ["one"], ["2 names", "list of 1"]),
        (["a", "b"], "no.csv", ["no.csv", "cannot be read"]),
    ],
)
def test_names_that_do_not_fit_are_refused(classes: list[str], given: object, words: list[str]):
    with pytest.raises(InputError) as error:
        readable(classes, given)
    assert all(word in str(error.value) for word in words)


def test_templates_come_in_sets_and_from_files(tmp_path: Path):
    file = tmp_path / "mine.txt"
    file.write_text("a sketch of a {}.\n\nmy {}\n")
    found = templates(f"plain,{file}")
    assert list(found) == ["plain", "mine"]
    assert found["mine"] == ("a sketch of a {}.", "my {}")


@pytest.mark.parametrize("lines", ["a photo of a dog.\n", "{} and {}\n", ""])
def test_a_template_without_a_place_for_the_name_is_refused(tmp_path: Path, lines: str):
    file = tmp_path / "bad.txt"
    file.write_text(lines)
    with pytest.raises(InputError, match=r"bad\.txt"):
        templates(str(file))


def test_an_unknown_set_suggests_the_nearest():
    with pytest.raises(InputError, match="imagenet"):
        templates("imagnet")


def test_data_without_labels_need_two_names(tmp_path: Path):
    assert listed(["cat", "dog"]) == ("cat", "dog")
    with pytest.raises(InputError, match="two different"):
        listed(["cat", "cat"])
