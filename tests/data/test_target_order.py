"""The stratified order: every prefix is fair, and the same seed gives the same order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data import limit, open_target, stratified_order
from headstart.errors import InputError
from headstart.tasks import task_of

sizes_of_classes = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(sizes_of_classes, st.integers(0, 2**32 - 1))
def test_every_prefix_holds_every_class_within_one_of_its_share(sizes: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    order = stratified_order(labels, seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    held = np.cumsum(labels[order][:, None] == np.arange(len(sizes)), axis=0)  # (m, class)
    share = np.arange(1, len(labels) + 1)[:, None] * np.array(sizes) / len(labels)
    assert np.abs(held - share).max() < 1 + 1e-9


def test_a_large_class_among_a_hundred_small_ones_keeps_its_share() -> None:
    labels = np.repeat(np.arange(101), [500] + [5] * 100)  # where ordering by (k + 1/2) / n_c is off by many
    held = np.cumsum(labels[stratified_order(labels, 0)] == 0)
    assert np.abs(held - np.arange(1, 1001) / 2).max() < 1


def test_the_seed_decides() -> None:
    labels = np.repeat([0, 1, 2], 30)
    first = stratified_order(labels, 1)
    assert first.tolist() == stratified_order(labels, 1).tolist()
    assert first.tolist() != stratified_order(labels, 2).tolist()


def test_within_a_class_every_example_comes_first_equally_often() -> None:
    firsts = [int(stratified_order(np.array([0] * 5 + [1] * 5), seed)[0]) for seed in range(2000)]
    counts = np.bincount(firsts, minlength=10)
    assert counts.min() > 140  # 200 each, standard deviation 13
    assert counts.max() < 260


def test_regression_is_stratified_by_value() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    order = stratified_order(task_of("regression").strata(values), 0)
    tenths = np.argsort(np.argsort(values)) * 10 // 1000
    assert np.bincount(tenths[order[:50]], minlength=10).tolist() == [5] * 10


def test_rows_of_several_labels_are_stratified_by_row() -> None:
    rows = np.array([[1, 0]] * 40 + [[1, 1]] * 20 + [[0, 0]] * 20)
    chosen = rows[stratified_order(task_of("multi-label").strata(rows), 0)[:8]].tolist()
    assert (chosen.count([1, 0]), chosen.count([1, 1]), chosen.count([0, 0])) == (4, 2, 2)


def test_no_examples_have_an_empty_order() -> None:
    assert stratified_order(np.zeros(0, dtype=np.int64), 0).tolist() == []


def texts(count: int) -> object:
    return open_target(([f"text {i}" for i in range(count)], [f"class {i % 3}" for i in range(count)]))


def test_limit_is_a_prefix_of_the_order_and_says_so() -> None:
    target = texts(30)
    order = stratified_order(target.labels, 4)
    some = limit(target, 10, 4)
    assert some.ids == tuple(target.ids[i] for i in order[:10])
    assert some.examples.load(3) == target.examples.load(int(order[3]))
    assert some.labels.tolist() == target.labels[order[:10]].tolist()
    assert some.notes[-1] == "10 of 30 examples, stratified, seed 4"
    whole = limit(target, 99, 4)
    assert whole.ids == tuple(target.ids[i] for i in order)
    assert whole.notes == target.notes


def test_limits_that_cannot_be_are_errors() -> None:
    with pytest.raises(InputError, match="`limit` must be at least 1 example; got 0"):
        limit(texts(30), 0, 0)
    with pytest.raises(InputError, match="`limit` of 1 leaves a single class of 3; allow more"):
        limit(texts(30), 1, 0)
    assert limit(texts(30), 2, 0).notes[-1].endswith("1 of 3 classes have none among them")
