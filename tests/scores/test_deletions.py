"""Taking examples out one and two at a time, against public scores of the data without them, and against the truth."""

from itertools import combinations

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.scores.worlds import probs_and_labels

from headstart.scores import _deletions, evaluate, leep_loo, leep_skill
from headstart.scores._deletions import Deletions, guess_deletions, loo_deletions, worth_it
from headstart.scores._head_counts import HeadCounts, likelihoods_without_own, read_probs


def _of_loo(head: HeadCounts) -> Deletions:
    return loo_deletions(head, likelihoods_without_own(head, 0.5), 0.5)


def _total(score, probs: np.ndarray, labels: np.ndarray, out: np.ndarray) -> float:
    return (len(labels) - len(out)) * score(np.delete(probs, out, 0), np.delete(labels, out))


def test_they_are_the_score_of_the_data_without_the_examples() -> None:
    probs, labels = probs_and_labels(n=30)
    head = read_probs(probs, labels)
    of_loo = _of_loo(head)
    of_skill = of_loo - guess_deletions(head.labels, of_loo.pairs)
    for found, score in ((of_loo, leep_loo), (of_skill, leep_skill)):
        assert found.whole == pytest.approx(_total(score, probs, labels, np.array([], dtype=int)), abs=1e-9)
        one = [_total(score, probs, labels, np.array([i])) for i in range(30)]
        two = [_total(score, probs, labels, pair) for pair in found.pairs]
        np.testing.assert_allclose(found.without_one, one, atol=1e-9)
        np.testing.assert_allclose(found.without_two, two, atol=1e-9)


def test_a_class_whose_last_example_is_taken_out_stays_a_class() -> None:
    probs, labels = probs_and_labels(n=9)[0], np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    head = read_probs(probs, labels)
    found = _of_loo(head) - guess_deletions(head.labels, _of_loo(head).pairs)
    at = next(k for k, pair in enumerate(found.pairs) if set(pair) == {7, 8})

    def log_likelihoods(i: int) -> tuple[float, float]:
        others = [j for j in range(7) if j != i]
        same = [j for j in others if labels[j] == labels[i]]
        frequency = (len(same) + 0.5) / (len(others) + 3 / 2)
        table = (probs[same].sum(axis=0) + 0.5 * frequency) / (probs[others].sum(axis=0) + 0.5)
        return float(np.log(probs[i] @ table)), float(np.log(frequency))

    expected = sum(seen - guessed for seen, guessed in map(log_likelihoods, range(7)))
    assert found.without_two[at] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "count"), [(3, 3), (9, 36), (10, 40), (120, 360), (400, 400)])
def test_every_example_is_in_as_many_pairs_as_any_other_and_no_pair_comes_twice(n: int, count: int) -> None:
    pairs = _of_loo(read_probs(*probs_and_labels(n=n))).pairs
    assert len({frozenset(pair) for pair in pairs.tolist()}) == len(pairs) == count
    assert set(np.bincount(pairs.ravel(), minlength=n)) == {2 * count // n}
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_the_squared_error_is_the_jackknife_s_less_the_pairs_of_efron_and_stein() -> None:
    probs, labels = probs_and_labels(n=15)  # an odd number, so that all pairs are visited
    n, whole = 15, 15 * leep_loo(probs, labels)
    one = np.array([_total(leep_loo, probs, labels, np.array([i])) for i in range(n)])
    both = [(i, j, _total(leep_loo, probs, labels, np.array([i, j]))) for i, j in combinations(range(n), 2)]
    pairs = sum((whole - one[i] - one[j] + two) ** 2 for i, j, two in both) / n**2
    jackknife = np.var(one) / (n - 1)
    found = evaluate(["leep_loo"], labels=labels, groups=labels, probs=probs)[0]["leep_loo"].spread
    assert 0.02 < pairs / jackknife < 0.5  # no more than half can be double
    assert found.standard_error**2 == pytest.approx(jackknife - pairs, rel=1e-9)


@pytest.mark.parametrize("name", ["leep_loo", "leep_skill", "leep_calibrated"])
def test_the_order_of_the_examples_and_the_number_of_threads_change_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probs, labels = probs_and_labels(n=60)
    order = np.random.default_rng(1).permutation(60)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    once = evaluate([name], labels=labels, groups=labels, probs=probs)[0][name].spread
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    again = evaluate([name], labels=labels[order], groups=labels, probs=probs[order])[0][name].spread
    assert again.standard_error == pytest.approx(once.standard_error, rel=1e-6)


@pytest.mark.parametrize("name", ["leep_loo", "leep_skill", "leep_calibrated"])
def test_large_data_go_by_derivatives_which_are_close_where_tables_are_thick(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    probs = reference.softmax(rng.normal(size=(300, 3)) + 2 * np.eye(3)[labels])
    assert worth_it(read_probs(probs, labels))
    exact = evaluate([name], labels=labels, groups=labels, probs=probs)[0][name].spread
    monkeypatch.setattr(_deletions, "MOST_WORK", 0)
    near = evaluate([name], labels=labels, groups=labels, probs=probs)[0][name].spread
    assert near.standard_error != exact.standard_error
    assert near.standard_error == pytest.approx(exact.standard_error, rel=0.03)


def test_in_a_thin_table_the_squared_error_is_near_the_true_one_and_the_jackknife_s_is_not() -> None:
    rng = np.random.default_rng(3)
    values, squared, plain = [], [], []
    for _ in range(300):
        labels = rng.integers(0, 4, 100)
        probs = reference.softmax(2 * rng.normal(size=(100, 30)) + 0.5 * np.eye(30)[labels])
        done = evaluate(["leep_loo"], labels=labels, groups=labels, probs=probs)[0]["leep_loo"]
        values.append(done.value)
        squared.append(done.spread.standard_error**2)
        lost = _of_loo(read_probs(probs, labels)).without_one
        plain.append(np.var(lost) / 99)
    assert 0.9 < np.mean(squared) / np.var(values) < 1.35
    assert np.mean(plain) / np.var(values) > 1.6


def test_large_data_and_the_thinnest_tables_are_left_to_the_derivatives() -> None:
    def taken_out(n: int, z: int) -> bool:
        return worth_it(read_probs(np.full((n, z), 1 / z), np.arange(n) % 2))

    assert taken_out(100, 100)
    assert taken_out(200, 100)
    assert not taken_out(100, 101)
    assert not taken_out(2_000, 100)
    assert not taken_out(2_000, 2)  # rows cost, however short
    assert not taken_out(2, 2)
