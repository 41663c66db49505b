"""Gaussian LEEP: exact leave-one-out, blind to the sharpness and bias of a head, never worse than a guess."""

import tracemalloc

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.scores.worlds import logits_and_labels

from headstart.errors import InputError
from headstart.scores import evaluate, leep_gaussian


@pytest.mark.parametrize("prior", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_fitting_again_for_every_example(seed, prior):
    logits, labels = logits_and_labels(seed=seed)
    value = leep_gaussian(logits, labels, logits=True, prior=prior)
    assert value == pytest.approx(reference.leep_gaussian(logits, labels, prior), abs=1e-9)


def test_classes_of_one_example_have_no_mean_of_their_own():
    logits, labels = logits_and_labels(n=12)
    labels[:2] = [7, 8]
    for prior in (0.0, 0.5):
        value = leep_gaussian(logits, labels, logits=True, prior=prior)
        assert value == pytest.approx(reference.leep_gaussian(logits, labels, prior), abs=1e-9)


def test_a_twin_of_the_other_class_is_worth_a_guess():
    """Left out, each example lies at the other class's mean: no scale above zero helps."""
    t = np.array([-1.0, -1.0, 1.0, 1.0])
    value = leep_gaussian(np.stack([t, -t], axis=1), np.array([0, 1, 0, 1]), logits=True)
    assert value == pytest.approx(np.log(1.5 / 4), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_never_below_a_guess(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(50, 6)), rng.integers(0, 4, 50)
    guess = reference.guess_loo(labels)
    assert guess - 1e-12 <= leep_gaussian(logits, labels, logits=True) < guess + 0.1


@pytest.mark.parametrize("seed", range(4))
def test_rounding_says_nothing(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 50)
    logits = 5 * rng.normal(size=6) + rng.normal(size=(50, 1))  # a row moved as a whole means the same
    assert leep_gaussian(logits, labels, logits=True) == pytest.approx(reference.guess_loo(labels), abs=1e-12)


def test_a_head_that_says_nothing_is_a_guess():
    for row in ([0.1, 0.7, 0.2], [1.0, 0.0, 0.0], [1.0]):
        probs, labels = np.tile(row, (101, 1)), np.arange(101) % 4
        assert leep_gaussian(probs, labels) == pytest.approx(reference.guess_loo(labels), abs=1e-12)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_flat_or_sharp_or_biased_head_scores_the_same(factor):
    logits, labels = logits_and_labels()
    value = leep_gaussian(logits, labels, logits=True)
    other = factor * logits + np.linspace(-5, 5, logits.shape[1]) + np.arange(60)[:, None]
    assert leep_gaussian(other, labels, logits=True) == pytest.approx(value, abs=1e-10)


def test_probabilities_are_taken_as_log_p():
    logits, labels = logits_and_labels()
    value = leep_gaussian(logits, labels, logits=True)
    assert leep_gaussian(reference.softmax(logits), labels) == pytest.approx(value, abs=1e-10)


def test_a_zero_is_half_the_smallest_share_of_a_rows_largest():
    probs = np.array([[0.8, 0.2, 0.0], [0.5, 0.5, 0.0], [0.0, 0.4, 0.6], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    labels = np.array([0, 0, 1, 1, 0])
    logs = np.log(probs.max(axis=1, keepdims=True) / 8 / 2 * (probs == 0) + probs)  # 0.1 is an eighth of 0.8
    assert leep_gaussian(probs, labels) == pytest.approx(leep_gaussian(logs, labels, logits=True), abs=1e-12)


def test_hard_rows_count():
    probs = np.eye(3)[np.array([0, 0, 0, 1, 1, 1, 2, 2, 0])]
    assert leep_gaussian(probs, np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])) > leep_gaussian(
        probs, np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    )


def test_what_separates_every_example_scores_zero():
    labels = np.arange(40) % 2
    assert leep_gaussian(10 * np.eye(2)[labels], labels, logits=True) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_precisions_agree(dtype):
    rounded, labels = logits_and_labels()[0].astype(dtype), logits_and_labels()[1]
    exact = leep_gaussian(rounded.astype(np.float64), labels, logits=True)
    assert leep_gaussian(rounded, labels, logits=True) == pytest.approx(exact, abs=1e-6)


def test_logits_are_preferred_and_many_blocks_are_one(monkeypatch):
    logits, labels = logits_and_labels()
    value = leep_gaussian(logits, labels, logits=True)
    monkeypatch.setattr("headstart.scores._prob_rows.BLOCK_BYTES", 500)
    assert leep_gaussian(logits, labels, logits=True) == pytest.approx(value, rel=1e-12)
    far = logits.copy()
    far[::3, 0] -= 2000.0  # below what a probability can hold
    done, _ = evaluate(["leep_gaussian"], labels=labels, logits=far, probs=reference.softmax(far))
    assert done["leep_gaussian"].value == leep_gaussian(far, labels, logits=True)


@pytest.mark.parametrize(("name", "n"), [("leep_gaussian", 20_000), ("leep_em", 5_000)])
def test_leaving_groups_out_copies_no_array(name, n):
    logits = np.random.default_rng(0).normal(size=(n, 500)).astype(np.float32)
    labels = (logits[:, 0] > 0).astype(int)
    evaluate([name], labels=labels[:60], logits=logits[:60], groups=np.arange(60) % 2)  # compiled
    tracemalloc.start()
    evaluate([name], labels=labels, logits=logits, groups=np.arange(n) % 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * logits.nbytes


def test_numbers_too_large_to_be_squared_are_told():
    logits, labels = logits_and_labels()
    with pytest.raises(InputError, match="too large to be squared"):
        leep_gaussian(1e160 * logits, labels, logits=True)


def test_a_class_in_one_group_only_leaves_no_interval():
    logits, labels = logits_and_labels(n=20, classes=2)
    done, _ = evaluate(["leep_gaussian"], labels=labels, logits=logits, groups=labels)
    assert done["leep_gaussian"].deleted is None
    assert "no interval" in done["leep_gaussian"].notes[0]


def test_a_bad_prior_is_told():
    with pytest.raises(InputError, match="`prior` must be a finite count"):
        leep_gaussian(np.full((4, 2), 0.5), np.array([0, 0, 1, 1]), prior=-1.0)
