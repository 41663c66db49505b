"""The order of sources that did not all see the same examples, because some left a search early.

Two sources are compared on the last prefix that both saw, never on different ones. Which prefix that is depends on the
data, so the claims of each round are made at error (1 - level) / rounds: then all of them, of all rounds, hold at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from headstart.errors import InputError
from headstart.stats.jackknife import pseudo_values
from headstart.stats.ranks import PairedRanks, clearly_better, probability_best, rank_intervals


@dataclass(frozen=True, eq=False)
class Stage:
    """One round: some sources on the same examples."""

    members: Int[np.ndarray, " k"]  # which sources
    values: Float[np.ndarray, " k"]  # their scores
    deleted: Float[np.ndarray, "k g"] | None  # the same without each group of examples; None: nothing is known


def staged_ranks(
    stages: Sequence[Stage],
    *,
    rounds: int,
    out: Bool[np.ndarray, " s"] | None = None,
    final: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> PairedRanks:
    """Ranks of sources that left at different rounds: those that stayed longer first, then by value.

    Args:
        stages: The rounds in order; every source is a member of at least one.
        rounds: How many were planned: each has its share of the error, whether it was run or not.
        out: Sources known not to be the best from a race, which has an error level of its own. Only these are then
            excluded from rank 1.
        final: With `out`: the level at which the last stage, if it is the one planned to be last, says as well who is
            not the best.
        level: Probability with which all rank intervals hold at once.
        seed: For the sign flips and the draws.

    Returns:
        The ranks. Of the probability of being best, those who leave take what their last round gives them; the next
        round shares the rest among those who stayed.

    Example:
        >>> noise = 0.01 * np.random.default_rng(0).standard_normal((3, 20))
        >>> early = Stage(np.arange(3), np.array([0.6, 0.5, 0.1]), np.array([[0.6], [0.5], [0.1]]) + noise)
        >>> late = Stage(np.array([0, 1]), np.array([0.7, 0.8]), np.array([[0.7], [0.8]]) + noise[:2] / 9)
        >>> staged_ranks([early, late], rounds=2).rank.tolist()
        [2, 1, 3]
    """
    count = _count(stages)
    better = np.zeros((count, count), dtype=bool)
    best = np.zeros(count)
    left, last = 1.0, np.zeros(count, dtype=np.int64)
    value = np.zeros(count)
    for at, stage in enumerate(stages):
        last[stage.members], value[stage.members] = at, stage.values
    for at, stage in enumerate(stages):
        pairs = np.ix_(stage.members, stage.members)
        better[pairs], shares = _claims(stage, 1 - (1 - level) / max(rounds, len(stages)), seed)
        leaving = last[stage.members] == at
        best[stage.members[leaving]] = left * shares[leaving]
        left -= float(best[stage.members[leaving]].sum())
    rank = np.empty(count, dtype=np.int64)
    rank[np.lexsort((np.arange(count), -value, -last))] = np.arange(1, count + 1)
    low, high = rank_intervals(better)
    if out is not None:
        behind_one = out | _beaten(stages[-1], count, final, seed)
        low = np.where(behind_one, np.maximum(low, 2), 1)
        ahead = int(count - behind_one.sum())  # how many may be the best; if one, it is the best
        high = np.where(behind_one, high, ahead if ahead == 1 else np.maximum(high, ahead))
    low, high = np.minimum(low, rank), np.maximum(high, rank)
    behind = low[np.argsort(rank)] > 1
    return PairedRanks(rank, low, high, best, int(np.argmax(behind)) if behind.any() else count)


def _beaten(stage: Stage, count: int, level: float | None, seed: int) -> np.ndarray:
    """(count,) whether a source is clearly worse than another one of the stage."""
    beaten = np.zeros(count, dtype=bool)
    if level is not None:
        beaten[stage.members] = _claims(stage, level, seed)[0].any(axis=0)
    return beaten


def _count(stages: Sequence[Stage]) -> int:
    members = np.unique(np.concatenate([stage.members for stage in stages])) if stages else np.array([])
    if not len(members) or not np.array_equal(members, np.arange(len(members))):
        raise InputError("every source 0..S-1 must be a member of at least one of `stages`.")
    return len(members)


def _claims(stage: Stage, level: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which sources are clearly better than which in one round, and the probability of each being the best of them."""
    count = len(stage.members)
    if stage.deleted is None:
        return np.zeros((count, count), dtype=bool), np.full(count, 1 / count)
    contributions = pseudo_values(stage.values, stage.deleted)
    return clearly_better(contributions, level=level, seed=seed), probability_best(contributions, seed=seed)
