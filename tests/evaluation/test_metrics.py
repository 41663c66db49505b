"""Metrics against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as theirs

from headstart.errors import InputError
from headstart.evaluation.metrics import metrics
from headstart.tasks import TASKS, task_of


def answers(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, 200, p=[0.6, 0.2, 0.15, 0.05])
    logits = rng.normal(size=(200, 4)) + 2 * np.eye(4)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_classification_equals_scikit_learn() -> None:
    labels, probs = answers()
    found, said = metrics(labels, probs, "classification"), probs.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(labels, said))
    assert found["balanced_accuracy"] == pytest.approx(theirs.balanced_accuracy_score(labels, said))
    assert found["macro_f1"] == pytest.approx(theirs.f1_score(labels, said, average="macro"))
    assert found["log_likelihood"] == pytest.approx(-theirs.log_loss(labels, probs))


def test_calibration_error_by_a_slow_loop() -> None:
    labels, probs = answers(1)
    total = 0.0
    for i in range(15):
        inside = [j for j in range(200) if i / 15 < probs[j].max() <= (i + 1) / 15]
        if inside:
            right = np.mean([probs[j].argmax() == labels[j] for j in inside])
            total += len(inside) / 200 * abs(right - np.mean([probs[j].max() for j in inside]))
    assert metrics(labels, probs, "classification")["calibration_error"] == pytest.approx(total, abs=1e-12)


def test_several_labels_equal_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    labels, probs = rng.integers(0, 2, (100, 3)), rng.uniform(size=(100, 3))
    found = metrics(labels, probs, "multi-label")
    assert found["macro_f1"] == pytest.approx(theirs.f1_score(labels, probs > 0.5, average="macro"))
    assert found["accuracy"] == pytest.approx(1 - theirs.hamming_loss(labels, probs > 0.5))
    assert found["log_likelihood"] == pytest.approx(-theirs.log_loss(labels.ravel(), probs.ravel()))


@pytest.mark.parametrize("width", [1, 3])
def test_regression_equals_scikit_learn(width: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(50, width)).squeeze()
    outputs = values + rng.normal(size=values.shape) / 2
    found = metrics(values, outputs, "regression")
    assert found["r2"] == pytest.approx(theirs.r2_score(values, outputs))
    assert found["mae"] == pytest.approx(theirs.mean_absolute_error(values, outputs))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.3])  # the mean of seven 0.1 is a rounding beside it
@pytest.mark.parametrize("error", [0.0, 0.5])
def test_r2_of_values_that_are_all_alike_is_a_convention_and_no_metric(value: float, error: float) -> None:
    values = np.full(7, value)
    found = task_of("regression").metric("r2")(values, values + error)
    assert found == theirs.r2_score([0.0, 0.0], [error, error]) == (error == 0)
    assert metrics(values, values + error, "regression") == {"mae": pytest.approx(error)}
    assert metrics(values[:1], values[:1] + error, "regression").keys() == {"mae"}


def test_r2_leaves_out_a_target_whose_values_are_all_alike() -> None:
    rng = np.random.default_rng(4)
    values, outputs = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    values[:, 1] = 0.1
    found = metrics(values, outputs, "regression")["r2"]
    assert found == pytest.approx(theirs.r2_score(values[:, [0, 2]], outputs[:, [0, 2]]))
    (note,) = task_of("regression").caveats("r2", values)
    assert "leaves out 1 of 3 targets" in note
    assert task_of("regression").caveats("r2", values[:, [0, 2]]) == []


def test_a_class_that_is_missing_in_the_test_part_is_not_counted() -> None:
    probs = np.eye(3)[[0, 1, 0, 1]]
    found = metrics(np.array([0, 1, 0, 1]), probs, "classification")
    assert found["balanced_accuracy"] == found["macro_f1"] == 1.0


def test_a_certain_and_wrong_answer_stays_finite() -> None:
    found = metrics(np.array([1]), np.array([[1.0, 0.0]]), "classification")
    assert found["log_likelihood"] == pytest.approx(np.log(1e-12))


def test_every_task_has_metrics_and_bad_input_is_an_error() -> None:
    assert {task.metrics[0].name for task in TASKS.values()} == {"accuracy", "macro_f1", "r2"}
    with pytest.raises(InputError, match="one row per label; there are 2 and 1"):
        metrics(np.array([0, 1]), np.ones((1, 2)), "classification")
    with pytest.raises(InputError, match="`outputs` must be finite; 1 numbers are not"):
        metrics(np.array([0]), np.array([[np.nan, 1.0]]), "classification")
