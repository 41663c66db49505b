"""Left-out predictions of a probe and the permutation test, against ridge regressions solved one by one."""

import numpy as np
import pytest

from headstart.scores import Inputs, association, left_out_gains, left_out_probs
from headstart.scores.catalogue.ridge_probe import shared_left_out
from headstart.scores.left_out import _errors_of_folds, _folds


def plain(features: np.ndarray, labels: np.ndarray, permutations: int) -> float:
    """The same p-value with the normal equations on the raw features."""
    x, y = features - features.mean(axis=0), np.eye(labels.max() + 1)[labels]
    y = (y - y.mean(axis=0)) / np.linalg.norm(y - y.mean(axis=0), axis=0)
    t = np.trace(x.T @ x) / x.shape[1] / 100
    solved = x @ np.linalg.solve(x.T @ x + t * np.eye(x.shape[1]), x.T)
    rng = np.random.default_rng(0)
    orders = [np.arange(len(y)), *(rng.permutation(len(y)) for _ in range(permutations))]
    values = [np.trace(y[order].T @ solved @ y[order]) for order in orders]
    return float(np.mean([value >= values[0] - 1e-12 for value in values]))


@pytest.mark.parametrize("pull", [0.0, 0.1, 2.0])
def test_the_association_is_that_of_ridge_regressions_solved_one_by_one(pull: float) -> None:
    rng = np.random.default_rng(1)
    labels = np.sort(rng.integers(3, size=60))
    features = rng.standard_normal((60, 5)) + pull * labels[:, None]
    found = association(Inputs(labels, features=features), permutations=99)
    assert found == pytest.approx(plain(features, labels, 99), abs=0.03)  # another order of the examples
    assert (found == 0.01) == (pull == 2.0)


def test_labels_without_a_link_to_the_features_have_uniform_p_values() -> None:
    rng = np.random.default_rng(2)
    found = [
        association(Inputs(rng.integers(2, size=40), features=rng.standard_normal((40, 3))), permutations=39)
        for _ in range(60)
    ]
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) <= 0.1) < 0.25


def test_where_classes_are_small_a_share_of_every_class_is_left_out_at_a_time() -> None:
    rng = np.random.default_rng(3)
    labels = rng.permutation(np.repeat(np.arange(5), [3, 4, 6, 5, 7]))
    features = rng.standard_normal((25, 4)) + 3 * np.eye(5)[labels][:, :4]
    inputs = Inputs(labels, features=features)
    folds = _folds(inputs)
    assert folds is not None
    errors, penalty = inputs.in_callers_order(_errors_of_folds(inputs, folds)), shared_left_out(inputs)[1]
    indicators, folds = np.eye(5)[labels], inputs.in_callers_order(folds)
    for fold in range(5):
        out = folds == fold
        assert np.bincount(labels[out], minlength=5).max() <= 2
        centre, mean = features[~out].mean(axis=0), indicators[~out].mean(axis=0)
        x = features[~out] - centre
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(4), x.T @ (indicators[~out] - mean))
        assert errors[out] == pytest.approx(indicators[out] - (features[out] - centre) @ weights - mean)


def test_many_small_classes_are_predicted_as_well_as_fresh_examples_are() -> None:
    rng = np.random.default_rng(4)
    means, labels = rng.standard_normal((50, 20)), np.arange(200) % 50
    features, fresh = (means[labels] + 1.5 * rng.standard_normal((200, 20)) for _ in range(2))
    x = features - features.mean(axis=0)
    penalty = shared_left_out(Inputs(labels, features=features))[1]
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(20), x.T @ np.eye(50)[labels])
    reached = ((fresh - features.mean(axis=0)) @ weights).argmax(axis=1) == labels
    found = left_out_probs(Inputs(labels, features=features)).argmax(axis=1) == labels
    assert found.mean() == pytest.approx(reached.mean(), abs=0.1)  # with single examples left out: half
    noise = Inputs(labels, features=rng.standard_normal((200, 20)))
    assert (left_out_probs(noise).argmax(axis=1) == labels).mean() == pytest.approx(1 / 50, abs=0.02)
    assert left_out_gains(noise, left_out_probs(noise)).mean() == pytest.approx(0, abs=0.05)
