"""Draws the training tasks of meta-learning from labelled data sets: examples to adapt to, and queries to answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from headstart.errors import InputError, check_whole


@dataclass(frozen=True)
class MetaTraining:
    """How adaptation networks are trained.

    Args:
        episodes: Number of tasks.
        ways: Smallest and largest number of classes in a task; at most what the data set has.
        shots: Smallest and largest number of examples per class to adapt to.
        queries: Examples per class to test a task on.
        per_step: Tasks per optimizer step.
        rate: Peak learning rate of Adam; it rises over the first twentieth, then follows a cosine to 0.
        penalty: Penalty on FiLM parameters that differ from those that change nothing.
        seed: Seed of the tasks and of the initial weights.
    """

    episodes: int = 2000
    ways: tuple[int, int] = (2, 6)
    shots: tuple[int, int] = (3, 12)
    queries: int = 6
    per_step: int = 4
    rate: float = 1e-3
    penalty: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every setting; InputError if one is out of range."""
        check_whole(1, episodes=self.episodes, queries=self.queries, per_step=self.per_step)
        check_whole(0, seed=self.seed)
        for name, fits in (("rate", self.rate > 0), ("penalty", self.penalty >= 0)):
            if not (fits and isfinite(getattr(self, name))):
                wanted = "positive" if name == "rate" else "0 or positive"
                raise InputError(f"`{name}` must be {wanted} and finite; got {getattr(self, name)}.")
        for name, least in (("ways", 2), ("shots", 1)):
            value = getattr(self, name)
            pair = isinstance(value, tuple) and len(value) == 2 and all(isinstance(bound, int) for bound in value)
            if not (pair and least <= value[0] <= value[1]):
                raise InputError(f"`{name}` must be two whole numbers from {least} up, as in (2, 6); got {value!r}.")


@dataclass(frozen=True, eq=False)
class Episode:
    """One task: row numbers in a data set, and the labels as 0, 1, ..."""

    place: int  # the index of the data set
    support: np.ndarray  # (n,) rows to adapt to
    support_labels: np.ndarray  # (n,) 0..classes-1
    query: np.ndarray  # (m,)
    query_labels: np.ndarray  # (m,)
    classes: int


def draw_episode(labels: Sequence[np.ndarray], number: int, settings: MetaTraining) -> Episode:
    """Draw task `number`: a data set, some of its classes and some of their examples, uniformly at random.

    The draw depends on the seed and the number only. Each class gets at least one support and one query example.

    Args:
        labels: (n,) class codes of each data set, at least two classes of two or more examples. Classes with one
            example are never drawn.

    Example:
        >>> episode = draw_episode([np.repeat(np.arange(5), 9)], 0, MetaTraining(ways=(3, 3), shots=(2, 2), queries=4))
        >>> np.bincount(episode.support_labels).tolist(), np.bincount(episode.query_labels).tolist()
        ([2, 2, 2], [4, 4, 4])
    """
    rng = np.random.default_rng([settings.seed, number])
    place = int(rng.integers(len(labels)))
    codes = drawable(labels[place])
    low, high = (min(bound, len(codes)) for bound in settings.ways)
    chosen = rng.choice(codes, size=int(rng.integers(low, high + 1)), replace=False)
    shots = int(rng.integers(settings.shots[0], settings.shots[1] + 1))
    support, query = [], []
    for code in chosen:
        members = rng.permutation(np.flatnonzero(labels[place] == code))
        count = min(shots, max(1, len(members) - settings.queries))
        support.append(members[:count])
        query.append(members[count : count + settings.queries])
    return Episode(place, *_numbered(support), *_numbered(query), len(chosen))


def drawable(labels: np.ndarray) -> np.ndarray:
    """Codes of the classes with at least two examples: one for support and one for query.

    Example:
        >>> drawable(np.array([0, 0, 1, 2, 2])).tolist()
        [0, 2]
    """
    codes, counts = np.unique(labels, return_counts=True)
    return codes[counts >= 2]


def _numbered(members: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(members), np.repeat(np.arange(len(members)), [len(part) for part in members])
