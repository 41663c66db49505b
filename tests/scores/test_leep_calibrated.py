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
