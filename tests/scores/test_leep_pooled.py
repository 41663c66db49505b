"""Pooled LEEP: two experts fitted again for every example, their geometric mean, and what each is worth alone."""

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.reference import on_features
from tests.scores.worlds import features_and_labels

from headstart.errors import InputError
from headstart.scores import SCORES, evaluate, leep_gaussian, leep_pooled
from headstart.scores._decomposition import decompose
from headstart.scores._residual_maker import ResidualMaker
from headstart.scores.catalogue import ridge_probe as ridge_probe_file
from headstart.scores.catalogue.ridge_probe import left_out


def world(seed: int = 0, n: int = 60, d: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, logits and labels; the two say different things of the labels."""
    features, labels = features_and_labels(n, d, seed=seed)
    logits = 0.7 * np.random.default_rng(seed + 100).normal(size=(3, 7))[labels]
    return features, logits + np.random.default_rng(seed + 200).normal(size=(n, 7)), labels


def plain(features: np.ndarray, logits: np.ndarray | None, labels: np.ndarray, penalty: float) -> float:
    """Brute force: both experts fitted again without each example."""
    n, codes = len(labels), np.unique(labels, return_inverse=True)[1]
    targets = np.eye(codes.max() + 1)[codes]
    predictions = on_features.ridge_loo_predictions(features, targets, penalty)
    experts = [reference.scaled_likelihoods(predictions - targets.mean(axis=0), labels, np.arange(n))]
    if logits is not None:
        experts.append(reference.gaussian_likelihoods(logits, labels, 0.5))
    pool = np.exp(np.mean(experts, axis=0))  # the geometric mean of probabilities
    pool /= pool.sum(axis=1, keepdims=True)
    return float(np.log(pool[np.arange(n), codes]).mean())


def penalty_of(features: np.ndarray, labels: np.ndarray) -> float:
    codes = np.unique(labels, return_inverse=True)[1]
    return left_out(ResidualMaker(decompose(features), np.eye(codes.max() + 1)[codes]))[1]


@pytest.mark.parametrize("d", [8, 100])
@pytest.mark.parametrize("headless", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_fitting_again_for_every_example(seed, headless, d):
    features, logits, labels = world(seed, d=d)
    given = None if headless else logits
    expected = plain(features, given, labels, penalty_of(features, labels))
    assert leep_pooled(features, labels, logits=given) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("headless", [False, True])
def test_a_group_left_out_is_the_score_without_it(headless, monkeypatch):
    monkeypatch.setattr(ridge_probe_file, "MANY", np.inf)  # exactly, as for few examples
    features, logits, labels = world()
    groups, penalty = np.arange(60) % 6, penalty_of(features, labels)
    given = {} if headless else {"logits": logits}
    done, _ = evaluate(["leep_pooled"], labels=labels, groups=groups, features=features, **given)
    assert done["leep_pooled"].value == pytest.approx(leep_pooled(features, labels, **given), abs=1e-12)
    for g in range(6):
        kept = groups != g
        expected = plain(features[kept], None if headless else logits[kept], labels[kept], penalty)
        assert done["leep_pooled"].deleted[g] == pytest.approx(expected, abs=1e-6)


def test_a_class_that_leaves_with_its_group_is_gone_from_both_experts(monkeypatch):
    monkeypatch.setattr(ridge_probe_file, "MANY", np.inf)
    features, logits, labels = world()
    labels = labels.copy()
    groups = np.arange(60) % 6
    labels[groups == 0] = 9
    done, _ = evaluate(["leep_pooled"], labels=labels, groups=groups, features=features, logits=logits)
    kept = groups != 0
    expected = plain(features[kept], logits[kept], labels[kept], penalty_of(features, labels))
    assert done["leep_pooled"].deleted[0] == pytest.approx(expected, abs=1e-6)


def test_one_class_left_is_no_interval():
    features, logits, labels = world()
    codes = (labels == 0).astype(int)
    done, _ = evaluate(["leep_pooled"], labels=codes, groups=codes, features=features, logits=logits)
    assert done["leep_pooled"].deleted is None
    assert "no interval" in done["leep_pooled"].notes[-1]


def test_two_examples_are_no_interval():
    features, logits = np.eye(2, 3), np.eye(2)
    done, _ = evaluate(["leep_pooled"], labels=np.arange(2), groups=np.arange(2), features=features, logits=logits)
    assert done["leep_pooled"].deleted is None


def test_scores_that_share_its_parts_keep_their_values():
    features, logits, labels = world()
    groups, names = np.arange(60) % 6, ["leep_gaussian", "ridge_probe", "leep_pooled"]
    together, _ = evaluate(names, labels=labels, groups=groups, features=features, logits=logits)
    for name in names:
        alone, _ = evaluate([name], labels=labels, groups=groups, features=features, logits=logits)
        assert together[name].value == alone[name].value
        assert together[name].deleted == pytest.approx(alone[name].deleted, abs=1e-12)


def test_features_that_say_nothing_take_half_of_what_the_head_knows():
    _, logits, labels = world()
    dull = leep_pooled(np.ones((60, 2)), labels, logits=logits)
    assert reference.guess_loo(labels) < dull < leep_gaussian(logits, labels, logits=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_pool_is_never_below_the_mean_of_its_experts(seed):
    features, logits, labels = world(seed)
    mean = (leep_gaussian(logits, labels, logits=True) + leep_pooled(features, labels)) / 2
    assert leep_pooled(features, labels, logits=logits) > mean  # equal only where they agree


def test_without_a_classifier_it_says_so():
    features, _, labels = world()
    done, _ = evaluate(["leep_pooled"], labels=labels, features=features)
    assert "no classifier" in done["leep_pooled"].notes[0]


def test_probabilities_serve_as_logits_do():
    features, logits, labels = world()
    done, _ = evaluate(["leep_pooled"], labels=labels, features=features, probs=reference.softmax(logits))
    assert done["leep_pooled"].value == pytest.approx(leep_pooled(features, labels, logits=logits), abs=1e-9)
    assert leep_pooled(features, labels, logits=np.log(reference.softmax(logits))) == pytest.approx(
        done["leep_pooled"].value, abs=1e-9
    )


def test_it_keeps_its_promises_with_a_head_too():
    features, logits, labels = world()
    value = leep_pooled(features, labels, logits=logits)
    order = np.random.default_rng(0).permutation(60)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    for changed in (
        leep_pooled(features[order], labels[order], logits=logits[order]),
        leep_pooled(3 * features @ turn + 1, np.array(["c", "a", "b"])[labels], logits=4 * logits - 1),
    ):
        assert changed == pytest.approx(value, abs=1e-9)
    assert -np.inf < value <= SCORES["leep_pooled"].high


@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_told():
    features, logits, labels = world()
    with pytest.raises(InputError):
        leep_pooled(features, labels, logits=logits[:-1])
    with pytest.raises(InputError):
        leep_pooled(features[:-1], labels)
