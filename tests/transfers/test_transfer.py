"""`transfer` from end to end on tiny real networks: splits, saving, resuming, predicting, faults."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.transfers.tiny import ON_IMAGES, ON_TEXTS, Net, images, network, prepare, source, target, text_source, texts
from torch import Tensor, nn

from headstart.data import open_target
from headstart.errors import InputError, ModelError, TargetError
from headstart.runner import Event, Progress
from headstart.sources import from_module
from headstart.transfers import METHODS, carry_out, load, preview, transfer
from headstart.transfers.run import Run

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
HEAD = {"cache": False}


class KilledError(Exception):
    pass


def killer(after: int) -> Progress:
    def report(event: Event) -> None:
        if event.what == "training" and event.done == after:
            raise KilledError

    return report


def same(a: Run, b: Run) -> bool:
    values = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in values)


def options(method: str) -> dict:
    return SHORT if METHODS[method].trains else HEAD


@pytest.mark.parametrize("method", ON_IMAGES)
def test_every_method_saves_and_loads_to_bit_identical_logits(tmp_path: Path, method: str) -> None:
    run = transfer(target(), source(), method=method, out=tmp_path, **options(method))
    again = load(tmp_path, source=source())
    pictures = images(5, seed=9)[0]
    assert np.array_equal(run.logits(pictures), again.logits(pictures))
    assert again.outcome == run.outcome
    assert np.array_equal(again.predictions.outputs, run.predictions.outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "model.json",
        "outcome.json",
        "test.safetensors",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("method", [name for name in ON_IMAGES if METHODS[name].inserts])
def test_the_added_part_alone_loads_to_the_same_logits(tmp_path: Path, method: str) -> None:
    run = transfer(target(), source(), method=method, **SHORT)
    whole, part = run.save(tmp_path / "whole"), run.save(tmp_path / "part", weights="adapter")
    pictures = images(5, seed=9)[0]
    assert np.array_equal(load(part, source=source()).logits(pictures), run.logits(pictures))
    assert (part / "weights.safetensors").stat().st_size < (whole / "weights.safetensors").stat().st_size
    with pytest.raises(InputError, match="other weights or another preprocessing"):
        load(part, source=source(seed=1))


def test_merged_updates_load_as_the_plain_network(tmp_path: Path) -> None:
    run = transfer(target(), source(), method="lora", **SHORT)
    again = load(run.save(tmp_path, weights="merged"), source=source())
    pictures = images(5, seed=9)[0]
    assert not [name for name, _ in again.network.named_parameters() if "lora" in name]
    assert np.allclose(run.logits(pictures), again.logits(pictures), atol=1e-5)
    with pytest.raises(InputError, match="method `gradual` makes none"):
        transfer(target(), source(), method="gradual", **SHORT).save(tmp_path / "x", weights="merged")
    with pytest.raises(InputError, match="changed the source itself"):
        transfer(target(), source(), method="gradual", **SHORT).save(tmp_path / "x", weights="adapter")


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"hash": "x"}', "no"])
def test_a_model_file_that_is_not_what_was_saved_is_said(tmp_path: Path, content: str) -> None:
    transfer(target(), source(), method="head", out=tmp_path, **HEAD)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json is damaged .* Delete the folder and run the transfer again"):
        load(tmp_path, source=source())
    with pytest.raises(InputError, match=r"model\.json is damaged"):
        transfer(target(), source(), method="head", out=tmp_path, **HEAD)


@pytest.mark.parametrize("kill", [1, 3, 5])
def test_killed_and_run_again_gives_the_same_final_numbers(tmp_path: Path, kill: int) -> None:
    settings = {**SHORT, "epochs": 3, "method": "gradual"}
    whole = transfer(target(), source(), **settings)
    with pytest.raises(KilledError):
        transfer(target(), source(), out=tmp_path, progress=killer(kill), **settings)
    assert not (tmp_path / "outcome.json").exists()
    again = transfer(target(), source(), out=tmp_path, **settings)
    assert same(whole, again)
    assert again.outcome.metrics == whole.outcome.metrics
    assert not (tmp_path / "training.safetensors").exists()


def test_a_finished_run_is_returned_and_another_one_is_not_overwritten(tmp_path: Path) -> None:
    first = transfer(target(), source(), method="fine-tune", out=tmp_path, **SHORT)
    again = transfer(target(), source(), method="fine-tune", out=tmp_path, progress=killer(1), **SHORT)
    assert same(first, again)
    with pytest.raises(InputError, match="holds another run"):
        transfer(target(), source(), method="fine-tune", out=tmp_path, seed=1, **SHORT)
    other = transfer(target(), source(), method="fine-tune", out=tmp_path, seed=1, overwrite=True, **SHORT)
    assert load(tmp_path, source=source()).outcome.seed == other.outcome.seed == 1


def test_an_unfinished_run_is_replaced_only_where_that_is_asked_for_and_goes_on_where_it_is_the_same(
    tmp_path: Path,
) -> None:
    given = {"method": "fine-tune", "out": tmp_path, **SHORT}
    with pytest.raises(KilledError):
        transfer(target(), source(), progress=killer(5), **given)
    with pytest.raises(InputError, match="belongs to a training with other data"):
        transfer(target(), source(), seed=1, **given)
    steps: list[str] = []
    again = transfer(target(), source(), overwrite=True, progress=lambda event: steps.append(event.message), **given)
    assert same(again, transfer(target(), source(), method="fine-tune", **SHORT))
    assert not [what for what in steps if "epoch 1" in what]
    with pytest.raises(KilledError):
        transfer(target(), source(), seed=2, overwrite=True, progress=killer(5), **given)
    assert transfer(target(), source(), seed=1, overwrite=True, **given).outcome.seed == 1


def test_the_training_on_other_data_before_a_replaced_run_is_replaced_too(tmp_path: Path) -> None:
    given = {"method": "head", "out": tmp_path, "epochs": 1, "cache": False}
    transfer(target(), source(), via=target(40, seed=5), **given)
    with pytest.raises(InputError, match="first-fine-tune holds another run"):
        transfer(target(), source(), via=target(40, seed=6), **given)
    transfer(target(), source(), via=target(40, seed=6), overwrite=True, **given)


def test_a_run_without_test_part_leaves_no_answers_of_the_one_it_replaces(tmp_path: Path) -> None:
    assert transfer(target(), source(), method="head", out=tmp_path, **HEAD).predictions is not None
    transfer(target(3), source(), method="head", out=tmp_path, overwrite=True, **HEAD)
    assert load(tmp_path, source=source()).predictions is None


def test_a_damaged_or_missing_file_is_said(tmp_path: Path) -> None:
    run = transfer(target(), source(), method="head", out=tmp_path, **HEAD)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"weights\.safetensors is damaged"):
        load(tmp_path, source=source())
    (tmp_path / "outcome.json").unlink()
    with pytest.raises(InputError, match="holds no finished transfer"):
        load(tmp_path)
    with pytest.raises(InputError, match="pass it as `source=`"):
        load(run.save(tmp_path / "b"))


def test_a_run_saved_when_methods_were_called_strategies_is_loaded(tmp_path: Path) -> None:
    run = transfer(target(), source(), method="lora", rank=2, out=tmp_path, **SHORT)
    model = json.loads((tmp_path / "model.json").read_text())
    model["strategy"], model["options"] = model.pop("method"), {"rank": 2}  # only what was given was written
    (tmp_path / "model.json").write_text(json.dumps(model))
    outcome = (tmp_path / "outcome.json").read_text()
    (tmp_path / "outcome.json").write_text(outcome.replace('"method": "lora"', '"strategy": "lora"'))
    again = load(tmp_path, source=source())
    assert again.outcome == run.outcome
    assert again.method == run.method
    assert np.array_equal(again.logits(images(3)[0]), run.logits(images(3)[0]))


def test_nothing_saved_is_a_pickle(tmp_path: Path) -> None:
    transfer(target(), source(), method="lora", out=tmp_path, **SHORT)
    for path in tmp_path.iterdir():
        assert path.suffix in (".json", ".md", ".safetensors")
        if path.suffix == ".json":
            json.loads(path.read_text())


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


@pytest.mark.parametrize("method", ["head", "probe-fine-tune"])
def test_a_head_and_the_bounds_stand_on_one_forward_pass(method: str) -> None:
    passes = []
    transfer(
        target(),
        source(),
        method=method,
        progress=lambda event: passes.append((event.done, event.total)) if event.what == source().name else None,
        **options(method),
    )
    of_the_test_part = [15] if method == "head" else []  # a solved head reads features there too
    assert [total for done, total in passes if done == 0] == [45, *of_the_test_part]


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


def test_a_test_part_of_one_value_has_no_r2_and_says_so() -> None:
    data = open_target((images(5)[0], np.linspace(0, 1, 5)), task="regression")
    run = transfer(data, source(), method="fine-tune", **SHORT)
    assert run.outcome.n_test == run.outcome.n_valid == 1
    assert run.outcome.metrics.keys() == {"mae"}
    assert any("R2 is undefined" in note for note in run.outcome.notes)
    assert all(-1e3 < point.valid_quality <= 0 for point in run.outcome.curve)


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


@pytest.mark.parametrize(
    "change", [{"solver": "sgd"}, {"penalty": 0.5}, {"layer": "stages.0"}, {"solver": "sgd", "rate": 0.1}]
)
def test_every_option_of_the_head_changes_the_result(change: dict) -> None:
    plain, changed = (transfer(target(), source(), method="head", **HEAD, **o) for o in ({}, change))
    assert not np.allclose(plain.predictions.outputs, changed.predictions.outputs)


def test_a_warm_start_changes_where_sgd_begins() -> None:
    runs = [transfer(target(), source(), method="head", solver="sgd", warm_start=w, **HEAD) for w in (None, True)]
    assert not np.allclose(runs[0].predictions.outputs, runs[1].predictions.outputs)
    with pytest.raises(InputError, match="`warm_start` has no effect with `solver='lbfgs'`"):
        transfer(target(), source(), method="head", warm_start=True, **HEAD)


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


def folder(path: Path, **parts: list[str]) -> Path:
    pictures, _ = images(60)
    for part, labels in parts.items():
        for i, label in enumerate(labels):
            place = path / part / label
            place.mkdir(parents=True, exist_ok=True)
            pictures[i].save(place / f"{i}.png")
    return path


def test_a_targets_own_test_part_is_used_and_classes_are_matched_by_name(tmp_path: Path) -> None:
    data = folder(tmp_path, train=["a", "b", "c"] * 8, test=["c", "b"] * 5 + ["z"])
    run = transfer(data, source(), method="head", **HEAD)
    assert (run.outcome.n_train, run.outcome.n_test) == (24, 10)
    names = [run.outcome.classes[code] for code in run.predictions.labels]
    assert sorted(set(names)) == ["b", "c"]
    assert [Path(name).parts[-2] for name in run.predictions.ids] == names
    notes = " ".join(run.outcome.notes)
    assert "1 test examples are left out" in notes
    assert "(z)" in notes
    assert "no example of a" in notes


def test_a_test_part_from_elsewhere(tmp_path: Path) -> None:
    data, other = folder(tmp_path / "a", train=["a", "b"] * 10), folder(tmp_path / "b", x=["a", "b"] * 3) / "x"
    run = transfer(data, source(), method="head", test=other, **HEAD)
    assert (run.outcome.n_train, run.outcome.n_test) == (20, 6)


def test_test_examples_that_are_trained_on_too_are_counted_by_content(tmp_path: Path) -> None:
    data, other = folder(tmp_path / "a", train=["a", "b"] * 10), tmp_path / "b"
    for name, seed in (("0", 0), ("1", 7), ("2", 8)):
        for label in ("a", "b"):
            (other / label).mkdir(parents=True, exist_ok=True)
            images(2, seed=seed)[0][label == "b"].save(other / label / f"other {name}.png")
    run = transfer(data, source(), method="head", test=other, **HEAD)
    said = "{} test examples have the content of examples that are trained on"
    assert any(note.startswith(said.format("2 of 6")) for note in run.outcome.notes)
    alone = transfer(target(), source(), method="head", **HEAD)
    assert not any("have the content" in note for note in alone.outcome.notes)


def test_a_test_part_of_the_same_names_and_labels_with_other_pictures_is_another_run(tmp_path: Path) -> None:
    tests = [folder(tmp_path / "a", x=["a", "b"] * 3) / "x", folder(tmp_path / "b", x=["a", "b"] * 3) / "x"]
    images(1, seed=7)[0][0].save(tests[1] / "a" / "0.png")
    data, out = folder(tmp_path / "c", train=["a", "b", "c"] * 8), tmp_path / "out"
    runs = [transfer(data, source(), method="head", test=part, out=out / part.parent.name, **HEAD) for part in tests]
    assert runs[0].predictions.ids == runs[1].predictions.ids
    assert runs[0].outcome.split != runs[1].outcome.split
    with pytest.raises(InputError, match="holds another run"):
        transfer(data, source(), method="head", test=tests[1], out=out / "a", **HEAD)


def test_a_test_part_without_a_class_of_the_training_part_is_an_error_and_nothing_else_is_tested(
    tmp_path: Path,
) -> None:
    data, other = folder(tmp_path / "a", train=["a", "b"] * 10), folder(tmp_path / "b", x=["y", "z"] * 3) / "x"
    with pytest.raises(TargetError, match=r"test part .* has the classes y and z, and the training part a and b"):
        transfer(data, source(), method="head", test=other, **HEAD)
    with pytest.raises(TargetError, match="test part"):
        transfer(folder(tmp_path / "c", train=["a", "b"] * 9, test=["y", "z"]), source(), method="head", **HEAD)


def test_a_test_part_of_another_kind_or_task_is_an_error_before_the_work(tmp_path: Path) -> None:
    data = folder(tmp_path / "a", train=["a", "b"] * 10)
    (tmp_path / "texts.csv").write_text("text,label\n" + "good,a\nbad,b\n" * 4)
    with pytest.raises(TargetError, match=r"test part texts is not like .*kind of examples is text and image"):
        transfer(data, source(), method="head", test=tmp_path / "texts.csv", **HEAD)
    numbers = open_target((images(6)[0], np.linspace(0, 1, 6)), task="regression")
    with pytest.raises(TargetError, match=r"their task .* is regression and classification"):
        transfer(target(), source(), method="head", test=numbers, **HEAD)


def test_one_example_per_class_trains_without_a_test_part() -> None:
    run = transfer(target(3), source(), method="head", **HEAD)
    assert run.predictions is None
    assert run.outcome.metrics == {}
    assert any("too few examples for a test part" in note for note in run.outcome.notes)
    tuned = transfer(target(3), source(), method="fine-tune", **SHORT)
    assert tuned.outcome.curve[-1].valid_quality is None


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


@pytest.mark.parametrize("method", ["auto", "head"])
def test_settings_of_another_training_do_not_reach_a_head_that_is_solved(method: str) -> None:
    first = {} if method == "auto" else {"via": target(40, seed=5), "epochs": 1}
    run = transfer(target(), source(), method=method, optimizer="sgd", **first, **HEAD)
    assert run.outcome.method == "head"


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


def test_replacing_the_source_of_a_whole_run_by_another_architecture_is_refused(tmp_path: Path) -> None:
    transfer(target(), source(), method="fine-tune", out=tmp_path, **SHORT)
    torch.manual_seed(0)
    wide = from_module(Net(width=4).eval(), head="classifier", prepare=prepare, name="module/tiny")
    with pytest.raises(InputError, match="do not fit the network"):
        load(tmp_path, source=wide)
    assert replace(load(tmp_path, source=source()).outcome, seconds=0.0).method == "fine-tune"
