"""The permutation test of features and labels, against ridge regressions solved one by one."""

import numpy as np
import pytest

from headstart.scores import Inputs, association


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
