"""H-scores: against the papers' matrices and scikit-learn's shrinkage, in bounds for any n and d."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.scores import _scatter, evaluate, h_score, regularized_h_score
from headstart.scores._checks import check_labels
from headstart.scores._decomposition import decompose
from headstart.scores._shrinkage import penalty
from headstart.scores.h_score import _between, _by_solving, _maker, _regularized_by_solving

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
    features, _ = features_and_labels(n, d)
    amount = ledoit_wolf_shrinkage(features)
    expected = amount / (1 - amount) * n * features.var(axis=0).sum() / d
    assert penalty(decompose(features)) == pytest.approx(expected, rel=1e-10)


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


def _both_ways(features, labels):
    checked = check_labels(labels)
    return _by_solving(features, checked), _between(_maker(features, checked), 0.0)


@pytest.mark.parametrize(("n", "d"), [*SHAPES, (3, 30), (200, 199)])
def test_by_solving_is_by_decomposing(n, d):
    solved, decomposed = _both_ways(*features_and_labels(n, d))
    assert solved == pytest.approx(decomposed, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (31, 30), (200, 199)])
def test_the_regularised_score_by_solving_is_that_by_decomposing(n, d):
    features, labels = features_and_labels(n, d)
    for some in (features, np.hstack([features[:, :-2], features[:, :1], np.full((n, 1), 0.1)])):
        maker = _maker(some, check_labels(labels))
        solved = _regularized_by_solving(some, check_labels(labels))
        assert solved == pytest.approx(_between(maker, penalty(maker.parts)), abs=1e-9)


def test_no_shrinkage_of_a_singular_matrix_is_left_to_the_decomposition():
    signs = np.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])  # all equally far from the mean: no shrinkage
    labels = np.array([0, 0, 1, 1])
    assert _regularized_by_solving(signs, check_labels(labels)) == pytest.approx(1.0)
    alike, labels = np.tile([[-1.0, -1.0], [1.0, 1.0]], (2, 1)), np.array([0, 1, 0, 1])
    assert _regularized_by_solving(alike, check_labels(labels)) is None
    assert regularized_h_score(alike, labels) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 40)])
def test_a_singular_scatter_matrix_is_left_to_the_decomposition(n, d):
    features, labels = features_and_labels(n, d)
    repeated = np.hstack([features, features[:, :3]])
    assert _both_ways(repeated[np.arange(n) // 2 * 2], labels)[0] is None  # every example twice
    if n > d:
        assert _both_ways(repeated, labels)[0] is None
        assert h_score(repeated, labels) == pytest.approx(h_score(features, labels), abs=1e-9)


@pytest.mark.parametrize("apart", 10.0 ** np.arange(-12, 0))
def test_both_ways_agree_up_to_where_solving_gives_up(apart):
    """Two features ever closer to one another."""
    features, labels = features_and_labels()
    close = features[:, :1] + apart * np.random.default_rng(1).normal(size=(60, 1))
    solved, decomposed = _both_ways(np.hstack([features, close]), labels)
    assert (solved is None) == (apart < 3e-4)
    if solved is not None:
        assert solved == pytest.approx(decomposed, abs=1e-7)


def test_constant_features_need_no_decomposition():
    features, labels = features_and_labels()
    padded = np.hstack([features, np.zeros((60, 1)), np.full((60, 1), 0.1)])
    assert _both_ways(padded, labels)[0] == pytest.approx(reference.h_score(features, labels), abs=1e-9)
    assert _both_ways(padded[:, 8:], labels)[0] == 0.0


def test_many_float32_features_are_multiplied_in_float32(monkeypatch):
    features, labels = features_and_labels(4000, 20)
    narrow = features.astype(np.float32)
    exact = h_score(narrow, labels)
    monkeypatch.setattr(_scatter, "LARGE", 1000)
    rough = h_score(narrow, labels)
    assert rough != exact  # the other way was gone
    assert rough == pytest.approx(exact, rel=1e-6)
    assert h_score(features, labels) == pytest.approx(reference.h_score(features, labels), rel=1e-10)
    close = np.hstack([narrow, narrow[:, :1] + np.float32(1e-3) * narrow[::-1, :1]])
    assert h_score(close, labels) == pytest.approx(reference.h_score(close.astype(float), labels), rel=1e-9)


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
