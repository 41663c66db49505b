"""How to search: which prefixes of the examples to score, and which sources to drop after each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from headstart.errors import InputError
from headstart.ranking.measure import Measurement
from headstart.ranking.uncertainty import EXACT
from headstart.records import Ending, Method
from headstart.scores import SCORES
from headstart.stats import compare, growing_sizes, halving_plan, level_of_each

FIRST = 80  # examples of the first prefix: four for each of the 20 groups of the jackknife
PER_CLASS = 4  # but at least this many per class


@dataclass(frozen=True)
class Drop:
    """Why a search continues without a source."""

    by: str  # the source that beat it; "" if there is no single one
    why: str


@dataclass(frozen=True, eq=False)
class Round:
    """What a method decides on: all sources left, measured on the same examples."""

    measurements: Sequence[Measurement]
    score: str  # the score that orders the sources
    at: int  # which round, from 0
    rounds: int  # the largest number of rounds
    sources: int  # at the start of the search
    seen: int  # examples
    whole: int


@dataclass(frozen=True)
class All:
    """Every source on every example; under a time budget in growing parts, so that there is an answer at any time."""

    name: ClassVar[Method] = "all"
    growing: bool = False

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """The prefixes to score: one, or growing ones."""
        return growing_sizes(whole, first) if self.growing else (whole,)

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Which sources to drop, and why the search may end, if it may: never."""
        return {}, None


@dataclass(frozen=True)
class Race:
    """Drop a source once it is surely below another; `headstart.stats.racing` explains the error that this spends.

    Half of the error is for dropping, over all rounds and comparisons. The other half is for the order of the sources
    that saw all examples, if the race gets that far.

    Args:
        error: Probability that what the race says about the best source is wrong, between 0 and 1/2.
        margin: The race ends when no source left can be better than the leader by more than this, in the unit of the
            score (nats for LEEP and its family).

    Raises:
        InputError: `error` or `margin` is out of range.
    """

    name: ClassVar[Method] = "race"
    error: float = 0.05
    margin: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.error < 0.5:
            raise InputError(f"`error` of a race must lie between 0 and 1/2; got {self.error}.")
        if not 0 <= self.margin < math.inf:
            raise InputError(f"`margin` of a race must be 0 or above; got {self.margin}.")

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """The prefixes to score, each twice the last; all examples at once for a single source."""
        return growing_sizes(whole, first) if sources > 1 else (whole,)

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Drop sources surely below another; end when one is left or none can be much better than the leader.

        A source whose score has no interval on these examples cannot be dropped.
        """
        if round_.seen == round_.whole:
            return {}, None
        racing, deleted = _with_intervals(round_)
        if len(racing) < 2:
            alone = len(round_.measurements) == 1 and round_.sources > 1
            return {}, "one left" if alone else None
        values = np.array([one.evaluations[round_.score].value for one in racing])
        error = level_of_each(self.error / 2, round_.rounds, round_.sources)
        standing = compare(values, deleted, seen=round_.seen, whole=round_.whole, error=error)
        dropped = {
            one.source: Drop(
                racing[below].source,
                f"at least {standing.shortfall[place]:.3g} below {racing[below].source} on {round_.seen:,} examples",
            )
            for place, (one, below) in enumerate(zip(racing, standing.below, strict=True))
            if below >= 0
        }
        if len(round_.measurements) - len(dropped) == 1:
            return dropped, "one left"
        known = len(racing) == len(round_.measurements)
        kept = standing.below < 0
        return dropped, "margin" if known and (standing.advantage[kept] <= self.margin).all() else None


@dataclass(frozen=True)
class Halving:
    """Successive halving: the better half continues after each round. Its cost is known beforehand, its error is not.

    Args:
        share: Share of the forward passes of a full search, above 0 and at most 1. The first round may exceed it when
            there are few examples: the jackknife needs at least four per group.

    Raises:
        InputError: `share` is out of range.
    """

    name: ClassVar[Method] = "halving"
    share: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"`share` of a halving must be above 0 and at most 1; got {self.share}.")

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """The prefixes to score."""
        return tuple(size for _, size in halving_plan(sources, whole, self.share, least=first))

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Drop the worse half, except after the last round."""
        if round_.at + 1 >= math.log2(round_.sources):
            return {}, None
        values = np.array([one.evaluations[round_.score].value for one in round_.measurements])
        kept = math.ceil(round_.sources / 2 ** (round_.at + 1))
        why = f"not among the best {kept} on {round_.seen:,} examples"
        worse = np.argsort(-values, kind="stable")[kept:]
        return {round_.measurements[place].source: Drop("", why) for place in worse}, None


FINE_TUNE = "fine-tune"  # all sources by their scores, then a race by fine-tuning
SEARCHES: dict[str, type[All] | type[Race] | type[Halving]] = {"all": All, "race": Race, "halving": Halving}


def method_of(search: object, timed: bool) -> All | Race | Halving:
    """The way to search that a name or an object stands for.

    Raises:
        InputError: It is neither.

    Example:
        >>> method_of("race", timed=False)
        Race(error=0.05, margin=0.01)
    """
    if isinstance(search, Race | Halving):
        return search
    if isinstance(search, All) or search in ("all", FINE_TUNE):
        return All(growing=timed)
    if isinstance(search, str) and search in SEARCHES:
        return SEARCHES[search]()
    raise InputError(
        f"`search` must be one of {', '.join((*SEARCHES, FINE_TUNE))}, or headstart.ranking.Race(...) or Halving(...); "
        f"got {search!r}."
    )


def check_scores(method: All | Race | Halving, scores: Sequence[str], sort: str | None) -> None:
    """Raises InputError where a race or halving sorts by a score that ignores the examples."""
    deciding = [sort] if sort else list(scores)
    if isinstance(method, All) or any(SCORES[name].needs not in EXACT for name in deciding):
        return
    raise InputError(
        f"`search` {method.name} needs a score that is measured on examples; {', '.join(deciding)} "
        f"{'is' if len(deciding) == 1 else 'are'} not. Sort by another one, such as leep_pooled, or leave `search` "
        "out."
    )


def _with_intervals(round_: Round) -> tuple[list[Measurement], np.ndarray]:
    """The sources with leave-one-group-out values for the number of groups that most have, and those values (s, G)."""
    known = [
        (one, deleted) for one in round_.measurements if (deleted := one.evaluations[round_.score].deleted) is not None
    ]
    if not known:
        return [], np.empty((0, 0))
    groups = np.bincount([len(deleted) for _, deleted in known]).argmax()
    alike = [(one, deleted) for one, deleted in known if len(deleted) == groups]
    return [one for one, _ in alike], np.stack([deleted for _, deleted in alike])
