"""Forecasts against scipy, plain loops and hand-made cases."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from headstart.errors import InputError
from headstart.evaluation.forecast import Correlation, forecast, weighted_kendall


def world(targets: int = 30, sources: int = 8, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(targets, sources))
    return truth + noise * rng.normal(size=truth.shape), truth


def slow_weighted_tau(x: np.ndarray, y: np.ndarray, rank: np.ndarray) -> float:
    """Vigna's tau written as its definition: pairs weighed by 1 / (rank + 1) added up."""
    upper = lower_x = lower_y = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                w = 1 / (rank[i] + 1) + 1 / (rank[j] + 1)
                a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
                upper, lower_x, lower_y = upper + w * a * b, lower_x + w * a * a, lower_y + w * b * b
    return upper / np.sqrt(lower_x * lower_y)


def test_correlations_are_the_means_of_scipys() -> None:
    scores, outcomes = world()
    found = {c.name: c for c in forecast(scores, outcomes).correlations}
    pairs = list(zip(scores, outcomes, strict=True))
    assert found["Pearson"].value == pytest.approx(np.mean([stats.pearsonr(x, y).statistic for x, y in pairs]))
    assert found["Spearman"].value == pytest.approx(np.mean([stats.spearmanr(x, y).statistic for x, y in pairs]))
    assert found["Kendall"].value == pytest.approx(np.mean([stats.kendalltau(x, y).statistic for x, y in pairs]))
    for one in found.values():
        assert one.low < one.value < one.high


@pytest.mark.parametrize("weights", ["outcome", "score", "both"])
def test_each_weighted_kendall_is_its_definition(weights: str) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=9), rng.normal(size=9)
    by_y, by_x = (stats.rankdata(-v).astype(int) - 1 for v in (y, x))
    expected = {"outcome": slow_weighted_tau(x, y, by_y), "score": slow_weighted_tau(x, y, by_x)}
    expected["both"] = (expected["outcome"] + expected["score"]) / 2
    assert weighted_kendall(x, y, weights) == pytest.approx(expected[weights], abs=1e-12)


@pytest.mark.parametrize("weights", ["outcome", "score", "both"])
def test_weighted_kendall_is_blind_to_the_order_of_sources_that_tie(weights: str) -> None:
    score, outcome = np.array([3.0, 3.0, 1.0, 1.0, 2.0]), np.array([0.2, 0.9, 0.5, 0.5, 0.9])
    found = {weighted_kendall(score[list(order)], outcome[list(order)], weights) for order in permutations(range(5))}
    by_y, by_x = np.array([4, 0, 2, 3, 1]), np.array([1, 0, 3, 4, 2])  # ties by the other's order
    expected = {"outcome": slow_weighted_tau(score, outcome, by_y), "score": slow_weighted_tau(score, outcome, by_x)}
    expected["both"] = (expected["outcome"] + expected["score"]) / 2
    assert sorted(found) == pytest.approx([expected[weights]] * len(found), abs=1e-12)


def test_the_three_variants_differ_and_are_named() -> None:
    scores, outcomes = world()
    named = [forecast(scores, outcomes, weights=w).correlations[3] for w in ("outcome", "score", "both")]
    assert len({c.value for c in named}) == 3
    assert [c.name for c in named] == [f"weighted Kendall (weights: {w})" for w in ("outcome", "score", "both")]


def test_regret_and_hits_by_hand() -> None:
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    outcomes = np.array([[0.7, 0.9, 0.1], [0.2, 0.5, 0.8]])
    found = forecast(scores, outcomes, top=(1, 2))
    assert found.regret.value == pytest.approx((0.2 + 0.0) / 2)
    assert (found.hits[1].value, found.hits[2].value) == (0.5, 1.0)


def test_ties_are_broken_at_random_whatever_the_order_of_the_sources() -> None:
    """Against the mean over every order in which a stable sort could meet the sources."""
    scores, outcomes = np.array([2.0, 1.0, 1.0, 1.0, 0.0]), np.array([0.2, 0.9, 0.5, 0.9, 0.1])
    for score in (scores, -scores, np.ones(5), np.array([1.0, 1.0, 1.0, 2.0, 0.0])):
        orders = [np.array(order) for order in permutations(range(5))]
        firsts = [order[np.argsort(-score[order], kind="stable")] for order in orders]
        found = forecast(score[None], outcomes[None], top=(1, 2, 3, 5, 9))
        assert found.regret.value == pytest.approx(np.mean([0.9 - outcomes[first[0]] for first in firsts]))
        for k, hit in found.hits.items():
            assert hit.value == pytest.approx(np.mean([0.9 in outcomes[first[:k]] for first in firsts]))


def test_the_interval_of_a_correlation_covers_the_truth_over_fresh_targets() -> None:
    """The mean over many targets stands for the truth."""
    rng = np.random.default_rng(2)

    def kendall(count: int) -> Correlation:
        outcomes = rng.normal(size=(count, 6))
        return forecast(outcomes + rng.normal(size=outcomes.shape), outcomes, top=()).correlations[2]

    truth = kendall(600).value
    for targets in (6, 20):
        found = [kendall(targets) for _ in range(30)]
        assert sum(one.low <= truth <= one.high for one in found) >= 26, targets


def test_few_targets_have_a_mean_without_an_interval() -> None:
    for targets, has_interval in ((5, False), (6, True)):
        found = forecast(*world(targets)).correlations[2]
        assert (found.value is not None, found.low is not None) == (True, has_interval)


def test_a_score_that_does_not_vary_has_no_correlation() -> None:
    found = forecast(np.ones((1, 4)), np.arange(4.0)[None])
    assert [c.value for c in found.correlations] == [None] * 4


def test_bad_input_is_an_error() -> None:
    with pytest.raises(InputError, match=r"at least 2 sources; their shapes are \(1, 1\)"):
        forecast(np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(InputError, match="must be finite"):
        forecast(np.array([[np.nan, 1.0]]), np.ones((1, 2)))
    with pytest.raises(InputError, match="`weights` must be outcome, score or both"):
        forecast(np.eye(2), np.eye(2), weights="truth")
