"""The random target tasks of the paper's section 5: subsets of a data set's classes and examples, from labels alone.

Task `number` of a setting follows from (seed, setting, number) only: it is the same whether 20 or 200 tasks are made.
"""

from dataclasses import dataclass

import numpy as np

from headstart.errors import InputError

SETTINGS = ("large", "small", "imbalanced", "meta", "convergence")  # 5.1 to 5.5; the number keeps their seeds apart


@dataclass(frozen=True, eq=False)
class ClassTask:
    """One target task: which examples of a data set's training and test part, and their classes renumbered."""

    setting: str
    number: int
    classes: np.ndarray  # (C,) codes in the data set, ascending; class c of the task is classes[c]
    train: np.ndarray  # (n,) places in the training part, in random order
    test: np.ndarray  # (m,) places in the test part
    train_labels: np.ndarray  # (n,) 0..C-1
    test_labels: np.ndarray  # (m,) 0..C-1
    rare: int | None = None  # imbalanced: the class with the fewer examples

    @property
    def key(self) -> str:
        """Names the task within a data set and a seed: "large 7"."""
        return f"{self.setting} {self.number}"


def large_balanced(
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    number: int,
    *,
    seed: int = 0,
    each: int | None = None,
    test_each: int | None = None,
    setting: str = "large",
) -> ClassTask:
    """Setting 5.1: 2 to all classes, drawn evenly, and all their examples.

    Args:
        train_labels: (N,) codes of the whole training part.
        test_labels: Likewise.
        number: Which task.
        each: At most so many training examples of a class (a scaled-down run); None: all.
        test_each: Likewise for the test part.

    Example:
        >>> labels = np.repeat(np.arange(10), 6)
        >>> task = large_balanced(labels, labels, 0)
        >>> len(task.train) == 6 * len(task.classes)
        True
    """
    rng = _generator(setting, number, seed)
    there = _shared_classes(train_labels, test_labels, 1, setting)
    classes = rng.choice(there, size=int(rng.integers(2, len(there) + 1)), replace=False)
    return _build(setting, number, rng, train_labels, test_labels, {int(c): each for c in classes}, test_each)


def small_balanced(
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    number: int,
    *,
    seed: int = 0,
    classes: int = 5,
    each: int = 50,
    test_each: int | None = None,
    setting: str = "small",
) -> ClassTask:
    """Settings 5.2 and 5.4: a few classes with a few examples each (5 x 50 on CIFAR-100, 4 x 30 on FashionMNIST).

    Example:
        >>> labels = np.repeat(np.arange(10), 60)
        >>> task = small_balanced(labels, labels, 3, classes=4, each=30)
        >>> np.bincount(task.train_labels).tolist()
        [30, 30, 30, 30]
    """
    rng = _generator(setting, number, seed)
    there = _shared_classes(train_labels, test_labels, each, setting)
    if len(there) < classes:
        raise InputError(
            f"{classes} classes with {each} training examples each are asked for, and {len(there)} have so many. "
            "Choose fewer classes or examples."
        )
    chosen = rng.choice(there, size=classes, replace=False)
    return _build(setting, number, rng, train_labels, test_labels, {int(c): each for c in chosen}, test_each)


def small_imbalanced(
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    number: int,
    *,
    seed: int = 0,
    low: int = 30,
    high: int = 60,
    ratio: int = 5,
    test_each: int | None = None,
    setting: str = "imbalanced",
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
    rng = _generator(setting, number, seed)
    there = _shared_classes(train_labels, test_labels, low * ratio, setting)
    rare_ones = _shared_classes(train_labels, test_labels, low, setting)
    if len(there) < 1 or len(rare_ones) < 2:
        raise InputError(
            f"an imbalanced task needs a class of {low} and another of {low * ratio} training examples, and the data "
            "have none. Choose a smaller `low` or `ratio`."
        )
    frequent = int(rng.choice(there))
    rare = int(rng.choice(rare_ones[rare_ones != frequent]))
    most = min(high, int((train_labels == frequent).sum()) // ratio, int((train_labels == rare).sum()))
    count = int(rng.integers(low, most + 1))
    counts: dict[int, int | None] = {rare: count, frequent: count * ratio}
    return _build(setting, number, rng, train_labels, test_labels, counts, test_each, rare=rare)


def _build(
    setting: str,
    number: int,
    rng: np.random.Generator,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    counts: dict[int, int | None],
    test_each: int | None,
    rare: int | None = None,
) -> ClassTask:
    classes = np.array(sorted(counts))
    train = np.concatenate([_draw(rng, train_labels, c, counts[int(c)]) for c in classes])
    train = train[rng.permutation(len(train))]
    test = np.concatenate([_draw(rng, test_labels, c, test_each) for c in classes])
    return ClassTask(
        setting=setting,
        number=number,
        classes=classes,
        train=train,
        test=test,
        train_labels=np.searchsorted(classes, train_labels[train]),
        test_labels=np.searchsorted(classes, test_labels[test]),
        rare=None if rare is None else int(np.searchsorted(classes, rare)),
    )


def _draw(rng: np.random.Generator, labels: np.ndarray, code: int, most: int | None) -> np.ndarray:
    places = np.flatnonzero(labels == code)
    return places if most is None or most >= len(places) else np.sort(rng.choice(places, size=most, replace=False))


def _shared_classes(train_labels: np.ndarray, test_labels: np.ndarray, least: int, setting: str) -> np.ndarray:
    """Codes with at least `least` training examples and one test example."""
    codes, counts = np.unique(train_labels, return_counts=True)
    there = np.intersect1d(codes[counts >= least], test_labels)
    if setting in ("large", "convergence") and len(there) < 2:
        raise InputError(f"a task needs two classes with training and test examples; the data have {len(there)}.")
    return there


def _generator(setting: str, number: int, seed: int) -> np.random.Generator:
    if setting not in SETTINGS:
        raise InputError(f"`setting` must be one of {', '.join(SETTINGS)}; got {setting!r}.")
    return np.random.default_rng([seed, SETTINGS.index(setting), number])
