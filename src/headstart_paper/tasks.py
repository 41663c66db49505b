"""The random target tasks of the paper's section 5: subsets of a data set's classes and examples, from labels alone.

Task `number` of a setting follows from (seed, setting, number) only: it is the same whether 20 or 200 tasks are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from headstart.errors import InputError

PLACES = {"large": 0, "small": 1, "imbalanced": 2, "meta": 3}  # in the seed; keeps the settings' random numbers apart


@dataclass(frozen=True, eq=False)
class ClassTask:
    """One target task: which examples of a data set's training and test part, and their classes renumbered."""

    number: int
    classes: np.ndarray  # (C,) codes in the data set, ascending; class c of the task is classes[c]
    train: np.ndarray  # (n,) places in the training part, in random order
    test: np.ndarray  # (m,) places in the test part
    train_labels: np.ndarray  # (n,) 0..C-1
    test_labels: np.ndarray  # (m,) 0..C-1
    rare: int | None = None  # imbalanced: the class with fewer examples


def large_balanced(
    train_labels: np.ndarray, test_labels: np.ndarray, number: int, *, seed: int = 0, each: int | None = None
) -> ClassTask:
    """Setting 5.1: 2 to all classes, drawn evenly, and all their examples.

    Args:
        train_labels: (N,) codes of the whole training part.
        test_labels: (M,) codes of the whole test part.
        number: Which task.
        each: At most this many training examples of a class (a scaled-down run); None: all.

    Example:
        >>> labels = np.repeat(np.arange(10), 6)
        >>> task = large_balanced(labels, labels, 0)
        >>> len(task.train) == 6 * len(task.classes)
        True
    """
    rng = _generator("large", number, seed)
    there = _large_enough(train_labels, test_labels, 1)
    if len(there) < 2:
        raise InputError(f"a task needs two classes with training and test examples; the data have {len(there)}.")
    classes = rng.choice(there, size=int(rng.integers(2, len(there) + 1)), replace=False)
    return _build(number, rng, train_labels, test_labels, {int(c): each for c in classes})


def small_balanced(
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    number: int,
    *,
    seed: int = 0,
    classes: int = 5,
    each: int = 50,
    setting: str = "small",
) -> ClassTask:
    """Setting 5.2: a few classes with a few examples each (5 x 50 on CIFAR-100, 4 x 30 on FashionMNIST).

    Example:
        >>> labels = np.repeat(np.arange(10), 60)
        >>> task = small_balanced(labels, labels, 3, classes=4, each=30)
        >>> np.bincount(task.train_labels).tolist()
        [30, 30, 30, 30]
    """
    rng = _generator(setting, number, seed)
    there = _large_enough(train_labels, test_labels, each)
    if len(there) < classes:
        raise InputError(
            f"a task needs {classes} classes with {each} training examples each; the data have {len(there)}. Use a "
            "larger `--pool`, or other data."
        )
    chosen = rng.choice(there, size=classes, replace=False)
    return _build(number, rng, train_labels, test_labels, {int(c): each for c in chosen})


def meta_test(labels: np.ndarray, number: int, *, seed: int = 0, classes: int = 5, each: int = 50) -> ClassTask:
    """Setting 5.4: a small task drawn from a test part (labels (M,)); the rest of its classes' examples are its test.

    Example:
        >>> task = meta_test(np.repeat(np.arange(10), 60), 0)
        >>> np.bincount(task.train_labels).tolist(), np.bincount(task.test_labels).tolist()
        ([50, 50, 50, 50, 50], [10, 10, 10, 10, 10])
    """
    codes, counts = np.unique(labels, return_counts=True)
    spare = np.where(
        np.isin(labels, codes[counts > each]), labels, -1
    )  # a class with none left to test on is not drawn
    task = small_balanced(spare, labels, number, seed=seed, classes=classes, each=each, setting="meta")
    left = ~np.isin(task.test, task.train)
    return replace(task, test=task.test[left], test_labels=task.test_labels[left])


def small_imbalanced(
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    number: int,
    *,
    seed: int = 0,
    low: int = 30,
    high: int = 60,
    ratio: int = 5,
) -> ClassTask:
    """Setting 5.3: two classes, the rare one with `low` to `high` examples, the other with `ratio` times as many.

    Where a data set's classes are too small for that, the range is cut at what they hold.

    Example:
        >>> labels = np.repeat(np.arange(10), 400)
        >>> task = small_imbalanced(labels, labels, 0)
        >>> few, many = sorted(np.bincount(task.train_labels).tolist())
        >>> 30 <= few <= 60, many / few
        (True, 5.0)
    """
    rng = _generator("imbalanced", number, seed)
    there = _large_enough(train_labels, test_labels, low * ratio)
    rare_ones = _large_enough(train_labels, test_labels, low)
    if len(there) < 1 or len(rare_ones) < 2:
        raise InputError(
            f"an imbalanced task needs a class of {low} and another of {low * ratio} training examples, and the data "
            "have no such pair. Use a larger `--pool`, or other data."
        )
    frequent = int(rng.choice(there))
    rare = int(rng.choice(rare_ones[rare_ones != frequent]))
    most = min(high, int((train_labels == frequent).sum()) // ratio, int((train_labels == rare).sum()))
    count = int(rng.integers(low, most + 1))
    task = _build(number, rng, train_labels, test_labels, {rare: count, frequent: count * ratio})
    return replace(task, rare=int(np.searchsorted(task.classes, rare)))


def whole(train_labels: np.ndarray, test_labels: np.ndarray) -> ClassTask:
    """All classes that both parts have, and all their examples in the data's order (5.7)."""
    classes = np.intersect1d(train_labels, test_labels)
    train, test = (np.flatnonzero(np.isin(labels, classes)) for labels in (train_labels, test_labels))
    return _coded(0, classes, train, test, train_labels, test_labels)


def _build(
    number: int,
    rng: np.random.Generator,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    counts: Mapping[int, int | None],
) -> ClassTask:
    classes = np.array(sorted(counts))
    train = np.concatenate([_draw(rng, train_labels, c, counts[int(c)]) for c in classes])
    test = np.concatenate([np.flatnonzero(test_labels == c) for c in classes])
    return _coded(number, classes, train[rng.permutation(len(train))], test, train_labels, test_labels)


def _coded(
    number: int,
    classes: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
) -> ClassTask:
    codes = np.searchsorted(classes, train_labels[train]), np.searchsorted(classes, test_labels[test])
    return ClassTask(number, classes, train, test, *codes)


def _draw(rng: np.random.Generator, labels: np.ndarray, code: int, most: int | None) -> np.ndarray:
    places = np.flatnonzero(labels == code)
    return places if most is None or most >= len(places) else np.sort(rng.choice(places, size=most, replace=False))


def _large_enough(train_labels: np.ndarray, test_labels: np.ndarray, least: int) -> np.ndarray:
    """Codes with at least `least` training examples and one test example."""
    codes, counts = np.unique(train_labels, return_counts=True)
    return np.intersect1d(codes[counts >= least], test_labels)


def _generator(setting: str, number: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, PLACES[setting], number])
