"""Contributions of single examples against derivatives and deletions written out plainly, and what they are for."""

import numpy as np
import pytest
from scipy import stats
from tests.reference import leep as reference
from tests.scores.worlds import probs_and_labels

from headstart.scores import _deletions, evaluate, fit_temperature, nce
from headstart.scores._checks import check_labels
from headstart.scores._head_counts import likelihoods, likelihoods_without_own, read_probs
from headstart.scores._influence import (
    frequency_excess,
    guess_contributions,
    hard_contributions,
    loo_contributions,
    plain_contributions,
    spread_of,
)
from headstart.scores._second_order import hard_excess, probe
from headstart.stats import jackknife, jackknife_groups

FAMILY = ("leep", "leep_loo", "leep_skill", "leep_calibrated", "nce")


def _weighted_loo(weights: np.ndarray, probs: np.ndarray, labels: np.ndarray, prior: float) -> float:
    """Weighted sum of log-likelihoods, each example left out of its own table as a whole."""
    one_hot = np.eye(labels.max() + 1)[labels]
    joint = (weights[:, None] * one_hot).T @ probs
    own = weights[:, None] * probs
    table = joint[labels] - own + prior * _frequency(weights, labels)[:, None]
    return float(weights @ np.log((probs * table / (joint.sum(axis=0) - own + prior)).sum(axis=1)))


def _frequency(weights: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) of each example's class among the others, half an example added to every class."""
    counts = np.bincount(labels, weights)
    return (counts[labels] - weights + 0.5) / (weights.sum() - weights + len(counts) / 2)


def _derivative(function, n: int) -> np.ndarray:
    """By each weight, at 1."""
    step = 1e-5 * np.eye(n)
    return np.array([(function(1 + step[i]) - function(1 - step[i])) / 2e-5 for i in range(n)])


@pytest.mark.parametrize("seed", [0, 1])
def test_leave_one_out_contributions_are_derivatives_by_the_weights(seed: int) -> None:
    probs, labels = probs_and_labels(seed=seed)
    head = read_probs(probs, labels)
    found = loo_contributions(head, likelihoods_without_own(head, 0.5), 0.5)
    codes = head.labels.codes
    expected = _derivative(lambda weights: _weighted_loo(weights, probs, codes, 0.5), len(labels))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_contributions_of_guessing_are_derivatives_by_the_weights() -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    expected = _derivative(lambda weights: float(weights @ np.log(_frequency(weights, labels))), len(labels))
    np.testing.assert_allclose(guess_contributions(labels, np.bincount(labels)), expected, atol=1e-7)


def test_plain_contributions_are_the_mean_of_the_derivative_and_of_tables_without_the_example() -> None:
    probs, labels = probs_and_labels()
    head = read_probs(probs, labels)
    codes, n = head.labels.codes, len(labels)
    one_hot = np.eye(codes.max() + 1)[codes]

    def likelihood(weights: np.ndarray) -> np.ndarray:
        joint = (weights[:, None] * one_hot).T @ probs
        return (probs * (joint / joint.sum(axis=0))[codes]).sum(axis=1)

    whole = likelihood(np.ones(n))
    derivative = _derivative(lambda weights: float(weights @ np.log(likelihood(weights))), n)
    without = np.empty(n)
    for i in range(n):
        others = np.arange(n) != i
        without[i] = np.log(whole[i]) + ((whole - likelihood(others.astype(float))) / whole)[others].sum()
    table = head.joint / head.mass
    np.testing.assert_allclose(plain_contributions(head, table, whole), (derivative + without) / 2, atol=1e-7)


def test_hard_contributions_are_what_taking_the_example_out_costs() -> None:
    probs, labels = probs_and_labels()
    hard, n = probs.argmax(axis=1), len(labels)
    in_cell = np.array([np.sum((hard == hard[i]) & (labels == labels[i])) for i in range(n)])
    in_column = np.array([np.sum(hard == hard[i]) for i in range(n)])
    out = [n * nce(probs, labels) - (n - 1) * nce(np.delete(probs, i, 0), np.delete(labels, i)) for i in range(n)]
    np.testing.assert_allclose(hard_contributions(in_cell, in_column), out, atol=1e-12)
    cells, counts = np.unique(np.stack([hard, labels]), axis=1, return_counts=True)
    done, _ = evaluate(["nce"], labels=labels, groups=np.arange(n) % 5, probs=probs)
    excess = hard_excess(counts, np.unique(cells[0], return_inverse=True)[1])
    assert done["nce"].spread == spread_of(hard_contributions(in_cell, in_column), excess)


def test_skill_contributes_what_leave_one_out_does_beyond_guessing() -> None:
    probs, labels = probs_and_labels(z=70)  # fewer examples than source classes: the errors are from derivatives
    head = read_probs(probs, labels)
    codes = head.labels.codes
    done, _ = evaluate(["leep_loo", "leep_skill"], labels=labels, groups=codes, probs=probs)
    loo = loo_contributions(head, likelihoods_without_own(head, 0.5), 0.5)
    frequency = (head.labels.counts + 0.5) / (len(labels) + len(head.labels.counts) / 2)
    table = (head.joint + 0.5 * frequency[:, None]) / (head.mass + 0.5)
    pairs = probe(head, table, likelihoods(head, table), 0.5).within(head.labels).excess()
    guess = guess_contributions(codes, head.labels.counts)
    assert done["leep_loo"].spread == spread_of(loo, frequency_excess(loo, head.labels) + pairs)
    assert done["leep_skill"].spread == spread_of(loo - guess, pairs / 2)


def test_calibrated_contributes_what_leave_one_out_does_at_its_temperature() -> None:
    probs, labels = probs_and_labels()
    done, _ = evaluate(["leep_calibrated"], labels=labels, groups=np.arange(len(labels)) % 5, probs=probs)
    sharper = probs ** (1 / fit_temperature(probs, labels).temperature)
    sharper /= sharper.sum(axis=1, keepdims=True)
    at_it, _ = evaluate(["leep_loo"], labels=labels, groups=np.arange(len(labels)) % 5, probs=sharper)
    assert done["leep_calibrated"].spread.standard_error == pytest.approx(
        at_it["leep_loo"].spread.standard_error, rel=1e-6
    )


def test_calibrated_has_fewer_degrees_where_its_temperature_is_uncertain_and_the_error_goes_with_it() -> None:
    rng, centres = np.random.default_rng(3), np.random.default_rng(0).normal(size=(2, 40))
    logs, degrees, fixed = [], [], []
    for _ in range(40):
        labels = rng.integers(0, 2, 150)
        probs = reference.softmax(2 * (0.4 * centres[labels] + rng.normal(size=(150, 40))))
        done, _ = evaluate(["leep_calibrated", "leep_loo"], labels=labels, groups=np.arange(150) % 2, probs=probs)
        logs.append(2 * np.log(done["leep_calibrated"].spread.standard_error))
        degrees.append(done["leep_calibrated"].spread.degrees)
        fixed.append(done["leep_loo"].spread.degrees)
    assert 2 / np.median(degrees) == pytest.approx(np.var(logs, ddof=1), rel=0.5)  # chi-squared: 2 over its degrees
    assert np.median(degrees) < np.median(fixed) / 2
    assert min(degrees) > 5  # the temperature alone leaves 20


def test_the_spread_of_a_mean_is_the_textbook_s_with_fewer_degrees_under_heavy_tails() -> None:
    rng = np.random.default_rng(0)
    light, heavy = rng.uniform(size=500), rng.standard_t(3, size=500)
    assert spread_of(light).standard_error == pytest.approx(stats.sem(light), rel=1e-12)
    assert spread_of(light).degrees == 499
    assert spread_of(heavy).degrees == pytest.approx(2 * 500 / (stats.kurtosis(heavy, fisher=False) - 1), rel=1e-9)
    assert spread_of(heavy).degrees < 250
    assert spread_of(np.ones(7)) == spread_of(np.zeros(7))
    assert (spread_of(np.ones(7)).standard_error, spread_of(np.ones(7)).degrees) == (0.0, 6.0)


def test_what_is_counted_too_often_comes_off_down_to_a_half_and_costs_degrees_of_freedom() -> None:
    contributions = np.random.default_rng(0).uniform(size=50)
    whole = spread_of(contributions)
    less = spread_of(contributions, 0.2 * whole.standard_error**2)
    assert less.standard_error**2 == pytest.approx(0.8 * whole.standard_error**2)
    assert less.degrees == pytest.approx(0.64 * 49)  # the variance over its own variance, squared
    half = spread_of(contributions, 0.9 * whole.standard_error**2)
    assert half.standard_error**2 == pytest.approx(0.5 * whole.standard_error**2)
    assert half.degrees == 49  # a half is as uncertain, for its size, as the whole
    assert spread_of(np.array([0.0, 1.0]), 0.1).degrees == 1.0


def test_a_source_that_says_nothing_has_the_chance_of_the_label_frequencies_alone() -> None:
    """Its score is their log-likelihood: over equal classes it varies by chi-squared over 2 n, as drawn here."""
    rng = np.random.default_rng(6)
    values, errors = [], []
    for _ in range(2000):
        labels = rng.integers(0, 10, 200)
        values.append(reference.guess_loo(labels))
        contributions = guess_contributions(labels, np.bincount(labels))
        excess = frequency_excess(contributions, check_labels(labels))
        errors.append((spread_of(contributions).standard_error, spread_of(contributions, excess).standard_error))
    doubled, single = np.mean(np.square(errors), axis=0) / np.var(values)
    assert doubled == pytest.approx(2.0, rel=0.2)
    assert 1.0 < single < 1.4  # no less than half is left, whatever was drawn: a little too much on average


@pytest.mark.parametrize(("z", "most"), [(7, None), (7, 0), (60, None)])  # 60: as many source classes as examples
@pytest.mark.parametrize("name", FAMILY)
def test_the_spread_does_not_depend_on_order_names_or_unused_source_classes(
    name: str, z: int, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if most is not None:
        monkeypatch.setattr(_deletions, "MOST_WORK", most)
    probs, labels = probs_and_labels(z=z)
    order = np.random.default_rng(3).permutation(len(labels))
    changed = np.insert(probs, 1, 0.0, axis=1)[order]
    spreads = []
    for given, classes in ((probs, labels), (changed, np.array([f"c{label}" for label in labels[order]]))):
        done, _ = evaluate([name], labels=classes, groups=np.arange(len(labels)) % 5, probs=given)
        spreads.append((done[name].spread.standard_error, done[name].spread.degrees))
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-6)


@pytest.mark.parametrize("name", [*FAMILY, "leep_normalized"])
def test_without_groups_there_is_no_spread_and_for_other_scores_there_never_is(name: str) -> None:
    probs, labels = probs_and_labels()
    assert evaluate([name], labels=labels, probs=probs)[0][name].spread is None
    done, _ = evaluate([name], labels=labels, groups=np.arange(len(labels)) % 5, probs=probs)
    assert (done[name].spread is None) == (name == "leep_normalized")


@pytest.mark.parametrize("most", [_deletions.MOST_WORK, 0])
def test_the_error_holds_the_chance_in_the_numbers_per_class_which_balanced_groups_do_not_see(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uneven classes that a weak source hardly tells apart: the score moves with how many of each were drawn."""
    monkeypatch.setattr(_deletions, "MOST_WORK", most)
    rng = np.random.default_rng(5)
    shares = np.array([0.6, 0.3, 0.1])
    values, errors, by_groups = [], [], []
    for seed in range(300):
        labels = rng.choice(3, 300, p=shares)
        probs = 0.8 * rng.dirichlet(np.full(10, 0.5), size=300) + 0.2 * np.eye(10)[labels]
        done, _ = evaluate(["leep_loo"], labels=labels, groups=jackknife_groups(labels, seed=seed), probs=probs)
        values.append(done["leep_loo"].value)
        errors.append(done["leep_loo"].spread.standard_error)
        by_groups.append(jackknife(done["leep_loo"].value, done["leep_loo"].deleted).standard_error)
    truth = np.std(values, ddof=1)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(truth, rel=0.15)
    assert np.sqrt(np.mean(np.square(by_groups))) < 0.85 * truth


def test_the_reference_of_this_file_is_leave_one_out_leep() -> None:
    probs, labels = probs_and_labels()
    codes = np.unique(labels, return_inverse=True)[1]
    found = _weighted_loo(np.ones(len(labels)), probs, codes, 0.5) / len(labels)
    assert found == pytest.approx(reference.leep_loo(probs, labels, 0.5), abs=1e-12)
