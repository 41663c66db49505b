"""Nearest class mean as a linear head: against scikit-learn, and its probabilities against leaving out in earnest."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.neighbors import NearestCentroid
from tests.transfers.tiny import images, source, target

from headstart.errors import InputError
from headstart.tasks import softmax
from headstart.transfers import load, transfer
from headstart.transfers.methods.prototypes import prototypes


def world(n: int = 40, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(n) % classes)
    return 5 + rng.normal(size=(classes, 6))[labels] + rng.normal(size=(n, 6)), labels


def test_the_head_sends_every_example_to_the_nearest_class_mean():
    features, labels = world()
    fresh = 5 + np.random.default_rng(1).normal(size=(200, 6))
    expected = NearestCentroid().fit(features, labels).predict(fresh)
    assert prototypes(features, labels, 4).outputs(fresh).argmax(axis=1).tolist() == expected.tolist()


def test_probabilities_have_the_scale_of_largest_leave_one_out_likelihood():
    features, labels = world()
    head = prototypes(features, labels, 4)
    logits = []
    for i in range(len(labels)):
        kept = np.arange(len(labels)) != i
        means = np.stack([features[kept & (labels == code)].mean(axis=0) for code in range(4)])
        logits.append(-((features[i] - means) ** 2).sum(axis=1) / 2)
    scales = np.exp(np.linspace(-6, 3, 400))
    losses = [-log_softmax(scale * np.array(logits), axis=1)[np.arange(40), labels].mean() for scale in scales]
    assert head.objective == pytest.approx(min(losses), abs=1e-4)
    used = np.linalg.norm(head.weight) / np.linalg.norm(prototypes_alone(features, labels))
    assert used == pytest.approx(scales[int(np.argmin(losses))], rel=0.05)


def prototypes_alone(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.stack([features[labels == code].mean(axis=0) - features.mean(axis=0) for code in range(4)])


def test_a_class_without_examples_is_never_chosen():
    features, labels = world()
    head = prototypes(features, labels, 6)
    assert head.outputs(features).argmax(axis=1).max() < 4
    assert softmax(head.outputs(features))[:, 4:].max() < 1e-6


def test_features_that_do_not_vary_are_refused():
    with pytest.raises(InputError, match="there is nothing to tell apart"):
        prototypes(np.ones((4, 2)), np.array([0, 1, 0, 1]), 2)


def test_a_transfer_by_prototypes_is_saved_and_predicts_the_same(tmp_path):
    run = transfer(target(), source(), method="prototypes", out=tmp_path, cache=False)
    assert run.outcome.method == "prototypes"
    assert run.outcome.stopped == "head solved: class means as a linear head"
    again = load(tmp_path, source=source())
    assert (again.predictions.outputs == run.predictions.outputs).all()


def test_a_regression_is_refused():
    pictures, _ = images(30)
    numbers = np.random.default_rng(0).normal(size=30)
    with pytest.raises(InputError, match="`prototypes` needs classes, and the task is regression"):
        transfer((pictures, numbers), source(), method="prototypes", cache=False)
