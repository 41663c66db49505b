"""Ridge probe: every example left out in earnest, and groups on top."""

import numpy as np
import pytest
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.scores import Inputs, evaluate, ridge_probe
from headstart.scores._decomposition import decompose
from headstart.scores._residual_maker import ResidualMaker
from headstart.scores.catalogue import ridge_probe as ridge_probe_file
from headstart.scores.catalogue.ridge_probe import GRID, left_out


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


@pytest.mark.parametrize(("n", "d", "count"), [(30, 6, 3), (30, 6, 15), (30, 45, 5), (30, 29, 5)])
def test_a_group_left_out_equals_refitting_without_it(n, d, count, monkeypatch):
    """By blocks of the residual maker."""
    monkeypatch.setattr(ridge_probe_file, "MANY", np.inf)
    features, labels = features_and_labels(n, d)
    groups, targets = np.arange(n) % count, np.eye(3)[labels]
    _, penalty = left_out(ResidualMaker(decompose(features), targets))
    done, _ = evaluate(["ridge_probe"], labels=labels, groups=groups, features=features)
    for at, chosen in (("penalty", penalty), ("mean alone", np.inf)):
        inputs = Inputs(labels, features=features, groups=groups)
        monkeypatch.setattr(ridge_probe_file, "shared_left_out", lambda inputs, chosen=chosen: (None, chosen))
        for g in range(count):
            errors, kept = ridge_probe_file.errors_without(inputs, g), inputs.kept(g)
            own = inputs.targets[kept]
            predictions = reference.ridge_loo_predictions(inputs.features[kept], own, penalty)
            if at == "mean alone":
                predictions = (len(kept) * own.mean(axis=0) - own) / (len(kept) - 1)
            else:
                right = np.mean(predictions.argmax(axis=1) == inputs.labels[kept])
                assert done["ridge_probe"].deleted[g] == pytest.approx(right)
            assert errors == pytest.approx(own - predictions, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(300, 40), (300, 10)])
def test_sums_over_many_examples_give_nearly_what_blocks_give(n, d, monkeypatch):
    features, labels = features_and_labels(n, d)
    groups = np.arange(n) % 20
    fast = [ridge_probe_file.errors_without(Inputs(labels, features=features, groups=groups), g) for g in range(20)]
    monkeypatch.setattr(ridge_probe_file, "MANY", np.inf)
    exact = [ridge_probe_file.errors_without(Inputs(labels, features=features, groups=groups), g) for g in range(20)]
    assert np.concatenate(fast) == pytest.approx(np.concatenate(exact), abs=0.015)
    losses = np.array([[(one**2).mean() for one in every] for every in (fast, exact)])
    assert np.corrcoef(losses)[0, 1] > 0.999
    assert losses[0].std() == pytest.approx(losses[1].std(), rel=0.01)


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
