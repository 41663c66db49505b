"""The interval and the verdict of a gain: in closed form, and over many simulated campaigns."""

import numpy as np
import pytest
from benchmarks.verdicts import cell
from scipy import stats

from headstart.evaluation import gain
from headstart.records import Predictions


def answers(right: np.ndarray) -> Predictions:
    """Two classes in turn, answered right where it says so."""
    labels = np.arange(len(right)) % 2
    return Predictions(tuple(map(str, range(len(right)))), labels, np.eye(2)[np.where(right, labels, 1 - labels)])


def test_seeds_alone_give_the_two_sample_t_interval_when_test_examples_do_not_vary() -> None:
    """All answers of a run are right or all are wrong, so that only seeds are chance (and the rule of three)."""
    n, runs = 400, ((1, 1, 0), (0, 1, 0))
    found = gain(*([answers(np.full(n, right == 1)) for right in arm] for arm in runs), metric="accuracy")
    of_seeds = stats.ttest_ind(*runs).confidence_interval(0.95)
    assert found.value == pytest.approx(1 / 3)
    assert found.high - found.value == pytest.approx(
        np.hypot((of_seeds.high - of_seeds.low) / 2, 1 - 0.05 ** (1 / n)), rel=1e-9
    )


def test_test_examples_alone_give_the_paired_t_interval_of_groups_when_seeds_do_not_vary() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.uniform(size=400) < 0.8, rng.uniform(size=400) < 0.7
    found = gain([answers(one)] * 3, [answers(other)] * 3, metric="accuracy")
    reach = stats.t.ppf(0.975, 19) * (one * 1.0 - other).std(ddof=1) / np.sqrt(400)
    assert found.high - found.value == pytest.approx(reach, rel=0.35)  # 20 groups scatter


def test_an_arm_that_does_not_vary_brings_no_degrees_of_freedom() -> None:
    n, scratch = 400, (1, 0, 0)
    head = [answers(np.full(n, True))] * 3
    found = gain(head, [answers(np.full(n, right == 1)) for right in scratch], metric="accuracy")
    reach = stats.t.ppf(0.975, 2) * np.std(scratch, ddof=1) / np.sqrt(3)
    assert found.high - found.value == pytest.approx(np.hypot(reach, 1 - 0.05 ** (1 / n)), rel=1e-9)


@pytest.mark.parametrize(("n", "has_interval"), [(2, False), (3, False), (4, True), (5, True)])
def test_an_interval_needs_four_test_examples(n: int, has_interval: bool) -> None:
    found = gain([answers(np.ones(n, bool))] * 2, [answers(np.zeros(n, bool))] * 2, metric="accuracy")
    assert found.value == 1
    assert (found.low is not None, found.high is not None) == (has_interval, has_interval)


def test_one_seed_has_no_interval() -> None:
    found = gain([answers(np.ones(500, bool))], [answers(np.arange(500) < 100)], metric="accuracy")
    assert (found.value, found.low, found.high) == (pytest.approx(0.8), None, None)


@pytest.mark.parametrize(("seeds", "n", "deviation"), [(2, 200, 0.03), (3, 500, 0.02), (6, 50, 0.06)])
def test_intervals_cover_and_verdicts_hold(seeds: int, n: int, deviation: float) -> None:
    """`benchmarks/verdicts.py` measures all settings; 0.92 to 0.98 with the chance of 160 draws."""
    found = cell(seeds, n, deviation, draws=80)
    assert 0.89 <= found.coverage <= 0.995
    assert found.negative <= 0.08
    assert found.found >= (0.6 if (seeds, n) == (3, 500) else 0)


def test_two_seeds_that_agree_have_a_verdict() -> None:
    rng = np.random.default_rng(0)
    hard = rng.uniform(size=500)
    good, bad = ([answers(hard < level) for level in levels] for levels in ((0.9, 0.89), (0.7, 0.71)))
    found = gain(bad, good, metric="accuracy")
    assert found.high < 0
