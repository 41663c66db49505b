"""The test part of a transfer: the target's own, one from elsewhere, and what cannot serve as one."""

from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import folder, images, source, target

from headstart.data import open_target
from headstart.errors import InputError, TargetError
from headstart.transfers import transfer

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}
HEAD = {"cache": False}


def test_a_test_part_of_one_value_has_no_r2_and_says_so() -> None:
    data = open_target((images(5)[0], np.linspace(0, 1, 5)), task="regression")
    run = transfer(data, source(), method="fine-tune", **SHORT)
    assert run.outcome.n_test == run.outcome.n_valid == 1
    assert run.outcome.metrics.keys() == {"mae"}
    assert any("R2 is undefined" in note for note in run.outcome.notes)
    assert all(-1e3 < point.valid_quality <= 0 for point in run.outcome.curve)


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
