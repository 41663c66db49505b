"""How sure a ranking is: intervals of scores and ranks, and the verdict that a source has no skill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.ranking.evidence import above_zero, surely_gains
from headstart.ranking.measure import Measurement
from headstart.scores import SCORES, Evaluation
from headstart.stats import Estimate, PairedRanks, Stage, jackknife, paired_ranks, staged_ranks

ASSOCIATED = 0.03  # leaves room for the errors of the two t tests: benchmarks/RESULTS.md, "noticed before training"
EXACT = ("card", "nothing")  # needs of scores that are the same on any examples


@dataclass(frozen=True, eq=False)
class Staged:
    """The rounds of a search, each on its own examples."""

    rounds: Sequence[Mapping[str, Evaluation]]  # the sorting score of every source in the round
    planned: int  # the largest number of rounds there could have been
    dropped: Mapping[str, str]  # source -> why the search continued without it
    surely: bool = False  # whether a dropped source is known not to be the best, within the search's own error
    final: float | None = None  # then: the level at which the last round, on all examples, finds which are not


def estimate(evaluation: Evaluation, level: float = 0.95) -> Estimate | None:
    """Standard error and interval of a score by a jackknife over groups of examples; None where they are unknown.

    Example:
        >>> estimate(Evaluation(2.0, np.array([2.5, 1.5]), 0.0)).standard_error
        0.5
    """
    return None if evaluation.deleted is None else jackknife(evaluation.value, evaluation.deleted, level)


def verdict(
    evaluation: Evaluation | None, gains: np.ndarray | None = None, chance: float | None = None, level: float = 0.95
) -> tuple[str | None, bool]:
    """What a source's own classes and its features say of the labels, in words, and whether to advise against it.

    A source is advised against if nothing shows that it is better than guessing: not its head (`leep_skill`) nor a
    linear probe on its features, each by a one-sided t test at 1 - `level`, nor the features' association with the
    labels, by a permutation test at `ASSOCIATED`.

    Args:
        evaluation: Of `leep_skill`; None without a classifier.
        gains: (n,) log-likelihood of each left-out label by the probe, minus that of a guess; None without features.
        chance: p-value of the permutation test; None where it was not needed.

    Returns:
        (None, False) where nothing can be said.

    Example:
        >>> verdict(Evaluation(-0.01, np.array([-0.02, 0.0, -0.01]), 0.0))
        ('no better than guessing the class frequencies (skill -0.010, 95 % interval -0.060 to 0.040)', True)
        >>> verdict(Evaluation(-0.01, np.array([-0.02, 0.0, -0.01]), 0.0), np.array([0.4, 0.5, 0.3]))
        ('better than guessing by its features, though not by its own classes', False)
    """
    skill = None if evaluation is None else estimate(evaluation, level)
    by_head = None if skill is None else above_zero(skill.value, skill.standard_error, skill.degrees, level)
    by_features = None
    if gains is not None and len(gains) > 1:
        by_features = surely_gains(gains, level) or (chance is not None and chance <= ASSOCIATED)
    if by_head or (by_features and by_head is None):
        return "better than guessing the class frequencies", False
    if by_features:
        return "better than guessing by its features, though not by its own classes", False
    if skill is None:
        return (None if by_features is None else "not shown to be better than guessing the class frequencies"), (
            by_features is False
        )
    claim = "no better" if skill.value <= 0 else "not shown to be better"
    return (
        f"{claim} than guessing the class frequencies "
        f"(skill {skill.value:.3f}, {level * 100:.0f} % interval {skill.low:.3f} to {skill.high:.3f})",
        True,
    )


def ranks_of(
    score: str, measurements: Sequence[Measurement], staged: Staged | None, seed: int
) -> tuple[PairedRanks, list[str]]:
    """Ranks by one score that all of the sources have, and notes on trusting them."""
    if staged and SCORES[score].needs not in EXACT:
        return _ranks_by_stage(staged, [one.source for one in measurements], seed), []
    evaluations = [one.evaluations[score] for one in measurements]
    values = np.array([one.value for one in evaluations])
    known = [one.deleted for one in evaluations if one.deleted is not None]
    if len(known) == len(evaluations):
        return paired_ranks(values, np.stack(known), seed=seed), []
    exact = paired_ranks(values, None)
    if SCORES[score].needs in EXACT:
        return exact, []
    count = len(values)
    unknown = PairedRanks(
        exact.rank, np.ones(count, np.int64), np.full(count, count), np.full(count, 1 / count), tied=count
    )
    return unknown, [f"{score} has no interval on so few examples, so nothing is known about the order of the sources"]


def _ranks_by_stage(staged: Staged, sources: Sequence[str], seed: int) -> PairedRanks:
    """Ranks of `sources`, each pair compared on the last examples that both saw."""
    place = {name: at for at, name in enumerate(sources)}
    stages = [_stage(found, place) for found in staged.rounds]
    out = np.array([name in staged.dropped for name in sources]) if staged.surely else None
    kept = [stage for stage in stages if len(stage.members)]
    return staged_ranks(kept, rounds=staged.planned, out=out, final=staged.final, seed=seed)


def _stage(found: Mapping[str, Evaluation], place: Mapping[str, int]) -> Stage:
    members = [name for name in found if name in place]  # without those that failed in a later round
    deleted = [held for name in members if (held := found[name].deleted) is not None]
    known = len(deleted) == len(members) and len({len(held) for held in deleted}) == 1
    return Stage(
        np.array([place[name] for name in members], dtype=np.int64),
        np.array([found[name].value for name in members]),
        np.stack(deleted) if known else None,
    )


def behind_error(score: str, one: Measurement, first: Measurement) -> float | None:
    """Paired standard error of how far a source lies behind the first.

    None where a left-out group is unknown, or where the two saw different numbers of examples because one left a search
    early.
    """
    if _given(one) != _given(first):
        return None
    mine, best = one.evaluations[score], first.evaluations[score]
    if mine.deleted is None or best.deleted is None or len(mine.deleted) != len(best.deleted):
        return None
    return jackknife(best.value - mine.value, best.deleted - mine.deleted).standard_error


def _given(one: Measurement) -> int:
    """How many examples the source was given, readable or not."""
    return len(one.extraction.ids) + len(one.extraction.skipped)
