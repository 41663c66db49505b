"""H-scores: against the papers' matrices and scikit-learn's shrinkage, in bounds for any n and d."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.scores import Inputs, evaluate, h_score, regularized_h_score
from headstart.scores import _sums as sums_file
from headstart.scores._residual_maker import residual_maker
from headstart.scores._sums import whole_and_groups
from headstart.scores.catalogue.h_score import _by_residuals, _by_sums, _penalty_of_gram, _penalty_of_sums

SHAPES = [(60, 8), (30, 50), (30, 29), (31, 30), (30, 30)]


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_against_the_definition(n, d):
    features, labels = features_and_labels(n, d)
    assert h_score(features, labels) == pytest.approx(reference.h_score(features, labels), abs=1e-9)
    assert regularized_h_score(features, labels) == pytest.approx(
        reference.regularized_h_score(features, labels), rel=1e-10
    )


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_shrinkage_is_that_of_scikit_learn(n, d):
    features, labels = features_and_labels(n, d)
    amount = ledoit_wolf_shrinkage(features)
    expected = amount / (1 - amount) * n * features.var(axis=0).sum() / d
    centred = features - features.mean(axis=0)
    gram = centred @ centred.T
    assert _penalty_of_gram(gram, (gram**2).sum(), np.array([], dtype=int), d) == pytest.approx(expected, rel=1e-10)
    _, whole, _ = whole_and_groups(Inputs(labels, features=features))
    assert _penalty_of_sums(whole) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 8, 3), (60, 1, 5), (40, 200, 10), (200, 64, 47)])
def test_never_above_classes_less_one_nor_dimensions(n, d, classes):
    features, labels = features_and_labels(n, d, classes)
    for score in (h_score, regularized_h_score):
        assert 0 <= score(features.astype(np.float32), labels) <= min(classes - 1, d)


def test_two_groups_of_known_spread_by_hand():
    features = np.array([[-2.0], [0.0], [0.0], [2.0]])  # variance 2, class means -1 and 1
    assert h_score(features, np.array([0, 0, 1, 1])) == pytest.approx(0.5, abs=1e-12)


def test_dead_and_repeated_features_change_nothing():
    features, labels = features_and_labels()
    padded = np.hstack([features, features[:, :3], np.zeros((60, 2)), np.full((60, 1), 7.0)])
    assert h_score(padded, labels) == pytest.approx(h_score(features, labels), abs=1e-9)


def test_noise_in_many_dimensions_saturates_the_plain_one_only():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(50, 500)), np.arange(50) % 5
    done, _ = evaluate(["h_score", "regularized_h_score"], labels=labels, features=features)
    assert done["h_score"].value == pytest.approx(4.0, abs=1e-9)
    assert "saturated" in done["h_score"].notes[0]
    assert done["regularized_h_score"].value < 2.0


def test_integer_features_are_not_truncated():
    features = np.array([[1], [2], [4], [7], [8], [3]])
    labels = np.array([0, 0, 0, 1, 1, 0])
    assert h_score(features.astype(float), labels) == pytest.approx(reference.h_score(features.astype(float), labels))


@pytest.mark.parametrize("score", [h_score, regularized_h_score])
def test_features_without_spread_score_nought(score):
    assert score(np.full((6, 3), 2.5), np.arange(6) % 2) == 0.0


def test_no_shrinkage_of_a_singular_matrix():
    alike, labels = np.tile([[-1.0, -1.0], [1.0, 1.0]], (2, 1)), np.array([0, 1, 0, 1])
    assert regularized_h_score(alike, labels) == pytest.approx(1.0)


@pytest.mark.parametrize("score", ["h_score", "regularized_h_score"])
@pytest.mark.parametrize(("n", "d", "count"), [(60, 8, 5), (60, 8, 20), (300, 40, 4), (31, 50, 5)])
def test_left_out_groups_equal_plain_deletion(score, n, d, count):
    """From sums where examples outnumber features, else by blocks of the residual maker."""
    features, labels = features_and_labels(n, d)
    labels[:3], groups = 7, np.arange(n) * count // n  # the first group holds all of one class
    features[:, 1] = 5.0
    features[:2, 1] = 6.0, 9.0  # and all that varies in one feature
    done, _ = evaluate([score], labels=labels, groups=groups, features=features)
    expected = [getattr(reference, score)(features[groups != g], labels[groups != g]) for g in range(count)]
    assert done[score].deleted == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("scale", [1.0, 3.0, 1e-3, 0.1])
def test_one_feature_is_not_shrunk_whatever_the_rounding(scale):
    for seed in range(20):
        features, labels = features_and_labels(25, 1, seed=seed)
        features = features * scale
        expected = reference.h_score(features, labels)
        assert ledoit_wolf_shrinkage(features) == 0
        assert regularized_h_score(features, labels) == pytest.approx(expected, rel=1e-9)
        assert evaluate(["regularized_h_score"], labels=labels, features=features)[0][
            "regularized_h_score"
        ].value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 300.0])
def test_sums_over_examples_give_what_blocks_of_the_residual_maker_give(penalty):
    features, labels = features_and_labels(90, 12)
    inputs = Inputs(labels, features=features.astype(np.float32), groups=np.arange(90) // 15)
    _, whole, own = whole_and_groups(inputs)
    for group in range(6):
        rows = np.flatnonzero(inputs.groups == group)
        expected = _by_residuals(residual_maker(inputs), penalty, rows)
        assert _by_sums(whole - own(group), penalty) == pytest.approx(expected, rel=1e-10)


def test_sums_that_do_not_fit_in_memory_are_computed_again(monkeypatch):
    features, labels = features_and_labels(90, 12)
    groups = np.arange(90) // 15
    held, _ = evaluate(["regularized_h_score", "logme"], labels=labels, groups=groups, features=features)
    monkeypatch.setattr(sums_file, "HELD_BYTES", 0)
    again, _ = evaluate(["regularized_h_score", "logme"], labels=labels, groups=groups, features=features)
    for name in held:
        assert again[name].deleted == pytest.approx(held[name].deleted, rel=1e-12)
