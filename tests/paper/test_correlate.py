"""Coefficients against scipy and closed forms; the ceiling against simulation."""

import numpy as np
import pytest
from scipy import stats

from headstart_paper.correlate import ceiling, pearson, relative_to_chance


def test_pearson_p_and_interval_are_scipys() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = x + rng.normal(size=40)
    found, told = pearson(x, y), stats.pearsonr(x, y)
    assert found is not None
    assert (found.value, found.p) == pytest.approx((told.statistic, told.pvalue))
    interval = told.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_the_partial_coefficient_is_the_textbook_one() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=60)
    x, y = z + rng.normal(size=60), z + rng.normal(size=60)
    r = np.corrcoef([x, y, z])
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    found = pearson(x, y, given=z)
    assert found is not None
    assert found.value == pytest.approx(expected)
    assert abs(found.value) < abs(r[0, 1])


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 2.0, float("nan"), 3.0, 4.0]])
def test_what_has_no_coefficient_has_none(x: list[float]) -> None:
    assert pearson(x, [1.0, 3.0, 2.0, 5.0, 4.0]) is None


def test_a_score_that_is_the_third_variable_has_no_partial_coefficient() -> None:
    z = np.arange(9.0)
    assert pearson(2 * z + 1, np.sin(z), given=z) is None
    assert pearson(np.log(z + 2).round(6), np.sin(z), given=np.log(z + 2)) is None  # as stored: rounded


def test_chance_is_nought_whatever_the_number_of_classes() -> None:
    assert relative_to_chance(np.array([0.5, 0.1, 1.0]), np.array([2, 10, 7])) == pytest.approx([0, 0, 1])


def test_the_ceiling_is_what_a_perfect_score_reaches_in_simulation() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=4000)
    outcomes = truth[:, None] + rng.normal(scale=0.7, size=(4000, 3))
    reached = np.corrcoef(truth, outcomes[:, 0])[0, 1]
    assert ceiling(dict(enumerate(outcomes.tolist()))) == pytest.approx(reached, abs=0.02)
    assert ceiling({0: [0.5], 1: [0.6], 2: [0.7]}) is None
