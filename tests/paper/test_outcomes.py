"""Outcomes: heads against a plain loop, whole networks against what training must do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn

from headstart.scores import leep, nce
from headstart.sources import Source, from_module
from headstart_paper.architectures import CifarResNet
from headstart_paper.data_sets import open_data_set
from headstart_paper.measures import measure
from headstart_paper.outcomes import Budget, head_outcome, judged, network_outcome, rare_f1
from headstart_paper.tasks import ClassTask, large_balanced, small_balanced, small_imbalanced

DEMO = Path(__file__).parents[2] / "demo" / "fashion_mnist_1000.zip"
rng = np.random.default_rng(0)
LABELS, TEST = np.repeat(np.arange(5), 40), np.repeat(np.arange(5), 20)
CENTRES = 0.7 * rng.normal(size=(5, 6))
X, X_TEST = CENTRES[LABELS] + rng.normal(size=(200, 6)), CENTRES[TEST] + rng.normal(size=(100, 6))
BUDGET = Budget(epochs=8)


def plain_head(task: ClassTask, budget: Budget, seed: int) -> float:
    """Softmax regression by SGD, one example set at a time, by torch's own autograd and optimizer."""
    x, y = torch.tensor(X[task.train], dtype=torch.float32), torch.tensor(task.train_labels)
    layer = nn.Linear(6, len(task.classes))
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=budget.rate)
    order = np.random.default_rng(seed)
    for _ in range(budget.epochs):
        for batch in torch.as_tensor(order.permutation(len(x))).split(budget.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(layer(x[batch]), y[batch]).backward()
            optimizer.step()
    said = layer(torch.tensor(X_TEST[task.test], dtype=torch.float32)).argmax(dim=1).numpy()
    return float((said == task.test_labels).mean())


def test_heads_of_different_shapes_are_those_of_a_plain_loop() -> None:
    tasks = [small_balanced(LABELS, TEST, n, classes=2 + n % 2, each=20) for n in range(4)]
    found = [head_outcome(X, X_TEST, task, BUDGET, seed=3) for task in tasks]
    assert [outcome.accuracy for outcome in found] == pytest.approx([plain_head(t, BUDGET, 3) for t in tasks])
    assert 0.5 < np.mean([outcome.accuracy for outcome in found]) < 1
    stopped = plain_head(tasks[0], replace(BUDGET, epochs=5), 3)  # what a shorter training would have reached
    assert found[0].by_epoch == pytest.approx({**found[0].by_epoch, 5: stopped, 8: found[0].accuracy})
    assert list(found[0].by_epoch) == [1, 2, 5, 8]


def test_f1_is_that_of_the_rare_class_where_there_is_one() -> None:
    task = small_imbalanced(LABELS, TEST, 0, low=4, high=8)
    outputs = np.random.default_rng(5).normal(size=(len(task.test), 2))
    said = outputs.argmax(axis=1)
    assert judged(task, outputs, 0.0).f1 == pytest.approx(f1_score(task.test_labels, said, pos_label=task.rare))
    balanced = replace(task, rare=None)
    assert judged(balanced, outputs, 0.0).f1 == pytest.approx(f1_score(task.test_labels, said, average="macro"))
    labels, said = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 0, 1, 0])
    assert rare_f1(labels, said, 1) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))  # precision and recall
    assert rare_f1(np.array([0]), np.array([0]), 1) == 0.0


@pytest.fixture(scope="module")
def source() -> Source:
    torch.manual_seed(0)

    def prepare(image) -> torch.Tensor:
        return torch.tensor(np.asarray(image.resize((16, 16))), dtype=torch.float32).permute(2, 0, 1) / 255

    return from_module(CifarResNet(1, 10), head="linear", prepare=prepare)


def test_a_network_learns_the_same_twice_and_leaves_its_source_alone(source: Source) -> None:
    data = open_data_set(str(DEMO))
    task = large_balanced(data.train.labels, data.test.labels, 1, each=15)
    before = {name: value.clone() for name, value in source.module.state_dict().items()}
    budget = Budget(epochs=6, rate=0.05)
    curve = network_outcome(source, data.train, data.test, task, budget, curve=True)
    assert list(curve.by_epoch) == [1, 2, 3, 4, 5, 6]
    assert curve.accuracy == curve.by_epoch[6]  # the last epoch, not the best on the test part
    assert curve.accuracy > 1.3 / len(task.classes)
    marked = network_outcome(source, data.train, data.test, task, budget)
    assert marked.by_epoch == {epoch: curve.by_epoch[epoch] for epoch in (1, 2, 5, 6)}
    short = replace(budget, epochs=2)
    scratch = network_outcome(source, data.train, data.test, task, short, scratch=True, curve=True)
    assert scratch.by_epoch != {epoch: curve.by_epoch[epoch] for epoch in (1, 2)}
    halved = network_outcome(source, data.train, data.test, task, replace(budget, precision="bf16"))
    assert halved.by_epoch != marked.by_epoch
    assert halved.accuracy == pytest.approx(marked.accuracy, abs=0.15)
    assert all(torch.equal(value, before[name]) for name, value in source.module.state_dict().items())


def test_scores_are_of_the_tasks_own_examples_and_the_noise_is_blind() -> None:
    logits = 3 * X[:, :5]
    task = small_balanced(LABELS, TEST, 0, classes=3, each=30)
    found = measure(X, logits, task)
    probs = np.exp(logits[task.train])
    probs /= probs.sum(axis=1, keepdims=True)
    assert found["leep"] == pytest.approx(leep(probs, task.train_labels))
    assert found["nce"] == pytest.approx(nce(probs, task.train_labels))
    assert [found[name] for name in ("minus_log_classes", "minus_entropy")] == pytest.approx([-np.log(3)] * 2)
    assert found["leep"] > found["leep_of_noise"] > -np.log(3) - 1e-9
    assert found["leep_of_noise"] == measure(X, logits, task)["leep_of_noise"]
    assert "leep" not in measure(X, None, task)
