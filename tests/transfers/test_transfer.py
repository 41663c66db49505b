"""`transfer` from end to end on tiny real networks: what it learns, records, predicts and refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.transfers.tiny import (
    ON_TEXTS,
    Net,
    folder,
    images,
    network,
    prepare,
    same,
    source,
    target,
    text_source,
    texts,
)
from torch import Tensor, nn

from headstart.data import open_target
from headstart.errors import InputError, ModelError, TargetError
from headstart.sources import from_module
from headstart.transfers import METHODS, carry_out, load, preview, transfer

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
HEAD = {"cache": False}


def options(method: str) -> dict:
    return SHORT if METHODS[method].trains else HEAD


def test_the_outcome_says_what_was_done() -> None:
    outcome = transfer(target(80), source(), method="partial", top=1, **SHORT).outcome
    assert (outcome.n_train + outcome.n_valid, outcome.n_test) == (60, 20)
    assert [row.trains for row in outcome.plan] == [False, False, False, True, True]
    assert outcome.parameters == sum(p.numel() for p in network().parameters()) - (8 * 5 + 5) + 8 * 3 + 3
    assert outcome.trained == 8 * 9 + 8 + 8 * 3 + 3
    assert (outcome.epochs, len(outcome.curve), outcome.options["top"]) == (2, 2, 1)
    assert outcome.bounds[1].holds
    assert outcome.provenance.source_hashes == {"module/tiny": source().fingerprint}


@pytest.mark.parametrize("method", ["head", "fine-tune"])
def test_the_bounds_of_large_data_in_order_of_class_stand_on_examples_of_every_class(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry_out, "FOR_BOUNDS", 12)
    data = target()
    run = transfer(data.subset(np.argsort(data.labels)), source(), method=method, **options(method))
    assert [bound.holds for bound in run.outcome.bounds][1:] == [True]


def test_a_bound_that_cannot_be_checked_is_said_and_loses_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "FOR_BOUNDS", 1)
    outcome = transfer(target(), source(), method="fine-tune", **SHORT).outcome
    assert outcome.bounds == ()
    assert "bounds of LEEP could not be checked: a head needs examples of at least two classes" in outcome.notes[-1]


def test_it_learns() -> None:
    accuracy = {
        method: transfer(target(120), source(), method=method, **given).outcome.metrics["accuracy"]
        for method, given in (
            ("head", HEAD),
            ("fine-tune", {**SHORT, "epochs": 15, "rate": 0.02}),
            ("probe-fine-tune", SHORT),
        )
    }
    assert min(accuracy.values()) > 0.8, accuracy


def test_text_sources_work_alike(tmp_path: Path) -> None:
    data = open_target(texts())
    for method in ON_TEXTS:
        run = transfer(data, text_source(), method=method, out=tmp_path / method, **options(method))
        again = load(tmp_path / method, source=text_source())
        assert np.array_equal(run.logits(["red one", "green two three"]), again.logits(["red one", "green two three"]))
    assert transfer(data, text_source(), method="fine-tune", **{**SHORT, "epochs": 8, "rate": 0.01}).outcome.metrics[
        "accuracy"
    ] == pytest.approx(1.0)


def test_regression_answers_in_the_unit_of_its_values() -> None:
    pictures, _ = images(90)
    values = np.array([np.asarray(picture)[..., 0].mean() for picture in pictures]) * 10 + 5000
    data = open_target((pictures, values))
    for method, given in (("head", HEAD), ("fine-tune", {**SHORT, "epochs": 25, "rate": 0.02})):
        run = transfer(data, source(), method=method, **given)
        assert run.outcome.metric == "r2"
        assert run.outcome.metrics["r2"] > 0.7, method
        assert 4000 < run.predict(pictures[:1]).outputs[0, 0] < 8000


def test_smoothing_is_of_class_labels() -> None:
    values = open_target((images(60)[0], np.linspace(0, 1, 60)))
    with pytest.raises(InputError, match="`smoothing` is for class labels; the task of images is regression"):
        transfer(values, source(), method="fine-tune", smoothing=0.1, **SHORT)


def test_several_labels() -> None:
    pictures, labels = images(60)
    many = np.array([[name == "class 0", name != "class 2"] for name in labels]).astype(int)
    data = open_target((pictures, many))
    for method in ("head", "fine-tune"):
        run = transfer(data, source(), method=method, **options(method))
        assert run.outcome.task == "multi-label"
        assert run.predictions.outputs.shape == (15, 2)


def test_seeds_change_the_training_and_split_seeds_the_parts() -> None:
    runs = [transfer(target(), source(), method="fine-tune", seed=s, **SHORT) for s in (0, 0, 1)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])
    assert runs[0].outcome.split == runs[2].outcome.split
    other = transfer(target(), source(), method="head", split_seed=1, **HEAD)
    assert other.outcome.split != runs[0].outcome.split


@pytest.mark.parametrize(
    "change",
    [{"limit": 20}, {"augment": "light"}, {"augment": "strong"}, {"epochs": 3}, {"batch_size": 8}, {"rate": 0.1}],
)
def test_every_setting_changes_the_result(change: dict) -> None:
    plain = transfer(target(), source(), method="fine-tune", **SHORT)
    changed = transfer(target(), source(), method="fine-tune", **{**SHORT, **change})
    assert not same(plain, changed)


def test_another_target_first_changes_the_source_and_is_named(tmp_path: Path) -> None:
    first = target(40, seed=5)
    direct = transfer(target(), source(), method="head", **HEAD)
    via = transfer(target(), source(), method="head", via=first, out=tmp_path, epochs=2, **HEAD)
    assert via.outcome.source == f"module/tiny via {first.name}"
    assert not np.allclose(direct.predictions.outputs, via.predictions.outputs)
    again = load(tmp_path, source=source())
    assert np.array_equal(again.logits(images(3)[0]), via.logits(images(3)[0]))
    data = transfer(target(), source(), method="head", source_data=first, epochs=2, **HEAD)
    assert not np.allclose(data.predictions.outputs, via.predictions.outputs)
    with pytest.raises(InputError, match="`via_method` must train the network itself"):
        transfer(target(), source(), method="head", via=first, via_method="lora", **HEAD)


@pytest.mark.parametrize("method", ["auto", "head"])
def test_a_transfer_after_another_training_is_repeated_from_its_folder(tmp_path: Path, method: str) -> None:
    for name in ("via", "source_data"):
        given = {name: target(40, seed=5), "method": method, "epochs": 1, "out": tmp_path / name, "cache": False}
        first = transfer(target(), source(), **given)
        assert first.as_source("x").network.eval()(torch.zeros(1, 3, 8, 8))[1] is None  # the classifier is the old one
        assert transfer(target(), source(), **given).outcome == first.outcome


@pytest.mark.parametrize(
    ("given", "used"), [({}, "slanted"), ({"schedule": None}, "slanted"), ({"schedule": "cosine"}, "cosine")]
)
def test_a_setting_that_is_not_given_is_the_method_s_own(given: dict, used: str) -> None:
    planned = preview(target(), source(), method="gradual", cache=False, **given)
    assert planned.training.schedule == used


def test_auto_gives_its_reason(tmp_path: Path) -> None:
    run = transfer(target(), source(), out=tmp_path, **HEAD)
    assert run.outcome.method == "head"
    assert any("method chosen: a head on the last layer" in note for note in run.outcome.notes)
    assert same(load(tmp_path, source=source()), run)


def test_the_preview_trains_nothing_and_shows_the_plan() -> None:
    shown = preview(target(), source(), method="gradual", epochs=4, cache=False)
    assert [row.block for row in shown.rows] == ["stem", "stages.0", "stages.1", "depthwise", "head"]
    assert [row.thaw for row in shown.rows] == [3, 3, 2, 1, 0]
    assert shown.training.schedule == "slanted"
    assert (shown.n_train, shown.n_valid, shown.n_test) == (38, 7, 15)
    assert preview(target(), source(), method="head", cache=False).training is None


def test_images_of_odd_sizes_and_modes_predict() -> None:
    run = transfer(target(), source(), method="head", **HEAD)
    odd = [Image.new("RGB", size, (200, 10, 10)) for size in ((1, 1), (3, 500), (640, 2))]
    answers = run.predict(odd, ["x", "y", "z"])
    assert answers.ids == ("x", "y", "z")
    assert answers.outputs.sum(axis=1) == pytest.approx(np.ones(3))
    assert set(answers.labels) <= set(run.outcome.classes)


def test_a_head_that_cannot_be_found_lists_the_candidates() -> None:
    with pytest.raises(ModelError, match=r"stages\.0\.second.*classifier"):
        from_module(network(), head="fc", prepare=prepare)


def test_unreadable_images_are_left_out_or_refused(tmp_path: Path) -> None:
    data = folder(tmp_path, train=["a", "b"] * 20)
    (data / "train" / "a" / "broken.png").write_bytes(b"no image")
    run = transfer(data, source(), method="fine-tune", max_bad=0.1, **SHORT)
    assert any("1 unreadable examples were left out" in note for note in run.outcome.notes)
    with pytest.raises(TargetError, match=r"broken\.png"):
        transfer(data, source(), method="fine-tune", max_bad=0.0, **SHORT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "gradual", "rank": 4}, "`rank` has no effect with method `gradual`"),
        ({"method": "gradual", "epoch": 4}, "there is no option `epoch`. Did you mean `epochs`"),
        ({"method": "gradul"}, "Did you mean `gradual`"),
        (
            {"method": "head", "epochs": 4},
            "`epochs` has no effect with method `head`. Options of `head`: class_weights, layer, metric, penalty",
        ),
        ({"method": "head", "augment": "light"}, "`augment` has no effect with method `head`"),
        ({"method": "fine-tune", "l2_sp": np.inf}, "`l2_sp` must be finite; got inf"),
        ({"method": "fine-tune", "rate": np.inf}, "`rate` must be finite; got inf"),
        ({"method": "head", "augment": "wild"}, "`augment` must be one of none, light, strong"),
        ({"method": "head", "device": "tpu"}, "`device` must be one of"),
        ({"method": "gradual", "warmup": 0.2}, "`warmup` has no effect with `schedule='slanted'`"),
        (
            {"method": "fine-tune", "schedule": "slanted", "warmup": 0.2},
            "`warmup` has no effect with `schedule",
        ),
        (
            {"method": "fine-tune", "momentum": 0.5},
            "`momentum` has no effect with `optimizer='adamw'`",
        ),
        ({"method": "bitfit", "keep_statistics": True}, "`keep_statistics` has no effect with method `bitfit`"),
        ({"method": "lora", "l2_sp": 0.1}, "`l2_sp` has no effect with method `lora`"),
        ({"method": "head", "via_method": "scratch"}, "`via_method` says how to adapt to the data of `via=...`"),
        ({"method": "scratch", "l2_sp": 0.1}, "`l2_sp` has no effect with method `scratch`"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_any_work(change: dict, message: str) -> None:
    done: list[object] = []
    with pytest.raises(InputError, match=message):
        transfer(target(), source(), cache=False, progress=done.append, **change)
    assert not done


def test_sgd_has_the_rate_of_the_paper_unless_one_is_given() -> None:
    shared = {"method": "fine-tune", "optimizer": "sgd", "cache": False}
    plans = [preview(target(), source(), **shared, **given).rows for given in ({}, {"rate": 0.1})]
    assert [max(row.rate for row in rows) for rows in plans] == [0.01, 0.1]


@pytest.mark.parametrize(("precision", "recorded"), [("bf16", "bf16"), ("auto", "fp32"), (None, "fp32")])
def test_the_precision_is_in_the_plan_the_record_and_the_result(precision: str | None, recorded: str) -> None:
    run = transfer(target(), source(), method="fine-tune", precision=precision, device="cpu", **SHORT)
    assert (run.outcome.provenance.precision, run.outcome.options["precision"]) == (recorded, recorded)
    shown = preview(target(), source(), method="fine-tune", precision=precision, device="cpu", **SHORT)
    assert shown.training.precision == recorded
    whole = transfer(target(), source(), method="fine-tune", device="cpu", **SHORT)
    assert same(run, whole) == (recorded == "fp32")
    assert np.allclose(run.predictions.outputs, whole.predictions.outputs, atol=0.05)


def test_augmenting_texts_is_refused() -> None:
    with pytest.raises(InputError, match=r"`augment` must be one of none for text data; got .light."):
        transfer(open_target(texts()), text_source(), method="fine-tune", augment="light", **HEAD)


def test_a_batch_of_one_with_batch_norm_says_so() -> None:
    run = transfer(target(8, 2), source(), method="fine-tune", epochs=1, batch_size=1, cache=False)
    assert any("batch norm kept its pretrained statistics" in note for note in run.outcome.notes)


@pytest.mark.parametrize("method", ["head", "fine-tune"])
def test_a_network_that_flattens_with_view_transfers_like_one_that_reshapes(method: str) -> None:
    torch.manual_seed(0)
    reshaping = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    viewing = nn.Sequential(*reshaping[:2], Viewed(), *reshaping[3:])
    runs = [
        transfer(target(), from_module(net, head="3", prepare=prepare), method=method, **options(method))
        for net in (reshaping, viewing)
    ]
    outputs = [run.logits(images(9, seed=9)[0]) for run in runs]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)


class Viewed(nn.Module):
    """A flattening that wants the channels first in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


def test_a_module_is_a_source_as_it_is() -> None:
    class Named(Net):
        pretrained_cfg: dict | None = None

    with pytest.raises(InputError, match="`prepare` is needed"):
        transfer(target(), Named().eval(), method="head", **HEAD)
