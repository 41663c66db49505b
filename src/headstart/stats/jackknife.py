"""The group jackknife: the spread of the values without each of G groups of examples gives the standard error.

It needs the score's value without each group, which for scores that are sums over examples costs almost nothing. It
holds where the ordinary bootstrap does not: a resample with duplicates adds a score's optimism a second time.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval; both ends are finite and `low <= value <= high`."""

    value: float
    standard_error: float
    low: float
    high: float
    degrees: float  # of freedom of the standard error


def jackknife_groups(n: int, count: int = 20, *, seed: int) -> Int[np.ndarray, " n"]:
    """Deal n examples into `count` random groups whose sizes differ by at most one.

    The groups are not balanced by class: the number of examples of each class is part of the sampling error, and
    groups with equal shares of each class would hide it (95 % intervals then covered 63 % in a simulated world).

    Args:
        count: How many groups, at least 2; with fewer examples, one group for each.

    Returns:
        The group 0..G-1 of every example.

    Raises:
        InputError: Fewer than two examples or groups.

    Example:
        >>> sorted(jackknife_groups(7, count=3, seed=0).tolist())
        [0, 0, 0, 1, 1, 2, 2]
    """
    if n < 2:
        raise InputError(f"a jackknife needs at least 2 examples; got {n}.")
    if count < 2:
        raise InputError(f"`count` must be at least 2 groups, not {count}.")
    return np.random.default_rng(seed).permutation(np.arange(n) % min(count, n))


def pseudo_values(values: Float[np.ndarray, " s"], deleted: Float[np.ndarray, "s g"]) -> Float[np.ndarray, "s g"]:
    """What each group contributes to each value: independent between groups, with the value as their mean.

    values - (G - 1) (deleted - mean of deleted). The variance of their mean is the jackknife variance of the value, and
    the same holds for every difference of rows, which is what makes comparisons paired. (Tukey's pseudo-values, moved
    so that their mean is the value itself and not its bias-corrected form.)

    Example:
        >>> pseudo_values(np.array([2.0]), np.array([[3.0, 1.0]])).tolist()  # the mean of 1 and 3, each left out once
        [[1.0, 3.0]]
    """
    centred = deleted - deleted.mean(axis=1, keepdims=True)
    return np.asarray(values[:, None] - (deleted.shape[1] - 1) * centred)


def jackknife(value: float, deleted: Float[np.ndarray, " g"], level: float = 0.95) -> Estimate:
    """Standard error and interval of a value from its values without each group.

    The squared error is (G - 1) / G times the sum of squares of `deleted` about its mean; the interval is the value
    plus and minus the t quantile with G - 1 degrees of freedom. It is centred on the value, without a correction for
    bias: for a score that is fair to fresh data (leave-one-out LEEP) it covers the expected score on fresh data; for
    one that is not (plain LEEP) it covers the score's own expectation at this number of examples.

    Args:
        value: The score on all examples.
        deleted: The score without each group; at least two.
        level: Coverage, strictly between 0 and 1.

    Raises:
        InputError: Fewer than two groups, a value that is not finite, or a level outside (0, 1).

    Example:
        >>> x = np.array([1.0, 2.0, 3.0, 6.0])  # for a mean of single examples it is the textbook interval
        >>> estimate = jackknife(x.mean(), (x.sum() - x) / 3)
        >>> round(estimate.standard_error, 6), round(float(x.std(ddof=1)) / 2, 6)
        (1.080123, 1.080123)

    Reference: Tukey 1958; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11.
    """
    deleted = np.asarray(deleted, dtype=np.float64)
    if deleted.ndim != 1 or len(deleted) < 2:
        raise InputError(f"`deleted` must hold at least 2 values, one per group; its shape is {deleted.shape}.")
    if not 0 < level < 1:
        raise InputError(f"`level` must lie strictly between 0 and 1, not {level}.")
    if not (np.isfinite(value) and np.isfinite(deleted).all()):
        raise InputError(
            f"a jackknife needs finite numbers; `value` is {value} and {int((~np.isfinite(deleted)).sum())} of "
            f"{len(deleted)} in `deleted` are not finite."
        )
    count = len(deleted)
    error = float(np.sqrt((count - 1) / count * np.square(deleted - deleted.mean()).sum()))
    reach = float(scipy.special.stdtrit(count - 1, (1 + level) / 2)) * error
    return Estimate(float(value), error, float(value) - reach, float(value) + reach, float(count - 1))


def share_interval(hits: float, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of hits / n (Biometrika 26, 1934).

    Example:
        >>> [round(end, 3) for end in share_interval(8, 10)]
        [0.444, 0.975]
    """
    low = float(scipy.stats.beta.ppf(0.025, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(scipy.stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
