"""Intervals of an accuracy over episodes. Episodes share classes and examples, so they are not independent."""

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.fewshot.episodes import Episodes
from headstart.stats import Estimate


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
