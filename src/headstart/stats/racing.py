"""Racing: which sources can be dropped after some of the examples without losing the best.

All sources are scored on the same growing prefixes of the examples. After each round every pair is compared by a paired
group-jackknife t interval, and a source that is surely below another one is dropped. The best of S sources is lost only
if, in one of R rounds, one of the S - 1 others is wrongly found surely better; each such comparison has error `error` /
(R (S - 1)), so the best is lost with probability at most `error`, whenever one stops (union bound).

Scores grow with the number of examples, each at its own pace, so a source must be surely below another both now and in
the `forecast` of the score on all examples.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.errors import InputError
from headstart.stats.jackknife import pseudo_values
from headstart.stats.ranks import difference_errors

GROWTH = 2.0  # from one prefix to the next


@dataclass(frozen=True, eq=False)
class Standing:
    """After one round; entry s belongs to source s as given."""

    leader: int  # the one with the highest value
    below: Int[np.ndarray, " s"]  # a source that this one is surely below, the leader if it is one; -1: none
    shortfall: Float[np.ndarray, " s"]  # at least so much below that one; 0 where there is none
    advantage: Float[np.ndarray, " s"]  # at most so much better than the leader; 0 for the leader itself


def growing_sizes(whole: int, first: int, growth: float = GROWTH) -> tuple[int, ...]:
    """Sizes of the prefixes, from `first` to all of the examples, each `growth` times the one before.

    Example:
        >>> growing_sizes(1000, 80), growing_sizes(50, 80)
        ((80, 160, 320, 640, 1000), (50,))
    """
    if growth <= 1 or first < 1:
        raise InputError(f"prefixes must grow from at least 1 example; got `first` {first} and `growth` {growth}.")
    sizes = [first]
    while sizes[-1] < whole:
        sizes.append(math.ceil(sizes[-1] * growth))
    return (*sizes[:-1], whole)


def halving_plan(sources: int, whole: int, share: float, *, least: int = 1) -> tuple[tuple[int, int], ...]:
    """Successive halving: how many sources see how many examples, round by round.

    The budget of `share` x `sources` x `whole` forward passes is split evenly over ceil(log2 `sources`) rounds, and a
    round's part evenly over its sources, the better half of those before (rounded up).

    Args:
        share: Of the passes that all sources on all examples would take.
        least: The first prefix is no shorter than this, even where the budget is then exceeded.

    Example:
        >>> halving_plan(20, 2000, 0.2)
        ((20, 80), (10, 240), (5, 560), (3, 1093), (2, 1893))

    Reference: Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits, ICML 2013.
    """
    if sources < 2:
        return ((sources, whole),)
    rounds = math.ceil(math.log2(sources))
    part = share * sources * whole / rounds
    plan: list[tuple[int, int]] = []
    kept, seen = sources, 0.0
    for _ in range(rounds):
        seen = max(seen + part / kept, float(min(least, whole)))
        plan.append((kept, min(whole, int(seen + 1e-9))))
        kept = math.ceil(kept / 2)
    return tuple(plan)


def level_of_each(error: float, rounds: int, sources: int) -> float:
    """The error that one comparison may have so that all of a race together have `error`.

    Example:
        >>> level_of_each(0.05, rounds=5, sources=11)
        0.001
    """
    return error / (max(rounds, 1) * max(sources - 1, 1))


def forecast(
    values: Float[np.ndarray, " s"], deleted: Float[np.ndarray, "s g"], *, seen: int, whole: int
) -> Float[np.ndarray, " s"]:
    """Predict each score on all examples from what it loses when a group is left out.

    If a score falls short of its limit by c / n, the jackknife's estimate of bias, (G - 1) (mean of deleted - value),
    is -c / `seen`; at `whole` examples -c / `whole` of it is left.

    Args:
        deleted: The same without each of G groups.

    Example:
        >>> n, g = 100, 20  # a score of exactly 3 - 5 / n
        >>> deleted = np.full((1, g), 3 - 5 / (n * (g - 1) / g))
        >>> forecast(np.array([3 - 5 / n]), deleted, seen=n, whole=1000).round(6).tolist()  # 3 - 5 / 1000
        [2.995]

    Reference: Quenouille 1956; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 10.6.
    """
    gain = (deleted.shape[1] - 1) * (values - deleted.mean(axis=1))
    return np.asarray(values + gain * (1 - seen / whole))


def compare(
    values: Float[np.ndarray, " s"], deleted: Float[np.ndarray, "s g"], *, seen: int, whole: int, error: float
) -> Standing:
    """Which sources are surely below another one, after one round.

    Args:
        values: One score per source on the same `seen` examples; higher is better.
        deleted: The same without each group of examples, the same groups for every source.
        error: Of each single comparison, one-sided; see `level_of_each`.

    Returns:
        The standing. The source with the highest value is never below another.

    Example:
        >>> noise = 0.01 * np.random.default_rng(0).standard_normal((3, 20))
        >>> values = np.array([0.5, 0.52, -9.0])
        >>> compare(values, values[:, None] + noise, seen=100, whole=100, error=0.001).below.tolist()
        [-1, -1, 1]
    """
    values, deleted = np.asarray(values, dtype=np.float64), np.asarray(deleted, dtype=np.float64)
    if values.ndim != 1 or deleted.ndim != 2 or len(deleted) != len(values) or deleted.shape[1] < 2 or not len(values):
        raise InputError(
            "`values` must be (s,) with at least one source and `deleted` (s, g) with at least 2 groups; "
            f"their shapes are {values.shape} and {deleted.shape}."
        )
    if not 0 < error < 0.5:
        raise InputError(f"`error` must lie between 0 and 1/2, not {error}.")
    reach = -scipy.special.stdtrit(deleted.shape[1] - 1, error) * difference_errors(pseudo_values(values, deleted))
    later = forecast(values, deleted, seen=seen, whole=whole)
    now_ahead, later_ahead = values[:, None] - values[None, :], later[:, None] - later[None, :]
    most = np.maximum(now_ahead, later_ahead) + reach  # [s, t]: source s is at most so much better than source t
    leader = int(np.argmax(values))
    advantage = most[:, leader].copy()
    advantage[leader] = 0.0
    np.fill_diagonal(most, np.inf)
    above = np.where(most[:, leader] < 0, leader, most.argmin(axis=1))
    shortfall = np.maximum(-most[np.arange(len(values)), above], 0.0)
    return Standing(leader, np.where(shortfall > 0, above, -1), shortfall, advantage)
