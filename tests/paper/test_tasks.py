"""The random tasks of section 5: what they hold, how they vary, and that a seed fixes them."""

import numpy as np
import pytest

from headstart.errors import InputError
from headstart_paper.tasks import ClassTask, large_balanced, meta_test, small_balanced, small_imbalanced, whole

TRAIN = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 400))
TEST = np.random.default_rng(1).permutation(np.repeat(np.arange(10), 20))
MAKERS = [large_balanced, small_balanced, small_imbalanced]


def same(one: ClassTask, other: ClassTask) -> bool:
    return np.array_equal(one.train, other.train) and np.array_equal(one.classes, other.classes)


@pytest.mark.parametrize("make", MAKERS)
def test_labels_are_those_of_the_examples_chosen(make) -> None:
    for number in range(20):
        task = make(TRAIN, TEST, number)
        assert np.array_equal(task.classes[task.train_labels], TRAIN[task.train])
        assert np.array_equal(task.classes[task.test_labels], TEST[task.test])
        assert len(set(task.train)) == len(task.train)
        assert set(task.train_labels) == set(task.test_labels) == set(range(len(task.classes)))


@pytest.mark.parametrize("make", MAKERS)
def test_a_task_follows_from_seed_and_number_alone(make) -> None:
    assert same(make(TRAIN, TEST, 5, seed=1), make(TRAIN, TEST, 5, seed=1))
    assert not same(make(TRAIN, TEST, 5, seed=1), make(TRAIN, TEST, 6, seed=1))
    assert not same(make(TRAIN, TEST, 5, seed=1), make(TRAIN, TEST, 5, seed=2))


def test_large_tasks_have_every_number_of_classes_about_equally_often_and_all_examples() -> None:
    tasks = [large_balanced(TRAIN, TEST, number) for number in range(450)]
    counts = np.bincount([len(task.classes) for task in tasks], minlength=11)
    assert counts[:2].sum() == 0
    assert counts[2:].min() > 25  # 50 expected of each of nine numbers
    assert counts[2:].max() < 80
    assert all(len(task.train) == 400 * len(task.classes) for task in tasks)
    assert np.bincount(large_balanced(TRAIN, TEST, 0, each=7).train_labels).max() == 7


def test_small_tasks_have_the_classes_and_examples_asked_for() -> None:
    task = small_balanced(TRAIN, TEST, 0, classes=4, each=30)
    assert np.bincount(task.train_labels).tolist() == [30] * 4
    assert np.bincount(task.test_labels).tolist() == [20] * 4


def test_the_rare_class_has_30_to_60_examples_and_the_other_five_times_as_many() -> None:
    tasks = [small_imbalanced(TRAIN, TEST, number) for number in range(300)]
    few = []
    for task in tasks:
        counts = np.bincount(task.train_labels)
        assert counts[task.rare] == counts.min()
        assert counts.max() == 5 * counts.min()
        few.append(int(counts.min()))
    assert (min(few), max(few)) == (30, 60)
    assert abs(np.mean(few) - 45) < 2


def test_classes_that_are_too_small_are_not_drawn_and_their_lack_is_said() -> None:
    train = np.concatenate([np.zeros(100, int), np.ones(10, int), np.full(100, 2)])
    test = np.array([0, 1, 2])
    assert all(1 not in small_balanced(train, test, n, classes=2, each=50).classes for n in range(10))
    with pytest.raises(InputError, match=r"3 classes with 50 training examples.*have 2\..*--pool"):
        small_balanced(train, test, 0, classes=3, each=50)
    with pytest.raises(InputError, match="needs a class of 30 and another of 150"):
        small_imbalanced(train, test, 0)


def test_a_meta_task_is_tested_on_the_rest_of_the_test_part() -> None:
    labels = np.random.default_rng(2).permutation(np.repeat(np.arange(8), [100] * 7 + [50]))
    for number in range(10):
        task = meta_test(labels, number)
        assert np.bincount(task.train_labels).tolist() == np.bincount(task.test_labels).tolist() == [50] * 5
        assert 7 not in task.classes  # nothing of it would be left to test on
        assert not set(task.train) & set(task.test)
        assert np.array_equal(task.classes[task.test_labels], labels[task.test])


def test_a_whole_task_has_the_classes_of_both_parts() -> None:
    task = whole(np.array([3, 1, 3, 5]), np.array([5, 3, 9]))
    assert (task.classes.tolist(), task.train.tolist(), task.test.tolist()) == ([3, 5], [0, 2, 3], [0, 1])
    assert (task.train_labels.tolist(), task.test_labels.tolist()) == ([0, 0, 1], [1, 0])
