"""How far an order of sources can be trusted, when all were scored on the same examples.

Scores of two sources on the same examples rise and fall together, so their difference is known far better than either.
Everything here works on pseudo-values (one per source and group of examples), whose differences carry that pairing.

Which pairs differ is decided by sign flips: under equality a group's difference is as likely to fall on one side as on
the other, so flipping the signs of whole groups gives the null distribution of the largest t statistic, with no
assumption about how the sources depend on one another (Canay, Romano and Shaikh, "Randomization tests under an
approximate symmetry assumption", Econometrica 2017). The tests step down (Westfall and Young 1993; Romano and Wolf
2005), and rank intervals count how many sources are clearly better and clearly worse (Mogstad, Romano, Shaikh and
Wilhelm, "Inference for ranks", Review of Economic Studies 2024): all intervals hold at once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from headstart.errors import InputError
from headstart.stats.jackknife import pseudo_values

FLIPS = 1999  # with the data as they are, 2,000 sign patterns
FEWEST_FLIPS = 199  # the test stays exact and loses a little power
WORK = 3e8  # flips times pairs, some seconds: fewer flips for more than about 550 sources
DRAWS = 20_000
BLOCK = 8_000_000  # numbers held at once while flipping


@dataclass(frozen=True, eq=False)
class PairedRanks:
    """The order of S sources and how far it can be trusted; entry s belongs to source s as given."""

    rank: Int[np.ndarray, " s"]  # 1 is best; equal values are ordered as given
    low: Int[np.ndarray, " s"]  # simultaneous interval of the rank
    high: Int[np.ndarray, " s"]
    probability_best: Float[np.ndarray, " s"]  # sums to 1
    tied: int  # number of top ranks that cannot be told apart from the best

    @property
    def order(self) -> Int[np.ndarray, " s"]:
        """Indices of the sources, best first."""
        return np.argsort(self.rank)


def paired_ranks(
    values: Float[np.ndarray, " s"],
    deleted: Float[np.ndarray, "s g"] | None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> PairedRanks:
    """Ranks, simultaneous rank intervals, probabilities of being best and the tie at the top.

    Args:
        values: One score per source; higher is better.
        deleted: The same scores without each group of examples, the same groups for every source; None for scores that
            are known exactly, such as a published accuracy.
        level: Probability with which all rank intervals hold at once.
        seed: For the sign flips and the draws; the same seed gives the same answer.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noise = 0.1 * rng.standard_normal((3, 20))  # deleted values of three sources; the first two are close
        >>> ranks = paired_ranks(np.array([0.50, 0.52, -9.0]), np.array([[0.50], [0.52], [-9.0]]) + noise)
        >>> ranks.rank.tolist(), ranks.low.tolist(), ranks.high.tolist(), ranks.tied
        ([2, 1, 3], [1, 1, 3], [2, 2, 3], 2)
    """
    values = np.asarray(values, dtype=np.float64)
    if deleted is None:
        _check(values, values[:, None].repeat(2, axis=1), level)
        best = values == values.max()
        return _summary(values, values[:, None] > values[None, :], best / best.sum())
    deleted = np.asarray(deleted, dtype=np.float64)
    _check(values, deleted, level)
    contributions = pseudo_values(values, deleted)
    return _summary(
        values,
        clearly_better(contributions, level=level, seed=seed),
        probability_best(contributions, seed=seed),
    )


def _check(values: np.ndarray, deleted: np.ndarray, level: float) -> None:
    if values.ndim != 1 or not len(values) or deleted.ndim != 2 or len(deleted) != len(values) or deleted.shape[1] < 2:
        raise InputError(
            "`values` must be (s,) with at least one source and `deleted` (s, g) with at least 2 groups; "
            f"their shapes are {values.shape} and {deleted.shape}."
        )
    if not (np.isfinite(values).all() and np.isfinite(deleted).all()):
        raise InputError("`values` and `deleted` must be finite; leave out the sources that have no score.")
    if not 0 < level < 1:
        raise InputError(f"`level` must lie strictly between 0 and 1, not {level}.")


def _summary(values: np.ndarray, better: np.ndarray, best: np.ndarray) -> PairedRanks:
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    low, high = rank_intervals(better)
    behind = low[np.argsort(rank)] > 1  # by rank: is anyone clearly better?
    return PairedRanks(rank, low, high, best, int(np.argmax(behind)) if behind.any() else len(values))


def difference_errors(contributions: Float[np.ndarray, "s g"]) -> Float[np.ndarray, "s s"]:
    """Standard error of every difference between two sources, from their pseudo-values.

    Example:
        >>> difference_errors(np.array([[1.0, 3.0], [2.0, 4.0], [0.0, 0.0]])).round(12).tolist()
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    centred = contributions - contributions.mean(axis=1, keepdims=True)
    count = contributions.shape[1]
    covariance = centred @ centred.T / (count * (count - 1))
    variances = np.diag(covariance)
    return np.asarray(np.sqrt(np.maximum(variances[:, None] + variances[None, :] - 2 * covariance, 0.0)))


def clearly_better(
    contributions: Float[np.ndarray, "s g"], *, level: float = 0.95, seed: int = 0, flips: int = FLIPS
) -> Bool[np.ndarray, "s s"]:
    """Entry [j, k]: source j is clearly better than source k; all such claims hold at once with probability `level`.

    One-sided t tests of all ordered pairs, stepped down: a pair is decided when at most a share 1 - level of the sign
    patterns gives, among the pairs not decided before it, a t as large as its own. With five groups or fewer no pair
    can be decided, because there are too few patterns.
    """
    count = len(contributions)
    better = np.zeros((count, count), dtype=bool)
    first, second, differences = _oriented(contributions)
    if not len(first):
        return better
    size = np.sqrt(np.square(differences).mean(axis=1))[:, None]
    differences /= np.where(size > 0, size, 1.0)  # the mean of such a row rises and falls with its t
    observed = differences.mean(axis=1)
    steps = np.argsort(-observed, kind="stable")
    flips = max(min(flips, FEWEST_FLIPS), min(flips, int(WORK / len(first))))
    exceeded = _exceedances(differences[steps], observed[steps], flips, np.random.default_rng(seed))
    p = np.maximum.accumulate((1 + exceeded) / (1 + flips))  # a step never decides more easily than the one before it
    decided = steps[(p <= 1 - level) & (observed[steps] > 0)]
    better[first[decided], second[decided]] = True
    return better


def _oriented(contributions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs with the larger mean first, and their differences by group; rounding noise becomes zero."""
    first, second = np.triu_indices(len(contributions), 1)
    means = contributions.mean(axis=1)
    swap = means[second] > means[first]
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    differences = contributions[first] - contributions[second]
    differences[np.abs(differences) <= 1e-12 * np.abs(contributions).max(initial=0.0)] = 0.0
    return first, second, differences


def _exceedances(differences: np.ndarray, observed: np.ndarray, flips: int, rng: np.random.Generator) -> np.ndarray:
    """For each step, how many sign patterns reach its value among the pairs from it on, and all the reversed pairs."""
    groups = differences.shape[1]
    exceeded = np.zeros(len(observed), dtype=np.int64)
    bar = observed * (1 - 1e-12)  # the pattern without a flip reaches its own value
    block = max(1, BLOCK // len(observed))
    for start in range(0, flips, block):
        signs = rng.choice([-1.0, 1.0], size=(min(block, flips - start), groups))
        flipped = signs @ differences.T / groups
        reversed_pairs = -flipped.min(axis=1, keepdims=True)  # their own values are negative: they are never decided
        largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
        exceeded += (np.maximum(largest, reversed_pairs) >= bar).sum(axis=0)
    return exceeded


def rank_intervals(better: Bool[np.ndarray, "s s"]) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """Lowest and highest rank of each source: behind those clearly better, ahead of those clearly worse.

    Example:
        >>> better = np.array([[False, False, True], [False, False, False], [False, False, False]])
        >>> [ends.tolist() for ends in rank_intervals(better)]  # only "the first beats the third" is known
        [[1, 1, 2], [2, 3, 3]]
    """
    return 1 + better.sum(axis=0), len(better) - better.sum(axis=1)


def probability_best(
    contributions: Float[np.ndarray, "s g"], *, seed: int = 0, draws: int = DRAWS
) -> Float[np.ndarray, " s"]:
    """Probability that each source is the best, given what was seen; equal sources share it.

    The share of draws in which a source is on top, from the multivariate t distribution with G - 1 degrees of freedom
    around the values, with the covariance of the pseudo-values: what one believes after seeing the groups, had one no
    opinion before.

    Example:
        >>> equal = np.linspace(1.0, 3.0, 20)
        >>> probability_best(np.array([equal, equal, equal - 9.0])).round(3).tolist()
        [0.5, 0.5, 0.0]
    """
    sources, groups = contributions.shape
    rng = np.random.default_rng(seed)
    means = contributions.mean(axis=1)
    centred = (contributions - means[:, None]) / np.sqrt(groups * (groups - 1))
    wins, block = np.zeros(sources), max(1, BLOCK // max(sources, 1))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        scale = np.sqrt((groups - 1) / rng.chisquare(groups - 1, size=(size, 1)))
        drawn = means + scale * (rng.standard_normal((size, groups)) @ centred.T)
        top = drawn.max(axis=1, keepdims=True)
        first = drawn >= top - 1e-12 * np.abs(top)
        wins += (first / first.sum(axis=1, keepdims=True)).sum(axis=0)
    return wins / draws
