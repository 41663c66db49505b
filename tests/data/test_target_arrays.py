"""`.npz` files: arrays made elsewhere, images, texts, splits; never a pickle."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from headstart.data import open_target, read_arrays
from headstart.errors import InputError, TargetError

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(6, 4)).astype(np.float32)
PROBS = softmax(RNG.normal(size=(6, 3)), axis=1)
LABELS = np.array([5, 5, 9, 9, 7, 7])


def save(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "made.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_features_and_labels(tmp_path: Path) -> None:
    extraction = read_arrays(save(tmp_path, features=FEATURES, labels=LABELS))
    np.testing.assert_array_equal(extraction.features, FEATURES)
    assert extraction.labels.tolist() == [0, 0, 2, 2, 1, 1]
    assert (extraction.source, extraction.logits, extraction.ids) == ("made", None, tuple("012345"))


def test_probabilities_become_logits_that_give_them_back(tmp_path: Path) -> None:
    probs = PROBS.copy()
    probs[0] = [1, 0, 0]
    extraction = read_arrays(save(tmp_path, probs=probs, labels=LABELS))
    assert extraction.logits is not None
    assert extraction.logits[0].tolist() == [0.0, -np.inf, -np.inf]  # no mass stays no mass
    np.testing.assert_allclose(softmax(extraction.logits, axis=1), probs, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_probabilities_of_fewer_bits_are_taken(tmp_path: Path, dtype: type) -> None:
    probs = softmax(RNG.normal(size=(6, 1000)), axis=1).astype(dtype)
    logits = read_arrays(save(tmp_path, probs=probs, labels=LABELS)).logits
    assert logits is not None
    assert logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits), probs.astype(np.float64), rtol=1e-5)


def test_logits_are_taken_as_they_are_and_before_probabilities(tmp_path: Path) -> None:
    logits = np.array(FEATURES[:, :3])
    extraction = read_arrays(save(tmp_path, logits=logits, probs=PROBS, labels=LABELS, source_classes=["a", "b", "c"]))
    np.testing.assert_array_equal(extraction.logits, logits)
    assert extraction.source_classes == ("a", "b", "c")


def test_names_of_classes_and_examples(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES, labels=[0, 0, 2, 2, 1, 1], classes=["x", "y", "z"], ids=list("fedcba"))
    target, extraction = open_target(path), read_arrays(path)
    assert (target.kind, target.classes, target.ids) == ("arrays", ("x", "y", "z"), tuple("fedcba"))
    assert extraction.ids == target.ids
    np.testing.assert_array_equal(extraction.labels, target.labels)
    np.testing.assert_array_equal(target.examples.load(2), FEATURES[2])


def test_labels_of_words_and_of_amounts(tmp_path: Path) -> None:
    named = open_target(save(tmp_path, features=FEATURES, labels=list("bababa"), classes=["c", "b", "a"]))
    assert (named.classes, named.labels.tolist()) == (("b", "a"), [0, 1, 0, 1, 0, 1])  # in the order given
    words = open_target(save(tmp_path, features=FEATURES, labels=list("ababab")))
    assert (words.classes, words.labels.tolist()) == (("a", "b"), [0, 1, 0, 1, 0, 1])
    amounts = read_arrays(save(tmp_path, features=FEATURES, labels=np.arange(6) / 4))
    np.testing.assert_array_equal(amounts.labels, np.arange(6) / 4)
    several = read_arrays(save(tmp_path, features=FEATURES, labels=[[1, 1], [0, 1], [0, 0]] * 2))
    assert several.labels.tolist() == [[1, 1], [0, 1], [0, 0]] * 2


def test_byte_strings_are_text_in_utf8(tmp_path: Path) -> None:
    words = np.char.encode(np.array(["käse", "brot", "käse"] * 2))
    path = save(tmp_path, features=FEATURES, labels=words, ids=np.array(list("abcdef"), dtype="S"))
    target = open_target(path)
    assert (target.classes, target.labels.tolist(), target.ids[1]) == (("brot", "käse"), [1, 0, 1] * 2, "b")
    coded = open_target(save(tmp_path, texts=words, labels=[0, 1, 0] * 2, classes=np.array([b"x", b"y"])))
    assert (coded.classes, coded.examples.load(0)) == (("x", "y"), "käse")
    latin = save(tmp_path, features=FEATURES, labels=np.array(["käse".encode("latin-1"), b"brot", b"brot"] * 2))
    with pytest.raises(TargetError, match=r"`labels` of .*: b'k\\xe4se' is not UTF-8; if it is text, decode it, for"):
        open_target(latin)


def test_splits_are_never_merged(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        train_features=FEATURES[:4],
        train_labels=LABELS[:4],
        test_features=FEATURES[2:],
        test_labels=LABELS[2:],
    )
    extraction = read_arrays(path)
    assert extraction.features is not None
    np.testing.assert_array_equal(extraction.features, FEATURES[:4])
    target = open_target(path, split="test")
    assert (len(target), target.split) == (4, "test")
    unsplit = save(tmp_path, features=FEATURES, labels=LABELS, test_features=FEATURES, test_labels=LABELS)
    assert "arrays of the splits `test` are set aside" in open_target(unsplit).notes
    with pytest.raises(TargetError, match="has no splits, so `split='test'` has no effect"):
        open_target(save(tmp_path, features=FEATURES, labels=LABELS), split="test")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": FEATURES[:5], "labels": LABELS}, r"5 examples but 6 labels; give one label per example"),
        (
            {"features": FEATURES, "labels": LABELS, "logits": PROBS[:5]},
            r"`logits` .* has 5 rows for 6 labels",
        ),
        ({"features": FEATURES}, r"holds no `labels`; it holds features. Name the array of labels `labels`"),
        ({"labels": LABELS}, r"holds labels but no `features`, `logits`, `probs`, `images` or `texts`"),
        ({"featurs": FEATURES, "lables": LABELS}, r"holds `featurs`, `lables`; expected .* Did you mean `features`"),
        (
            {"probs": FEATURES[:, :3], "labels": LABELS},
            r"row 0 sums to .* \(6 of 6 rows fail\). If these are logits, name",
        ),
        (
            {"features": FEATURES * np.nan, "labels": LABELS},
            r"`features` of .* nan or infinite values \(first in row 0\)",
        ),
        (
            {"features": FEATURES[:, None], "labels": LABELS},
            r"must be numbers of shape \(n, columns\); got .*\(6, 1, 4\)",
        ),
        ({"features": FEATURES, "labels": LABELS, "ids": list("aabcde")}, r"`ids` must be 6 different names"),
        ({"features": FEATURES, "labels": LABELS * np.nan}, r"6 of 6 examples have no label"),
        ({"features": FEATURES, "labels": LABELS * 0}, r"all 6 examples are of the one class `0`"),
        (
            {"features": FEATURES, "labels": LABELS, "classes": ["a", "b"]},
            r"labels must be 0 to 1, one per class name, or those names; got 5 to 9",
        ),
        ({"features": FEATURES, "labels": list("abcabc"), "classes": ["a", "b"]}, r"labels must be 0 to 1.* got 'a'"),
        (
            {"features": FEATURES, "labels": [[1, 1], [0, 1]] * 3, "classes": ["a"]},
            r"2 columns of labels but 1 class names",
        ),
        ({"logits": PROBS, "labels": LABELS, "source_classes": ["a"]}, r"1 `source_classes` for 3 columns"),
        (
            {"features": FEATURES, "labels": np.array(["a", None] * 3)},
            r"pickled Python objects, which are never loaded",
        ),
    ],
)
def test_arrays_that_cannot_be_used_end_in_a_sentence(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_arrays(save(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_npz_is_an_error(tmp_path: Path) -> None:
    path = save(tmp_path, features=FEATURES, labels=LABELS)
    content = path.read_bytes()
    for damaged, message in (
        (b"", "cannot read .* as .npz"),
        (b"not a zip", "is not a .npz file.*; save arrays with `np.savez`"),
        (content[: len(content) // 2], "cannot read .* as .npz"),
        (pickle.dumps({"features": [1.0]}), "pickled Python objects, which are never loaded"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(TargetError, match=message):
            open_target(path)


@pytest.mark.parametrize("name", ["image", "images", "x", "data", "train_image", "x_train", "train_images"])
def test_images_under_usual_names(tmp_path: Path, name: str) -> None:
    pixels = RNG.integers(0, 256, (4, 5, 6), dtype=np.uint8)
    labels = {"image": "label", "x": "y", "data": "target", "train_image": "train_label", "x_train": "y_train"}
    label = labels.get(name, "train_labels" if name.startswith("train") else "labels")
    target = open_target(save(tmp_path, **{name: pixels, label: np.array([[0], [1], [1], [0]])}))
    assert (target.kind, target.labels.tolist()) == ("image", [0, 1, 1, 0])
    np.testing.assert_array_equal(np.asarray(target.examples.load(2)), np.repeat(pixels[2][..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[[0, 255, 7]]], dtype=np.uint8), [0, 255, 7]),
        (np.array([[[0, 65535, 32768]]], dtype=np.uint16), [0, 255, 128]),
        (np.array([[[0.0, 1.0, 0.5]]]), [0, 255, 128]),
        (np.array([[[0.0, 255.0, 7.0]]]), [0, 255, 7]),
        (np.array([[[0, 255, 7]]], dtype=np.int64), [0, 255, 7]),
        (np.array([[[False, True, True]]]), [0, 255, 255]),
    ],
)
def test_images_of_every_type_are_scaled_to_8_bits(tmp_path: Path, pixels: np.ndarray, expected: list[int]) -> None:
    target = open_target(save(tmp_path, images=np.concatenate([pixels, pixels]), labels=[0, 1]))
    assert np.asarray(target.examples.load(0))[0, :, 1].tolist() == expected
    assert bool(target.notes[:-1]) == (pixels.dtype not in (np.uint8, np.bool_))  # the last note: lonely classes


def test_channels_first_are_moved_last_and_it_is_said(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (4, 3, 8, 9), dtype=np.uint8)
    target = open_target(save(tmp_path, images=pixels, labels=[0, 1, 0, 1]))
    np.testing.assert_array_equal(np.asarray(target.examples.load(1)), pixels[1].transpose(1, 2, 0))
    assert any("channels come first and were moved to the end" in note for note in target.notes)


@pytest.mark.parametrize("pixels", [RNG.normal(size=(2, 4, 4)), np.full((2, 4, 4), 300), np.full((2, 4, 4), np.nan)])
def test_normalised_images_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(TargetError, match=r"pixel values run from .* pass uint8, or floats from 0 to 1"):
        open_target(save(tmp_path, images=pixels, labels=[0, 1]))


def test_digests_of_arrays_know_content_shape_and_type(tmp_path: Path) -> None:
    pixels = np.zeros((4, 2, 8), dtype=np.uint8)
    pixels[2] = 1
    digest = open_target(save(tmp_path, images=pixels, labels=[0, 1, 0, 1])).examples.digest
    assert digest(0) == digest(1) != digest(2)
    turned = open_target(save(tmp_path, images=pixels.reshape(4, 8, 2), labels=[0, 1, 0, 1])).examples.digest
    wide = open_target(save(tmp_path, images=pixels.astype(np.uint16), labels=[0, 1, 0, 1])).examples.digest
    assert len({digest(0), turned(0), wide(0)}) == 3


def test_rows_of_x_are_features_and_texts_are_texts(tmp_path: Path) -> None:
    target = open_target(save(tmp_path, x=FEATURES, y=LABELS))
    assert target.kind == "arrays"
    np.testing.assert_array_equal(target.examples.load(4), FEATURES[4])
    texts = open_target(save(tmp_path, texts=["a", "b"], labels=[0, 1]))
    assert (texts.kind, texts.examples.load(1)) == ("text", "b")
    with pytest.raises(InputError, match=r"holds no `features`, `logits` or `probs`; .* `open_target`"):
        read_arrays(save(tmp_path, texts=["a", "b"], labels=[0, 1]))
