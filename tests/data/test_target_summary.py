"""The summary: counts, small samples, and no more than a reader needs."""

import base64
import io

import numpy as np
from PIL import Image

from headstart.data import open_target, summarize
from headstart.data.media.image import thumbnail


def opened(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(body)))


def images(labels: list[str]) -> object:
    return open_target(([Image.new("RGB", (200, 100), (i, 0, 0)) for i in range(len(labels))], labels))


def test_counts_and_samples_by_class() -> None:
    summary = summarize(images(["b", "a", "b", "b", "b", "a"]), {})
    assert (summary.n, summary.classes, summary.counts) == (6, ("a", "b"), (2, 4))
    assert {name: len(shown) for name, shown in summary.samples.items()} == {"a": 2, "b": 3}
    first = opened(summary.samples["b"][0])
    assert first.size == (64, 32)
    assert opened(summary.samples["a"][0]).convert("RGB").getpixel((9, 9))[0] == 1  # example 1 is the first "a"


def test_a_photograph_is_sent_as_jpeg_and_a_drawing_as_png() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert thumbnail(Image.fromarray(noise)).startswith("data:image/jpeg")
    assert thumbnail(Image.new("RGB", (64, 64))).startswith("data:image/png")


def test_skipped_examples_are_neither_counted_nor_shown() -> None:
    target = images(["a", "a", "b", "b"])
    summary = summarize(target, {"0": "the file is empty."})
    assert (summary.n, summary.counts, summary.skipped) == (3, (1, 2), {"0": "the file is empty."})
    assert opened(summary.samples["a"][0]).convert("RGB").getpixel((0, 0)) == (1, 0, 0)


def test_an_unreadable_example_is_passed_over() -> None:
    good = io.BytesIO()
    Image.new("RGB", (2, 2)).save(good, "PNG")
    target = open_target(([b"no image", good.getvalue(), b"", b""], ["a", "a", "b", "b"]))
    summary = summarize(target)
    assert {name: len(shown) for name, shown in summary.samples.items()} == {"a": 1}
    assert summary.counts == (2, 2)


def test_of_many_classes_the_first_thirty_have_samples() -> None:
    target = open_target(([f"text {i}" for i in range(400)], [str(i % 100) for i in range(400)]))
    summary = summarize(target, {})
    assert len(summary.counts) == 100
    assert list(summary.samples) == [str(i) for i in range(30)]


def test_texts_are_cut_at_120_characters() -> None:
    target = open_target((["x" * 120, "y" * 121], ["a", "b"]))
    samples = summarize(target, {}).samples
    assert samples["a"] == ("x" * 120,)
    assert samples["b"] == ("y" * 119 + "…",)


def test_regression_shows_the_lowest_the_middle_and_the_highest() -> None:
    target = open_target((["high", "low", "mid", "rather low", "rather high"], [9.5, -1.0, 3.0, 0.0, 5.0]))
    summary = summarize(target, {})
    assert (summary.task, summary.n, summary.classes, summary.counts) == ("regression", 5, (), ())
    assert summary.samples == {"-1": ("low",), "3": ("mid",), "9.5": ("high",)}


def test_several_labels_are_counted_each() -> None:
    target = open_target((["a", "b", "c"], [["x", "y"], ["y"], []]))
    summary = summarize(target, {})
    assert (summary.task, summary.classes, summary.counts) == ("multi-label", ("x", "y"), (1, 2))
    assert summary.samples == {"x": ("a",), "y": ("a", "b")}


def test_rows_of_features_have_no_samples() -> None:
    summary = summarize(open_target("sklearn/iris"), {})
    assert (summary.kind, summary.counts, summary.samples) == ("arrays", (50, 50, 50), {})
