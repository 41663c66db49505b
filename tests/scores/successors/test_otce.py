"""OTCE: transport against brute force and linear programming, the entropy by hand, coefficients by least squares."""

from itertools import permutations

import numpy as np
import pytest

from headstart import scores
from headstart.errors import InputError


def clouds(m: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    source, target = np.arange(m) % 2, np.arange(n) % 3
    return rng.normal(size=(m, 2)) + source[:, None], source, rng.normal(size=(n, 2)) + target[:, None], target


def entropy(joint: np.ndarray) -> float:
    """H(column given row), natural logarithm."""
    joint = joint / joint.sum()
    return -sum(p * np.log(p / row.sum()) for row in joint for p in row if p > 0)


def test_equal_sizes_are_the_best_of_all_assignments():
    x, source, y, target = clouds(6, 6)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    best = min(permutations(range(6)), key=lambda p: cost[np.arange(6), list(p)].sum())
    joint = np.zeros((2, 3))
    np.add.at(joint, (source, target[list(best)]), 1 / 6)
    parts = scores.otce_parts(x, source, y, target)
    assert parts.distance == pytest.approx(cost[np.arange(6), list(best)].mean())
    assert parts.conditional_entropy == pytest.approx(entropy(joint))
    assert scores.otce(x, source, y, target) == pytest.approx(-entropy(joint))


def test_unequal_sizes_are_the_assignment_of_repeated_examples():
    """m and n examples of weights 1/m and 1/n: repeat each to a common size, where an assignment is optimal too."""
    x, source, y, target = clouds(4, 6)
    parts = scores.otce_parts(x, source, y, target)
    repeated = scores.otce_parts(
        np.repeat(x, 3, axis=0), np.repeat(source, 3), np.repeat(y, 2, axis=0), np.repeat(target, 2)
    )
    assert parts.distance == pytest.approx(repeated.distance, rel=1e-7)
    assert parts.conditional_entropy == pytest.approx(repeated.conditional_entropy, abs=1e-6)


def test_entropic_coupling_solves_its_own_equations_and_tends_to_the_exact_one():
    x, source, y, target = clouds(5, 7)
    exact = scores.otce_parts(x, source, y, target)
    costs = [
        scores.otce_parts(x, source, y, target, coupling="entropic", epsilon=epsilon).distance
        for epsilon in (1.0, 0.1, 0.01)
    ]
    assert np.all(np.diff(costs) < 0)
    assert costs[-1] == pytest.approx(exact.distance, rel=0.02)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    kernel = np.exp(-cost / (0.5 * cost.mean()))
    left = np.ones(5)
    for _ in range(2000):
        right = (1 / 7) / (kernel.T @ left)
        left = (1 / 5) / (kernel @ right)
    plan = left[:, None] * kernel * right
    found = scores.otce_parts(x, source, y, target, coupling="entropic", epsilon=0.5)
    assert found.distance == pytest.approx((plan * cost).sum(), rel=1e-7)


def test_a_target_labelled_like_the_source_scores_the_most_and_noise_less():
    x, source, _, _ = clouds(60, 3)
    assert scores.otce(x, source, x, np.array(["cat", "dog"])[source]) == 0.0
    noise = np.random.default_rng(1).integers(0, 2, 60)
    assert scores.otce(x, source, x, noise) < -0.5


def test_coefficients_make_otce_the_linear_function_they_were_fitted_as():
    rng = np.random.default_rng(0)
    tasks = [scores.OTCEParts(*rng.uniform(size=2)) for _ in range(6)]
    outcomes = [0.9 - 0.3 * t.distance - 0.2 * t.conditional_entropy for t in tasks]
    fitted = scores.fit_otce(tasks, outcomes)
    assert fitted == pytest.approx((-0.3, -0.2, 0.9))
    x, source, y, target = clouds(6, 6)
    parts = scores.otce_parts(x, source, y, target)
    expected = 0.9 - 0.3 * parts.distance - 0.2 * parts.conditional_entropy
    assert scores.otce(x, source, y, target, coefficients=fitted) == pytest.approx(expected)


def test_what_does_not_fit_is_refused_with_the_next_step(unchecked):
    x, source, y, target = clouds(6, 6)
    with pytest.raises(InputError, match="both must come from one network"):
        scores.otce(x, source, y[:, :1], target)
    with pytest.raises(InputError, match="`coupling` must be"):
        scores.otce(x, source, y, target, coupling="sinkhorn")
    with pytest.raises(InputError, match="three finite numbers"):
        scores.otce(x, source, y, target, coefficients=(1.0, np.nan, 0.0))
    with pytest.raises(InputError, match=r"400,500 variables.*entropic"):
        scores.otce(*clouds(890, 450))
    with pytest.raises(InputError, match="at least four auxiliary tasks"):
        scores.fit_otce([scores.OTCEParts(1.0, 1.0)], [0.5])
    with pytest.raises(InputError, match="do not vary enough"):
        scores.fit_otce([scores.OTCEParts(1.0, 1.0)] * 5, [0.5] * 5)
    with pytest.raises(InputError, match="raise `epsilon`"):
        scores.otce(*clouds(8, 9), coupling="entropic", epsilon=1e-6)


def test_a_ranking_is_told_why_it_has_none():
    _, reasons = scores.evaluate(["otce"], labels=np.array([0, 1, 0, 1]), features=np.eye(4))
    assert "source's own data" in reasons["otce"]
