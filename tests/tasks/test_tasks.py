"""What every kind of task promises, over the whole table."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from headstart.data.labels import read_labels
from headstart.errors import InputError, TargetError
from headstart.tasks import TASKS, Task, task_of

RAW = {
    "classification": ["b", "a", "b", "c"] * 5,
    "multi-label": [["a"], ["a", "b"], [], ["c"]] * 5,
    "regression": [0.5, 1.0, 2.5, 4.0] * 5,
}
EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def labels_of(task: Task) -> tuple[np.ndarray, tuple[str, ...]]:
    name, labels = read_labels(RAW[task.name], where="the labels", ids=[str(i) for i in range(20)])
    assert name == task.name
    return labels.values, labels.classes


@EVERY
def test_a_network_of_its_width_has_a_loss_and_answers_that_every_metric_takes(task: Task) -> None:
    labels, classes = labels_of(task)
    outputs = np.random.default_rng(0).normal(size=(20, task.width(labels, classes)))
    weights = torch.tensor(outputs, requires_grad=True)
    task.loss(weights, torch.as_tensor(labels)).backward()
    assert weights.grad is not None
    assert weights.grad.abs().sum() > 0
    assert np.isfinite(task.quality(torch.as_tensor(outputs), torch.as_tensor(labels)))
    for metric in task.metrics:
        value = metric(labels, task.answers(outputs))
        assert metric.low <= value <= metric.high, metric.name


@EVERY
def test_perfect_answers_are_at_the_good_end_of_every_metric(task: Task) -> None:
    labels, classes = labels_of(task)
    perfect = np.eye(len(classes))[labels] if task.single_class else labels.astype(float)
    for metric in task.metrics:
        best = metric.low if metric.lower_is_better else metric.high
        assert metric(labels, perfect) == pytest.approx(best), metric.name


@EVERY
def test_strata_counts_and_samples_cover_the_examples(task: Task) -> None:
    labels, classes = labels_of(task)
    assert task.strata(labels).shape == (20,)
    counts = task.counts(labels, classes)
    assert len(counts) == len(classes)
    shown = task.showcase(labels, classes)
    assert len(shown) == (len(classes) or 3)
    assert all(len(rows) for _, rows in shown)
    assert [len(rows) for _, rows in shown] == list(counts) or not classes


def test_an_unknown_task_or_metric_names_the_nearest_and_all() -> None:
    with pytest.raises(InputError, match=r"'regresion'.*`regression`.*classification, multi-label"):
        task_of("regresion")
    with pytest.raises(InputError, match=r"'acuracy'.*`accuracy`.*calibration_error"):
        task_of("classification").metric("acuracy")


def test_labels_with_three_axes_are_refused() -> None:
    with pytest.raises(TargetError, match=r"shape \(n,\) or \(n, columns\); got \(2, 2, 2\)"):
        read_labels(np.zeros((2, 2, 2)), where="the labels", ids=["0", "1"])


def test_the_tasks_load_no_torch() -> None:
    answers = "[task.answers([[0.0, 1.0]]) for task in headstart.tasks.TASKS.values()]"
    code = f"import sys, headstart.tasks; {answers}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
