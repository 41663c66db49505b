"""Calibrated LEEP: the temperature is the best one, logits and probabilities agree, sharpness does not matter."""

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.scores.worlds import logits_and_labels

from headstart.scores import evaluate, fit_temperature, leep_calibrated, leep_loo


@pytest.mark.parametrize("seed", range(3))
def test_no_temperature_of_a_fine_grid_does_better(seed):
    logits, labels = logits_and_labels(seed=seed)
    fit = fit_temperature(logits, labels, logits=True)
    values = [
        reference.leep_loo(reference.softmax(logits, t), labels, 0.5)
        for t in fit.temperature * np.geomspace(0.2, 5, 41)
    ]
    assert fit.value == pytest.approx(max(values), abs=1e-4)
    assert fit.value >= max(values) - 1e-5


def test_the_value_is_leave_one_out_at_the_temperature():
    logits, labels = logits_and_labels()
    fit = fit_temperature(logits, labels, logits=True, prior=0.2)
    at = reference.softmax(logits, fit.temperature)
    assert fit.value == pytest.approx(reference.leep_loo(at, labels, 0.2), abs=1e-12)
    assert leep_loo(reference.softmax(logits), labels, prior=0.2, temperature=fit.temperature) == pytest.approx(
        fit.value, abs=1e-12
    )
    assert fit.value > leep_loo(reference.softmax(logits), labels, prior=0.2)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_flat_or_sharp_head_scores_the_same(factor):
    logits, labels = logits_and_labels()
    plain, other = (fit_temperature(x, labels, logits=True) for x in (logits, factor * logits))
    assert other.value == pytest.approx(plain.value, abs=1e-4)
    assert other.temperature == pytest.approx(factor * plain.temperature, rel=0.03)


def test_probabilities_are_taken_as_log_p():
    logits, labels = logits_and_labels()
    assert leep_calibrated(reference.softmax(logits), labels) == pytest.approx(
        leep_calibrated(logits, labels, logits=True), abs=1e-6
    )


def test_a_blind_source_is_told():
    logits, labels = np.tile([1.0, 2.0, 0.0], (100, 1)), np.arange(100) % 4
    done, _ = evaluate(["leep_calibrated"], labels=labels, logits=logits, groups=np.arange(100) % 20)
    assert any("blind" in note for note in done["leep_calibrated"].notes)
    assert done["leep_calibrated"].value == pytest.approx(reference.guess_loo(labels), abs=0.01)


def test_groups_change_the_value():
    logits, labels = logits_and_labels()
    groups = np.arange(60) // 6
    fit = fit_temperature(logits, labels, logits=True, groups=groups)
    expected = reference.leep_loo(reference.softmax(logits, fit.temperature), labels, 0.5, groups)
    assert fit.value == pytest.approx(expected, abs=1e-12)


def test_it_ranks_sources_of_unequal_sharpness_where_plain_leave_one_out_fails():
    logits, labels = logits_and_labels()
    noisy = logits + 1.5 * np.random.default_rng(1).normal(size=logits.shape)
    flat_but_better = reference.softmax(0.1 * logits)
    sharp_but_worse = reference.softmax(noisy)
    assert leep_loo(flat_but_better, labels) < leep_loo(sharp_but_worse, labels)
    assert leep_calibrated(flat_but_better, labels) > leep_calibrated(sharp_but_worse, labels)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_centred_agrees_with_counting_again_for_every_example(seed, grouped):
    logits, labels = logits_and_labels(seed=seed)
    groups = np.arange(60) // 6 if grouped else None
    fit = fit_temperature(logits, labels, logits=True, groups=groups, centred=True, prior=0.7)
    assert fit.value == pytest.approx(reference.leep_centred(logits, labels, fit.temperature, 0.7, groups), abs=1e-9)
    others = [reference.leep_centred(logits, labels, t, 0.7, groups) for t in fit.temperature * np.geomspace(0.3, 3, 9)]
    assert fit.value >= max(others) - 1e-5


def test_centred_changes_the_value():
    logits, labels = logits_and_labels()
    plain, centred = (leep_calibrated(logits, labels, logits=True, centred=choice) for choice in (False, True))
    assert abs(plain - centred) > 1e-3


def test_centred_does_not_heed_what_a_source_class_says_of_every_example():
    logits, labels = logits_and_labels()
    biased = logits + np.linspace(-5, 5, logits.shape[1])
    value = leep_calibrated(logits, labels, logits=True, centred=True)
    assert leep_calibrated(biased, labels, logits=True, centred=True) == pytest.approx(value, abs=1e-6)
    assert abs(leep_calibrated(biased, labels, logits=True) - leep_calibrated(logits, labels, logits=True)) > 1e-3


def test_centred_does_not_heed_a_source_class_cut_into_equal_parts():
    logits, labels = logits_and_labels()
    parts = np.repeat(logits, 50, axis=1)
    value = leep_calibrated(logits, labels, logits=True, centred=True)
    assert leep_calibrated(parts, labels, logits=True, centred=True) == pytest.approx(value, abs=1e-6)
    assert leep_calibrated(parts, labels, logits=True) < leep_calibrated(logits, labels, logits=True) - 1e-3


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_centred_a_flat_or_sharp_head_scores_the_same(factor):
    logits, labels = logits_and_labels()
    plain, other = (leep_calibrated(x, labels, logits=True, centred=True) for x in (logits, factor * logits))
    assert other == pytest.approx(plain, abs=1e-4)


def test_centred_takes_probabilities_with_zeros_and_unused_classes():
    logits, labels = logits_and_labels()
    probs = reference.softmax(logits)
    probs[probs < np.quantile(probs, 0.3)] = 0.0
    probs /= probs.sum(axis=1, keepdims=True)
    fit = fit_temperature(probs, labels, centred=True)
    with np.errstate(divide="ignore"):
        expected = reference.leep_centred(np.log(probs), labels, fit.temperature, 0.5)
    assert fit.value == pytest.approx(expected, abs=1e-9)
    wider = np.concatenate([probs, np.zeros((len(probs), 2))], axis=1)
    assert leep_calibrated(wider, labels, centred=True) == pytest.approx(fit.value, abs=1e-12)


def test_centred_a_blind_source_scores_as_the_class_frequencies():
    logits, labels = np.tile([1.0, 2.0, 0.0], (100, 1)), np.arange(100) % 4
    assert leep_calibrated(logits, labels, logits=True, centred=True) == pytest.approx(
        reference.guess_loo(labels), abs=0.01
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_centred_agrees_across_precisions(dtype):
    logits, labels = logits_and_labels()
    rounded = logits.astype(dtype)
    exact = leep_calibrated(rounded.astype(np.float64), labels, logits=True, centred=True)
    assert leep_calibrated(rounded, labels, logits=True, centred=True) == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("name", ["leep_calibrated", "leep_loo"])
def test_examples_alone_in_their_classes_give_no_interval(name):
    """Of a class that no other example has, only the prior is known: all heads would have a narrow interval."""
    probs = np.random.default_rng(0).dirichlet(np.ones(6), 10)
    labels = np.arange(10)
    alone = evaluate([name], labels=labels, probs=probs, groups=labels)[0][name]
    assert alone.deleted is None
    assert alone.notes[-1].startswith("no interval: each example is alone in its class")
    paired = evaluate([name], labels=labels // 2, probs=probs, groups=labels)[0][name]
    assert paired.deleted.std() > 0
