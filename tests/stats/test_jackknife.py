"""The group jackknife against closed forms, a plain re-implementation, and known truth in simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headstart.errors import InputError
from headstart.stats import difference_errors, jackknife, jackknife_groups, pseudo_values


def test_for_a_mean_the_interval_is_the_t_interval_of_the_group_means() -> None:
    x = np.random.default_rng(0).exponential(size=(20, 7))
    deleted = np.array([np.delete(x, g, axis=0).mean() for g in range(20)])
    estimate = jackknife(x.mean(), deleted, level=0.9)
    reference = stats.ttest_1samp(x.mean(axis=1), 0.0).confidence_interval(0.9)
    assert (estimate.low, estimate.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert estimate.standard_error == pytest.approx(stats.sem(x.mean(axis=1)), abs=1e-12)


def test_a_wider_level_gives_a_wider_interval() -> None:
    deleted = np.array([1.0, 2.0, 4.0])
    narrow, wide = jackknife(2.0, deleted, 0.5), jackknife(2.0, deleted, 0.99)
    assert wide.low < narrow.low < 2.0 < narrow.high < wide.high


def test_the_error_of_a_ratio_matches_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(3, 1, 4000), rng.normal(5, 1, 4000)
    groups = jackknife_groups(4000, 100, seed=0)
    ratio = x.mean() / y.mean()
    deleted = np.array([x[groups != g].mean() / y[groups != g].mean() for g in range(100)])
    delta = np.std(x / y.mean() - ratio * y / y.mean()) / np.sqrt(4000)
    assert jackknife(ratio, deleted).standard_error == pytest.approx(delta, rel=0.2)


@pytest.mark.parametrize("skew", [False, True])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(skew: bool) -> None:
    """A ratio of means, 1,000 worlds of 200 examples: 95 % give or take three standard deviations and some skew."""
    rng, hits = np.random.default_rng(2), 0
    for _ in range(1000):
        noise = rng.exponential(size=(2, 200)) if skew else 1 + 0.5 * rng.standard_normal((2, 200))
        sums = noise.reshape(2, 20, 10).sum(axis=2)
        total = sums.sum(axis=1, keepdims=True)
        deleted = np.divide(*(total - sums))
        estimate = jackknife(float(total[0, 0] / total[1, 0]), deleted)
        hits += estimate.low <= 1.0 <= estimate.high
    assert 0.92 <= hits / 1000 <= 0.971


def test_the_interval_of_leave_one_out_leep_covers_the_score_on_fresh_data() -> None:
    """DESIGN's claim, with a plain leave-one-out LEEP: truth is how tables built from n examples score fresh ones."""
    rng, worlds, n, hits = np.random.default_rng(3), 300, 200, 0
    rows = rng.dirichlet(np.full(30, 0.1), size=60)  # 60 kinds of example, each with its own probabilities
    usual = rng.integers(0, 4, 60)  # and its usual label
    fresh_probs, fresh_labels = _draw(rng, rows, usual, 4000)
    truth = np.mean([_leep_with_table_of(*_draw(rng, rows, usual, n), fresh_probs, fresh_labels) for _ in range(100)])
    for _ in range(worlds):
        probs, labels = _draw(rng, rows, usual, n)
        groups = jackknife_groups(len(labels), 20, seed=0)
        deleted = np.array([_loo(probs[groups != g], labels[groups != g]) for g in range(20)])
        estimate = jackknife(_loo(probs, labels), deleted)
        hits += estimate.low <= truth <= estimate.high
    assert 0.91 <= hits / worlds <= 0.99  # 95 % give or take three standard deviations


def _draw(rng: np.random.Generator, rows: np.ndarray, usual: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    kinds = rng.integers(0, len(rows), n)
    return rows[kinds], np.where(rng.random(n) < 0.2, rng.integers(0, 4, n), usual[kinds])


def _loo(probs: np.ndarray, labels: np.ndarray) -> float:
    """Leave-one-out LEEP with one prior count, spread evenly over the four classes."""
    joint = np.eye(4)[labels].T @ probs
    own = joint[labels] - probs + 0.25
    return float(np.log((own / (joint.sum(axis=0) - probs + 1.0) * probs).sum(axis=1)).mean())


def _leep_with_table_of(
    probs: np.ndarray, labels: np.ndarray, fresh_probs: np.ndarray, fresh_labels: np.ndarray
) -> float:
    joint = np.eye(4)[labels].T @ probs
    table = (joint + 0.25) / (joint.sum(axis=0) + 1.0)
    return float(np.log((table[fresh_labels] * fresh_probs).sum(axis=1)).mean())


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 100), count=st.integers(2, 25), seed=st.integers(0, 99))
def test_groups_are_of_equal_size_and_follow_the_seed(n: int, count: int, seed: int) -> None:
    groups = jackknife_groups(n, count, seed=seed)
    assert np.ptp(np.bincount(groups, minlength=min(count, n))) <= 1
    assert groups.max() + 1 == min(count, n)
    np.testing.assert_array_equal(groups, jackknife_groups(n, count, seed=seed))
    assert n < 30 or (groups != jackknife_groups(n, count, seed=seed + 1)).any()


def test_the_error_includes_the_chance_in_the_number_of_examples_of_each_class() -> None:
    """A value that is each example's class: with groups balanced by class its error would be 0."""
    labels = np.repeat([0.0, 1.0], [150, 50])
    groups = jackknife_groups(200, seed=0)
    deleted = np.array([labels[groups != g].mean() for g in range(20)])
    assert jackknife(labels.mean(), deleted).standard_error == pytest.approx(labels.std() / np.sqrt(200), rel=0.4)


def test_pseudo_values_have_the_value_as_mean_and_the_jackknife_error_as_error() -> None:
    rng = np.random.default_rng(4)
    values, deleted = rng.standard_normal(3), rng.standard_normal((3, 12))
    contributions = pseudo_values(values, deleted)
    np.testing.assert_allclose(contributions.mean(axis=1), values, atol=1e-12)
    for s in range(3):
        assert stats.sem(contributions[s]) == pytest.approx(jackknife(values[s], deleted[s]).standard_error, abs=1e-12)


def test_the_error_of_a_difference_is_the_jackknife_error_of_the_difference() -> None:
    rng = np.random.default_rng(5)
    values, deleted = rng.standard_normal(3), rng.standard_normal((3, 12))
    errors = difference_errors(pseudo_values(values, deleted))
    assert errors[0, 2] == pytest.approx(jackknife(values[0] - values[2], deleted[0] - deleted[2]).standard_error)
    np.testing.assert_allclose(errors, errors.T)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jackknife_groups(1, seed=0), "at least 2 examples; got 1"),
        (lambda: jackknife_groups(9, 1, seed=0), "`count` must be at least 2 groups, not 1"),
        (lambda: jackknife(0.0, np.array([1.0])), r"`deleted` must hold at least 2 values"),
        (lambda: jackknife(0.0, np.ones(3), 1.0), "`level` must lie strictly between 0 and 1, not 1.0"),
        (lambda: jackknife(np.nan, np.ones(3)), "`value` is nan and 0 of 3"),
        (lambda: jackknife(0.0, np.array([1.0, np.inf])), "1 of 2 in `deleted` are not finite"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]
