"""LEEP-EM: against plain expectation maximisation and a general optimiser, with the gap as proof."""

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.reference import leep as reference
from tests.scores.worlds import probs_and_labels

from headstart.errors import InputError
from headstart.scores import fit_em, leep, leep_em


def test_plain_leep_is_the_first_step_of_plain_em():
    probs, labels = probs_and_labels()
    assert reference.em(probs, labels, 1)[0] == pytest.approx(leep(probs, labels), abs=1e-12)


@pytest.mark.parametrize(("n", "z", "classes"), [(60, 7, 3), (30, 20, 3)])
def test_it_reaches_what_plain_em_creeps_towards(n, z, classes):
    probs, labels = probs_and_labels(n, z, classes)
    slow = reference.em(probs, labels, 4000)[-1]
    fit = fit_em(probs, labels, tolerance=1e-6)
    assert fit.gap <= 1e-6
    assert fit.value <= slow + 1e-6
    assert fit.value + fit.gap >= slow


def test_a_source_that_says_nearly_the_same_of_every_example_is_no_obstacle():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 5
    logits = rng.normal(size=10) + 0.003 * rng.normal(size=(200, 10))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    fit = fit_em(probs, labels, sweeps=2000)
    assert fit.gap <= 1e-4
    assert fit.value > reference.em(probs, labels, 500)[-1] + 5e-5  # plain steps creep


def test_against_a_general_optimiser():
    probs, labels = probs_and_labels(40, 3, 2)

    def loss(free: np.ndarray) -> float:
        head = 1 / (1 + np.exp(-free))
        return -float(np.log((np.array([1 - head, head])[labels] * probs).sum(axis=1)).mean())

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}
    starts = (np.zeros(3), np.ones(3))
    best = -min(minimize(loss, start, method="Nelder-Mead", options=options).fun for start in starts)
    assert fit_em(probs, labels, tolerance=1e-7).value == pytest.approx(best, abs=1e-6)


def test_the_gap_bounds_the_optimum_at_every_tolerance():
    probs, labels = probs_and_labels(60, 6, 3)
    best = fit_em(probs, labels, tolerance=1e-7).value
    values = [fit_em(probs, labels, tolerance=t) for t in (0.1, 0.01, 0.001)]
    for fit, tolerance in zip(values, (0.1, 0.01, 0.001), strict=True):
        assert fit.value <= best <= fit.value + fit.gap
        assert fit.gap <= tolerance
    assert values[0].sweeps < values[-1].sweeps


def test_the_head_is_a_head_and_gives_the_value():
    probs, labels = probs_and_labels(80, 20, 4)
    fit = fit_em(probs, labels)
    assert fit.head.sum(axis=0) == pytest.approx(np.ones(20), abs=1e-12)
    assert (fit.head >= 0).all()
    assert np.log((fit.head[labels] * probs).sum(axis=1)).mean() == pytest.approx(fit.value, abs=1e-12)


def test_too_few_sweeps_is_an_error_that_says_how_near_it_came():
    probs, labels = probs_and_labels(80, 20, 4)
    with pytest.raises(
        InputError, match=r"not within 1e-08 nats of the optimum after 6 sweeps \(within .*raise the tol"
    ):
        fit_em(probs, labels, tolerance=1e-8, sweeps=6)


def test_a_tolerance_is_positive():
    probs, labels = probs_and_labels()
    with pytest.raises(InputError, match=r"`tolerance` must be a positive number of nats; got 0"):
        leep_em(probs, labels, tolerance=0.0)
