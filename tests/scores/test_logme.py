"""LogME: the evidence as a Gaussian density, its maximum by another search, every n and d, every task."""

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.errors import InputError
from headstart.scores import Inputs, evaluate, logme
from headstart.scores._residual_maker import residual_maker
from headstart.scores.catalogue.logme import maximum, of_all


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 50), (30, 29), (31, 30), (30, 30), (12, 400)])
def test_against_a_fine_search_of_the_evidence(n, d):
    features, labels = features_and_labels(n, d)
    assert logme(features, labels) == pytest.approx(reference.logme(features, np.eye(3)[labels]), abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(20, 3), (10, 25)])
def test_against_the_density_of_the_labels_maximised_over_both_precisions(n, d):
    features, _ = features_and_labels(n, d)
    target = features @ np.linspace(-1, 1, d) + np.random.default_rng(1).normal(size=n)
    starts = [(0.0, 0.0), (2.0, 2.0), (-2.0, 1.0)]
    best = max(
        -minimize(lambda p: -reference.log_evidence(features, target, *np.exp(p)), start, method="Nelder-Mead").fun
        for start in starts
    )
    assert logme(features, target, task="regression") == pytest.approx(best / n, abs=1e-6)


def test_labels_that_features_say_nothing_of_take_the_limit_of_no_signal():
    features = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    target = np.array([1.0, 1.0, 2.0, 2.0])  # orthogonal to the feature
    assert logme(features, target, task="regression") == pytest.approx(-(1 + np.log(2 * np.pi * 2.5)) / 2, abs=1e-12)
    done, _ = evaluate(["logme"], labels=target, features=features, task="regression")
    assert done["logme"].notes == ("no signal for 1 of 1 targets",)


def test_noise_in_many_dimensions_does_not_beat_useful_features():
    """The published code gave noise in 2048 dimensions 25.7 and useful features 0.30."""
    rng = np.random.default_rng(0)
    useful, labels = features_and_labels(100, 10)
    assert logme(rng.normal(size=(100, 2048)), labels) < logme(useful, labels) - 0.1


def test_labels_that_are_a_linear_function_of_the_features_are_finite_and_noted():
    labels = np.arange(40) % 4
    features = np.eye(4)[labels]
    done, _ = evaluate(["logme"], labels=labels, features=features, groups=np.arange(40) // 4)
    assert 5 < done["logme"].value < 15
    assert "exact linear function" in done["logme"].notes[0]
    assert np.isfinite(done["logme"].deleted).all()


def test_every_class_is_searched_by_itself():
    """The published code carries its state from class to class; here the mean over columns is the mean of columns."""
    features, labels = features_and_labels()
    columns = np.eye(3)[labels]
    single = [logme(features, columns[:, [c]].astype(int), task="multi-label") for c in range(3)]
    assert logme(features, labels) == pytest.approx(np.mean(single), abs=1e-12)
    assert len(set(single)) == 3


def test_the_task_changes_the_value():
    features, labels = features_and_labels()
    assert logme(features, labels) != logme(features, labels.astype(float), task="regression")


@pytest.mark.parametrize(("n", "d", "offset"), [(100, 300, 0.0), (200, 60, 0.0), (120, 6, 30.0)])
def test_groups_are_left_out_at_the_penalties_of_all_examples(n, d, offset):
    """By blocks of the residual maker, or by sums; plainly, and as far as the interval goes the search itself."""
    features, labels = features_and_labels(n, d)
    features, groups = features + offset, np.arange(n) % 10
    done, _ = evaluate(["logme"], labels=labels, groups=groups, features=features)
    parts = residual_maker(Inputs(labels, features=features))
    penalties = np.exp(maximum(of_all(parts))[1])
    expected = np.array([plain(features[groups != g], np.eye(3)[labels[groups != g]], penalties) for g in range(10)])
    off = done["logme"].value - plain(features, np.eye(3)[labels], penalties)
    assert done["logme"].deleted == pytest.approx(expected + off, abs=1e-5)
    searched = np.array([logme(features[groups != g], labels[groups != g]) for g in range(10)])
    assert done["logme"].deleted.std() == pytest.approx(searched.std(), rel=0.02)


def plain(features, targets, penalties):
    """The evidence at given ratios of the precisions, from n x n covariances."""
    n, kernel = len(features), features @ features.T
    terms = []
    for y, penalty in zip(targets.T, penalties, strict=True):
        covariance = np.eye(n) + kernel / penalty
        residual = y @ np.linalg.solve(covariance, y)
        terms.append(n / 2 * (np.log(n / residual) - 1 - np.log(2 * np.pi)) - np.linalg.slogdet(covariance)[1] / 2)
    return np.mean(terms) / n


@pytest.mark.parametrize(("n", "d"), [(60, 8), (120, 8), (120, 40)])
def test_a_class_inside_one_group_leaves_with_it(n, d):
    features, labels = features_and_labels(n, d)
    labels = np.where(np.arange(n) < 3, 9, labels)
    groups = np.arange(n) // 6
    done, _ = evaluate(["logme", "regularized_h_score"], labels=labels, groups=groups, features=features)
    expected = logme(features[6:], labels[6:])
    assert done["logme"].deleted[0] == pytest.approx(expected, abs=0.01)


def test_a_constant_target_is_refused():
    features, _ = features_and_labels()
    with pytest.raises(InputError, match=r"column 1 of `labels` is the same for every example \(1 of 2 columns\)"):
        logme(features, np.column_stack([np.arange(60) % 2, np.zeros(60, dtype=int)]), task="multi-label")
