"""Plain LEEP, normalised LEEP and NCE: pencil values, slow references and what is proven of them."""

from math import log

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.scores.worlds import probs_and_labels

from headstart.errors import InputError
from headstart.scores import evaluate, leep, leep_em, leep_normalized, nce


def test_a_source_blind_to_its_input_scores_minus_the_label_entropy():
    probs = np.tile([0.2, 0.3, 0.5, 0.0], (4, 1))  # one row for all; class 3 never used
    labels = np.array([7, 7, 7, 9])
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert leep(probs, labels) == pytest.approx(-entropy, abs=1e-12)
    assert leep_normalized(probs, labels) == pytest.approx(0.0, abs=1e-12)


def test_a_source_whose_classes_are_the_labels_scores_nought():
    probs = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    labels = np.array(["b", "a", "c", "b", "a", "c"])
    assert leep(probs, labels) == 0.0
    assert leep_normalized(probs, labels) == 1.0
    assert nce(probs, labels) == 0.0


def test_two_examples_by_hand():
    probs = np.array([[0.8, 0.2], [0.4, 0.6]])
    labels = np.array([0, 1])
    # P(0 | z): 0.8 / 1.2, 0.2 / 0.8; P(1 | z): 0.4 / 1.2, 0.6 / 0.8
    first = 2 / 3 * 0.8 + 1 / 4 * 0.2
    second = 1 / 3 * 0.4 + 3 / 4 * 0.6
    assert leep(probs, labels) == pytest.approx((log(first) + log(second)) / 2, abs=1e-12)


@pytest.mark.parametrize(("n", "z", "classes"), [(60, 7, 3), (25, 40, 2), (90, 1, 5)])
def test_against_the_plain_references(n, z, classes):
    probs, labels = probs_and_labels(n, z, classes)
    assert leep(probs, labels) == pytest.approx(reference.leep(probs, labels), abs=1e-12)
    assert nce(probs, labels) == pytest.approx(reference.nce(probs, labels), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("z", [2, 10, 100])
def test_the_proven_chain(seed, z):
    probs, labels = probs_and_labels(50, z, 4, seed)
    share = np.bincount(labels) / len(labels)
    entropy = -(share * np.log(share)).sum()
    best = probs[np.arange(50), probs.argmax(axis=1)]
    assert -entropy <= leep(probs, labels) <= leep_em(probs, labels) <= 0
    assert -entropy <= nce(probs, labels) <= 0
    assert leep(probs, labels) >= nce(probs, labels) + np.log(best).mean()
    assert leep_normalized(probs, labels) == pytest.approx(1 + leep(probs, labels) / entropy, abs=1e-12)


def test_at_temperature_nought_it_is_nce():
    probs, labels = probs_and_labels()
    assert leep(probs, labels, temperature=0.0) == pytest.approx(nce(probs, labels), abs=1e-12)
    assert leep(probs, labels) != pytest.approx(nce(probs, labels), abs=1e-3)


def test_a_temperature_is_a_power_of_the_probabilities():
    probs, labels = probs_and_labels()
    sharper = probs**2 / (probs**2).sum(axis=1, keepdims=True)
    assert leep(probs, labels, temperature=0.5) == pytest.approx(leep(sharper, labels), abs=1e-12)


@pytest.mark.parametrize("temperature", [-1.0, 1e-9, np.nan, np.inf])
def test_a_temperature_without_meaning_is_refused(temperature):
    probs, labels = probs_and_labels()
    with pytest.raises(InputError, match=r"`temperature` must be 0 or from 0.001 up"):
        leep(probs, labels, temperature=temperature)


def test_rows_that_sum_to_one_but_for_rounding_are_scaled_to_it():
    probs, labels = probs_and_labels()
    assert leep(probs * 1.0005, labels) == pytest.approx(leep(probs, labels), abs=1e-12)


def test_many_blocks_and_several_threads_count_as_one(monkeypatch):
    from headstart.scores import _prob_rows

    probs, labels = probs_and_labels(n=500)
    whole = leep(probs, labels)
    monkeypatch.setattr(_prob_rows, "BLOCK_BYTES", 7 * 8 * 9)  # 9 rows a block
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert leep(probs, labels) == pytest.approx(whole, abs=1e-13)


@pytest.mark.parametrize(("n", "optimistic"), [(34, True), (35, False)])
@pytest.mark.parametrize("name", ["leep", "leep_normalized"])
def test_the_value_is_called_optimistic_below_five_examples_a_source_class(name: str, n: int, optimistic: bool) -> None:
    probs, labels = probs_and_labels(n=n, z=7)
    notes = evaluate([name], labels=labels, probs=probs)[0][name].notes
    assert [note.startswith("optimistic: 7 source classes") for note in notes] == [True] * optimistic
