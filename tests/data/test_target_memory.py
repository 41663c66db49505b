"""Data made in Python: arrays, lists, torch data sets."""

import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset

from headstart.data import open_target
from headstart.errors import ExampleError, TargetError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)


def encoded(pixels: np.ndarray, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_images_of_every_kind_are_the_same_pictures(tmp_path: Path) -> None:
    paths = [encoded(pixels, tmp_path / f"{row}.png") for row, pixels in enumerate(PIXELS)]
    kinds = {
        "array": PIXELS,
        "tensor, channels first": torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
        "tensor of floats": torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255,
        "list of arrays": list(PIXELS),
        "PIL": [Image.fromarray(pixels) for pixels in PIXELS],
        "paths": paths,
        "paths as text": [str(path) for path in paths],
        "bytes": [path.read_bytes() for path in paths],
    }
    for name, examples in kinds.items():
        target = open_target((examples, ["a", "b", "a", "b"]))
        assert (target.kind, len(target)) == ("image", 4), name
        for row in range(4):
            np.testing.assert_array_equal(np.asarray(target.examples.load(row)), PIXELS[row], err_msg=name)
        assert len({target.examples.digest(row) for row in range(4)}) == 4, name


def test_images_may_differ_in_size() -> None:
    target = open_target(([PIXELS[0], PIXELS[1][:2], PIXELS[2, ..., 0]], [0, 1, 0]))
    assert [target.examples.load(row).size for row in range(3)] == [(6, 5), (6, 2), (6, 5)]  # type: ignore[attr-defined]


def test_rows_of_numbers_are_features_and_words_are_texts() -> None:
    assert open_target((np.eye(4), torch.tensor([0, 1, 0, 1]))).kind == "arrays"
    texts = open_target((np.array(["a.b", "c"]), [True, False]))
    assert (texts.kind, texts.classes) == ("text", ("False", "True"))
    assert texts.examples.digest(0) != texts.examples.digest(1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ((PIXELS, [0, 1]), "4 examples but 2 labels; give one label per example"),
        (([], []), "the list of examples is empty"),
        ((["a", b"b"], [0, 1]), "must all be images .* texts.*got bytes, str"),
        ((["a", "b"], "xy"), "`labels` must be a sequence or an array, one per example; got str"),
        ((3, [0, 1]), "examples must be an array or a list; got int"),
        (((x for x in "ab"), [0, 1]), "examples must be an array or a list; got generator"),
        ((["a", "b"], [0, None]), r"`labels`: 1 of 2 examples have no label \(first: 1\)"),
        ((["a", "b"], [["x"], None]), r"`labels`: 1 of 2 examples have no label \(first: 1\)"),
        ((["a", "b"], ["x", "y" * 2000]), "a label has 2000 characters .*`label_column`"),
        ((["a", "b"], [0.5, 0.5]), "all 2 values are equal; add examples that differ"),
        ((["a", "b"], [[1, 1], [1, 1]]), "all examples hold the same labels"),
        ((["a", "b"], [{"x": 1}, {"y": 2}]), "a label must be text, a number or a list of labels; got dict"),
        ((["a", "b"], [["x"], "y"]), r"some labels are lists and others are not \('y'\); make each one a list"),
        ((["a", "b"], [[1, 2], [3, 4]]), "must hold only 0 and 1; got 1 to 4"),
        (object(), "cannot read a object as data. Supported: .*a pair"),
        (iter([1]), "cannot read a list_iterator"),
    ],
)
def test_data_that_cannot_be_used_end_in_a_sentence(spec: object, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        open_target(spec)


def test_one_hot_rows_are_one_class_each_and_it_is_said() -> None:
    rows = np.eye(3, dtype=int)[[2, 0, 0, 2]]
    target = open_target((["a", "b", "c", "d"], rows))
    assert (target.task, target.classes, target.labels.tolist()) == ("classification", ("0", "2"), [1, 0, 0, 1])
    assert any("exactly one 1" in note for note in target.notes)
    assert open_target((["a", "b", "c", "d"], rows), task="multi-label").labels.tolist() == rows.tolist()


def test_classes_that_differ_only_in_case_are_kept_apart_and_it_is_said() -> None:
    target = open_target((list("abcd"), ["Cat", "cat", "Cat", "cat"]))
    assert len(target.classes) == 2
    assert any("differ only in case" in note for note in target.notes)


def test_many_whole_numbers_are_classes_under_protest() -> None:
    target = open_target(([str(i) for i in range(120)], [i % 60 for i in range(120)]))
    assert len(target.classes) == 60
    assert any("60 distinct whole numbers, read as classes; if they are amounts" in note for note in target.notes)


class Pairs(Dataset):
    """Yields (example, label); counts how often each is loaded."""

    def __init__(self, examples: list, labels: list) -> None:
        self.examples, self.given = examples, labels
        self.loads = 0

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple:
        self.loads += 1
        return self.examples[index], self.given[index]


class WithTargets(Pairs):
    def __init__(self, examples: list, labels: list) -> None:
        super().__init__(examples, labels)
        self.targets = labels
        self.classes = ["cat", "dog"]


def test_a_torch_data_set_of_tensors() -> None:
    tensors = torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255
    target = open_target(TensorDataset(tensors, torch.tensor([4, 2, 4, 2])))
    assert (target.kind, target.name, target.labels.tolist(), target.classes) == (
        "image", "TensorDataset", [1, 0, 1, 0], ("2", "4"),
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(target.examples.load(3)), PIXELS[3])
    assert any("were loaded once to read their labels" in note for note in target.notes)


def test_a_tensor_has_its_channels_first_also_where_it_could_be_read_both_ways() -> None:
    tensor = torch.zeros(3, 4, 4)  # 4 could be the channels of a 3 x 4 image
    tensor[0] = 1
    for target in (
        open_target(TensorDataset(tensor.repeat(2, 1, 1, 1), torch.tensor([0, 1]))),
        open_target((tensor.repeat(2, 1, 1, 1), [0, 1])),
    ):
        image = target.examples.load(0)
        assert (image.size, image.getpixel((3, 3))) == ((4, 4), (255, 0, 0))  # type: ignore[attr-defined]


def test_equal_numbers_on_another_scale_are_another_picture() -> None:
    dark = np.zeros((2, 4, 4))
    dark[0, 0, 0] = 1.0
    bright = dark.copy()
    bright[1] = 255.0  # so white is 255, and the first image almost black
    one, other = open_target((dark, [0, 1])), open_target((bright, [0, 1]))
    assert one.examples.load(0) != other.examples.load(0)
    assert one.examples.digest(0) != other.examples.digest(0)


def test_labels_that_are_lists_of_unequal_length_are_sets() -> None:
    target = open_target((list("abc"), [np.array(["x", "y"]), np.array(["y"]), np.array([], dtype=str)]))
    assert (target.classes, target.labels.tolist()) == (("x", "y"), [[1, 1], [0, 1], [0, 0]])


def test_labels_that_a_data_set_keeps_are_read_without_loading_its_examples() -> None:
    dataset = WithTargets([Image.fromarray(pixels) for pixels in PIXELS] * 50, [0, 1, 1, 0] * 50)
    target = open_target(dataset)
    assert (len(target), target.classes, target.labels[:4].tolist()) == (200, ("cat", "dog"), [0, 1, 1, 0])
    assert dataset.loads < 10
    part = open_target(Subset(dataset, [3, 1, 0]))
    assert part.labels.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(np.asarray(part.examples.load(1)), PIXELS[1])


def test_labels_that_a_data_set_changes_on_the_way_are_read_from_its_items() -> None:
    class Flipped(WithTargets):
        def __getitem__(self, index: int) -> tuple:
            example, label = super().__getitem__(index)
            return example, 1 - label

    assert open_target(Flipped(["a", "b", "c"], [0, 1, 1])).labels.tolist() == [1, 0, 0]


def test_labels_that_only_one_class_has_changed_are_read_from_the_items() -> None:
    class Merged(WithTargets):
        def __getitem__(self, index: int) -> tuple:
            example, label = super().__getitem__(index)
            return example, 1 if label == 5 else label

    dataset = Merged(list("abcdefgh"), [0, 1, 2, 3, 4, 5, 5, 0])  # the first and last label are those that come
    dataset.classes = list("uvwxyz")
    assert open_target(dataset).labels.tolist() == [0, 1, 2, 3, 4, 1, 1, 0]


class Transformed(WithTargets):
    def __init__(self, transform: Callable, labels: list) -> None:
        super().__init__([str(row) for row in range(len(labels))], labels)
        self.target_transform = transform

    def __getitem__(self, index: int) -> tuple:
        example, label = super().__getitem__(index)
        return example, self.target_transform(label)


def test_a_transform_of_labels_is_kept_to_also_in_a_subset() -> None:
    dataset = Transformed(lambda label: int(label != 33), [*range(40), *[0] * 60])
    dataset.classes = [f"kind {number}" for number in range(40)]
    target = open_target(dataset)
    assert (target.labels.sum(), target.classes) == (99, ("0", "1"))
    assert any("names of classes are left out" in note for note in target.notes)
    assert open_target(Subset(dataset, [0, 1, 33, 4])).labels.tolist() == [1, 1, 0, 1]


def test_a_transform_that_leaves_the_labels_leaves_their_names() -> None:
    assert open_target(Transformed(torch.tensor, [0, 1, 1])).classes == ("cat", "dog")


def test_a_random_transform_is_refused() -> None:
    class Noisy(Pairs):
        def __getitem__(self, index: int) -> tuple:
            return torch.rand(3, 4, 4), index % 2

    with pytest.raises(TargetError, match="a different first example each time; build it without random transforms"):
        open_target(Noisy([0] * 4, [0] * 4))


def test_normalised_tensors_are_refused() -> None:
    with pytest.raises(TargetError, match="pass uint8, or floats from 0 to 1"):
        open_target(TensorDataset(torch.randn(4, 3, 5, 5), torch.tensor([0, 1, 0, 1])))
    late = torch.rand(4, 3, 5, 5)
    late[2] *= 3
    target = open_target(TensorDataset(late, torch.tensor([0, 1, 0, 1])))
    with pytest.raises(ExampleError, match="pixel values run from"):
        target.examples.load(2)


def test_a_file_that_a_data_set_cannot_load_is_an_example_error() -> None:
    class Files(Pairs):
        def __getitem__(self, index: int) -> tuple:
            if index == 1:
                raise OSError("image file is truncated")
            return "text", index

    dataset = Files([0] * 3, [])
    dataset.targets = [0, 1, 2]  # type: ignore[attr-defined]
    with pytest.raises(ExampleError, match="the data set cannot load it: image file is truncated"):
        open_target(dataset).examples.load(1)
    del dataset.targets  # type: ignore[attr-defined]
    with pytest.raises(TargetError, match="cannot load its example 1, so the label is unknown: image file is trunc"):
        open_target(dataset)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Pairs([], []), "the data set is empty"),
        ([1, 2], r"must yield \(example, label\); the first item is a int"),
        ([(1, 2), (3, 4)], "must yield images .* or texts; the first example is a int"),
    ],
)
def test_data_sets_of_something_else_are_errors(dataset: object, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        open_target(dataset)


def test_a_data_set_is_loaded_by_one_thread_at_a_time_and_survives_a_pickle() -> None:
    class Guarded(Pairs):
        busy = False

        def __getitem__(self, index: int) -> tuple:
            assert not self.busy
            self.busy = True
            time.sleep(0.0001)  # lets another thread in, were it allowed to
            example = super().__getitem__(index)
            self.busy = False
            return example

    target = open_target(Guarded([str(i) for i in range(500)], [i % 2 for i in range(500)]))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(target.examples.load, range(500))) == [str(i) for i in range(500)]
    held = open_target(TensorDataset(torch.rand(4, 3, 5, 5), torch.tensor([0, 1, 0, 1]))).examples
    assert pickle.loads(pickle.dumps(held)).digest(2) == held.digest(2)


def test_columns_of_a_table_are_examples_and_labels():
    table = pandas.DataFrame({"text": ["one", "two", "three", "four"], "label": ["a", "b", "a", "b"]})
    for labels in (table["label"], table["label"].values, table["label"].astype("category")):
        target = open_target((table["text"], labels))
        assert (target.kind, target.classes, target.labels.tolist()) == ("text", ("a", "b"), [0, 1, 0, 1])
        assert target.examples.load(2) == "three"


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_a_label_that_is_missing_in_a_column_of_pandas_is_no_class(dtype: str):
    labels = pandas.Series(["cat", "dog", None] * 2, dtype=dtype)
    with pytest.raises(TargetError, match=r"2 of 6 examples have no label \(first: 2\); give them one or leave"):
        open_target((list("abcdef"), labels))


@pytest.mark.parametrize(
    "labels",
    [
        ["x", float("nan"), "y"],
        ["x", np.float32("nan"), "y"],
        ["x", pandas.NaT, "y"],
        [1, pandas.NA, 2],
        pandas.Series([True, None, False], dtype="boolean"),
        [["x"], float("nan"), ["x", "y"]],
        [["x"], ["x", None], ["y"]],
    ],
)
def test_a_label_that_is_missing_in_a_list_is_no_class(labels: object):
    with pytest.raises(TargetError, match=r"1 of 3 examples have no label \(first: 1\)"):
        open_target((list("abc"), labels))


@pytest.mark.parametrize("of", [list, np.array, lambda labels: np.array(labels, dtype=object)])
def test_labels_of_bytes_are_text(of: Callable):
    assert open_target((list("abc"), of([b"x", b"y", b"x"]))).classes == ("x", "y")
    assert open_target((list("abc"), of([[b"x"], [b"y"], [b"x"]]))).classes == ("x", "y")


def test_a_label_spelled_nan_is_a_label_and_a_missing_set_of_labels_is_empty():
    assert open_target((list("ab"), ["nan", "<NA>"])).classes == ("<NA>", "nan")
    target = open_target((list("abc"), pandas.Series(["x|y", None, "y"])), task="multi-label")
    assert (target.classes, target.labels.tolist()) == (("x", "y"), [[1, 1], [0, 0], [0, 1]])


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16), (16, 16, 1), (16, 16, 3), (16, 16)])
@pytest.mark.parametrize("of", [np.asarray, torch.as_tensor])
def test_a_list_of_whole_images_says_by_its_shape_where_the_channels_lie(shape, of):
    pixels = np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8)
    target = open_target(([of(one) for one in pixels], [0, 1, 0, 1]))
    expected = pixels[1].transpose(1, 2, 0) if shape[1:] == (16, 16) else pixels[1]
    shown = np.asarray(target.examples.load(1))
    assert np.array_equal(shown, np.broadcast_to(expected.reshape(16, 16, -1), (16, 16, 3)))


def test_images_of_odd_shapes_are_said():
    odd = [np.zeros((5, 9, 9), np.uint8), np.zeros((5, 8, 8), np.uint8)]
    with pytest.raises(TargetError, match=r"shape \(5, 9, 9\).*1 to 4 channels.*np.moveaxis"):
        open_target((odd, [0, 1]))


def test_grey_images_with_transparency_and_columns_of_arrow():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 2), dtype=np.uint8)
    target = open_target((list(pixels), pyarrow.array(["a", "b", "a", "b"])))
    assert target.labels.tolist() == [0, 1, 0, 1]
    assert target.examples.load(1).size == (8, 8)


def test_rows_of_numbers_in_a_column_are_several_labels() -> None:
    rows = [np.array([0, 1]), np.array([1, 1]), np.array([1, 0])]
    target = open_target({"text": ["a", "b", "c"], "label": rows})
    assert (target.task, target.labels.tolist()) == ("multi-label", [[0, 1], [1, 1], [1, 0]])
