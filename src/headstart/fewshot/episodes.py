"""Small tasks: some examples to learn from (support), others to test on (query), and how sure accuracies on them are.

Episodes share classes and examples, so they are not independent: the intervals account for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.errors import InputError
from headstart.stats import Estimate


@dataclass(frozen=True, eq=False)
class Episodes:
    """E episodes of w classes each; support and query hold row numbers of the data."""

    classes: Int[np.ndarray, "e w"]
    support: Int[np.ndarray, "e w k"]  # an episode with s shots uses the first s
    query: Int[np.ndarray, "e w q"]  # -1: the class has no more examples


def draw(
    labels: Int[np.ndarray, " n"],
    *,
    ways: int | None,
    shots: int,
    queries: int,
    episodes: int,
    names: Sequence[str],
    seed: int,
) -> Episodes:
    """Draw random episodes. They depend on the labels and the seed alone, so all sources get the same ones.

    Args:
        labels: Class codes.
        ways: Classes per episode; None uses all classes in each.
        shots: Support examples per class.
        queries: Query examples per class, or all that are left if there are fewer.
        episodes: Number of episodes.
        names: Class names, for error messages.
        seed: Random seed.

    Raises:
        InputError: Too few classes have enough examples.

    Example:
        >>> found = draw(np.repeat([0, 1, 2], 5), ways=2, shots=3, queries=4, episodes=7, names="abc", seed=0)
        >>> found.classes.shape, found.support.shape, int((found.query >= 0).sum(axis=2).max())
        ((7, 2), (7, 2, 3), 2)
    """
    members = [np.flatnonzero(labels == code) for code in range(len(names))]
    usable = [code for code, own in enumerate(members) if len(own) > shots]
    small = min((code for code in range(len(names)) if code not in usable), key=lambda c: len(members[c]), default=None)
    wanted = len(names) if ways is None else ways
    if len(usable) < wanted:
        if small is None:
            raise InputError(f"`ways` is {wanted}, and the data have {len(names)} classes. Use fewer ways, or `all`.")
        raise InputError(
            f"{wanted} ways with {shots} shots need {wanted} classes of at least {shots + 1} examples, {shots} to "
            f"learn from and one to be judged on; {len(usable)} of {len(names)} classes have them "
            f"({names[small]!r} has {len(members[small])}). Use fewer shots or ways, or more examples."
        )
    rng = np.random.default_rng(seed)
    most = max(len(members[code]) for code in usable)
    depth = shots + min(queries, most - shots)
    chosen = np.full((episodes, wanted, depth), -1)
    classes = np.stack([rng.permutation(usable)[:wanted] if ways else np.array(usable) for _ in range(episodes)])
    for episode, codes in enumerate(classes):
        for way, code in enumerate(codes):
            own = rng.permutation(members[code])[:depth]
            chosen[episode, way, : len(own)] = own
    return Episodes(classes, chosen[:, :, :shots], chosen[:, :, shots:])


def right(predicted: Int[np.ndarray, "e m"], query: Int[np.ndarray, "e w q"]) -> Int[np.ndarray, "e w q"]:
    """1 where the prediction for a query example is correct, else 0; 0 also where there is no example."""
    return np.asarray((predicted.reshape(query.shape) == np.arange(query.shape[1])[:, None]) & (query >= 0)).astype(int)


def estimate(
    right: Int[np.ndarray, "e w q"], drawn: Episodes, shots: int, *, level: float = 0.95, share: bool = True
) -> Estimate:
    """The mean accuracy, for other classes and episodes like these; for the same classes where episodes hold all.

    The accuracy of an episode is taken as the sum of what its classes add (of what its examples add, where classes are
    fixed), and of chance. The squared error is the variance of what a class adds over the number of classes, plus the
    variance of chance over the number of episodes.

    Args:
        right: Which query examples were given their class; or the difference of two such arrays.
        drawn: The episodes.
        shots: Support examples of each class that were used.
        level: Coverage, strictly between 0 and 1.
        share: `right` is not a difference: the interval lies inside 0 and 1, by way of log odds.

    Reference: first-order terms of a U-statistic; Hoeffding, Annals of Mathematical Statistics 19, 1948.
    """
    whole = _by_episode(right, drawn)
    value, noise = float(whole.mean()), float(whole.var(ddof=1))
    used, ways = len(np.unique(drawn.classes)), drawn.classes.shape[1]
    if used > ways:
        adds, chance = _shared(whole, drawn.classes, noise)
        variance, degrees = max(float(adds.var(ddof=1) - chance), 0.0) / used, used - 1.0
    else:
        variance, degrees = 0.0, 0.0
        for way in range(ways):
            support, query = drawn.support[:, way, :shots], drawn.query[:, way]
            adds, chance = _of_examples(right[:, way], support, query, whole, noise, ways)
            variance += max(float(adds.var(ddof=1) - chance), 0.0) / len(adds)
            degrees += len(adds) - 1.0
    error = float(np.sqrt(variance + noise / len(whole)))
    reach = float(scipy.special.stdtrit(degrees, (1 + level) / 2)) * error
    if share and 0 < value < 1:
        ends = scipy.special.expit(scipy.special.logit(value) + np.array([-1, 1]) * reach / (value * (1 - value)))
        return Estimate(value, error, float(ends[0]), float(ends[1]), degrees)
    return Estimate(value, error, value - reach, value + reach, degrees)


def _by_episode(right: Int[np.ndarray, "e w q"], drawn: Episodes) -> Float[np.ndarray, " e"]:
    """Accuracy of each episode, its classes weighing the same."""
    return np.asarray((right.sum(axis=2) / (drawn.query >= 0).sum(axis=2)).mean(axis=1))


def _shared(
    whole: Float[np.ndarray, " e"], drawn: Int[np.ndarray, "e m"], noise: float
) -> tuple[Float[np.ndarray, " u"], float]:
    """What each of u units that episodes share adds to the mean, and the variance of that by chance.

    Of u units, m are drawn into an episode. The mean over the episodes that hold a unit departs from the mean of all by
    (u - m) / (u - 1) / m of what the unit adds.
    """
    _, unit, times = np.unique(drawn, return_inverse=True, return_counts=True)
    sums = np.bincount(unit.ravel(), weights=np.repeat(whole, drawn.shape[1]))
    count, taken = len(times), drawn.shape[1]
    if count <= taken:  # every episode holds all of them
        return np.zeros(count), 0.0
    factor = taken * (count - 1) / (count - taken)
    chance = factor**2 * noise * float((1 / times).mean()) * (count - taken) / count
    return factor * (sums / times - whole.mean()), chance


def _of_examples(
    right: Int[np.ndarray, "e q"],
    support: Int[np.ndarray, "e k"],
    query: Int[np.ndarray, "e q"],
    whole: Float[np.ndarray, " e"],
    noise: float,
    ways: int,
) -> tuple[Float[np.ndarray, " u"], float]:
    """What each example of one class adds to the mean, and the variance of that by chance.

    It is learnt from in some episodes and asked about in others; while it is learnt from, it cannot be asked about.
    """
    there = query >= 0
    asked, place, times = np.unique(query[there], return_inverse=True, return_counts=True)
    count, taken = len(np.unique(np.concatenate([np.unique(support), asked]))), support.shape[1]
    apart = 1 + taken * (count - 1) / (count * (count - taken))
    found = right[there] * apart / ways  # a class's share of the accuracy
    mean = np.bincount(place, weights=found) / times
    chance = float(((np.bincount(place, weights=found**2) / times - mean**2) / np.maximum(times - 1, 1)).mean())
    leads, by_support = _shared(whole, support, noise)
    adds = np.zeros(int(max(support.max(), query.max())) + 1)
    adds[np.unique(support)] += leads
    adds[asked] += mean - mean.mean()
    return adds[np.unique(np.concatenate([np.unique(support), asked]))], by_support + chance
