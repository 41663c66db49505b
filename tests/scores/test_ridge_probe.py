"""Ridge probe: every example left out in earnest, and groups on top."""

import numpy as np
import pytest
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.scores import evaluate, ridge_probe
from headstart.scores._decomposition import decompose
from headstart.scores._residual_maker import ResidualMaker
from headstart.scores.catalogue.ridge_probe import GRID, errors_among, left_out


@pytest.mark.parametrize(("n", "d"), [(60, 8), (30, 50), (30, 29)])
def test_left_out_errors_equal_refitting(n, d):
    features, labels = features_and_labels(n, d)
    targets = np.eye(3)[labels]
    errors, penalty = left_out(ResidualMaker(decompose(features), targets))
    predictions = reference.ridge_loo_predictions(features, targets, penalty)
    assert errors == pytest.approx(targets - predictions, abs=1e-9)
    assert ridge_probe(features, labels) == pytest.approx(np.mean(predictions.argmax(axis=1) == labels), abs=1e-12)


def test_the_penalty_has_the_least_left_out_error():
    features, labels = features_and_labels(30, 12)
    targets = np.eye(3)[labels]
    parts = decompose(features)
    _, chosen = left_out(ResidualMaker(parts, targets))
    losses = {
        p: ((targets - reference.ridge_loo_predictions(features, targets, p)) ** 2).sum()
        for p in GRID * parts.squares[0]
    }
    assert chosen == min(losses, key=losses.get)


@pytest.mark.parametrize("count", [3, 5, 20])
def test_a_group_left_out_equals_refitting_without_it(count):
    """By sums over the others where groups hold more examples than there are dimensions, else by blocks."""
    features, labels = features_and_labels(40, 6)
    groups, targets = np.arange(40) % count, np.eye(3)[labels]
    maker = ResidualMaker(decompose(features), targets)
    _, penalty = left_out(maker)
    done, _ = evaluate(["ridge_probe"], labels=labels, groups=groups, features=features)
    for g in range(count):
        kept = groups != g
        predictions = reference.ridge_loo_predictions(features[kept], targets[kept], penalty)
        assert done["ridge_probe"].deleted[g] == pytest.approx(np.mean(predictions.argmax(axis=1) == labels[kept]))
        errors = errors_among(maker, penalty, groups)(np.flatnonzero(kept))
        assert errors == pytest.approx(targets[kept] - predictions, abs=1e-9)
        mean_alone = errors_among(maker, np.inf, groups)(np.flatnonzero(kept))
        others = (kept.sum() * targets[kept].mean(axis=0) - targets[kept]) / (kept.sum() - 1)
        assert mean_alone == pytest.approx(targets[kept] - others, abs=1e-12)


def test_regression_is_judged_by_r_squared():
    features, _ = features_and_labels(40, 6)
    target = features[:, 0] + np.random.default_rng(0).normal(size=40)
    errors, penalty = left_out(ResidualMaker(decompose(features), target[:, None]))
    predictions = reference.ridge_loo_predictions(features, target, penalty)
    means = np.array([np.delete(target, i).mean() for i in range(40)])
    expected = 1 - ((target - predictions) ** 2).sum() / ((target - means) ** 2).sum()
    assert ridge_probe(features, target, task="regression") == pytest.approx(expected, abs=1e-9)
    assert errors.shape == (40, 1)


def test_noise_is_no_better_than_the_mean():
    rng = np.random.default_rng(0)
    value = ridge_probe(rng.normal(size=(100, 300)), rng.normal(size=100), task="regression")
    assert -0.1 < value < 0.1


def test_features_without_spread_predict_the_left_out_mean():
    assert ridge_probe(np.ones((6, 2)), np.array([0, 0, 0, 0, 1, 1])) == pytest.approx(4 / 6)
