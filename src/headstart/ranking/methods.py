"""How to search: which prefixes to score, and which sources to drop after each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from headstart.errors import InputError
from headstart.ranking.measure import Measurement
from headstart.records import Ending, Method
from headstart.scores import SCORES
from headstart.stats import compare, growing_sizes, halving_plan, level_of_each

FIRST = 80  # examples of the first prefix: four to each of the 20 groups of the jackknife
PER_CLASS = 4  # but at least so many times the classes


@dataclass(frozen=True)
class Drop:
    """Why a search goes on without a source."""

    by: str  # the source on whose account; "" where it is no single one
    why: str


@dataclass(frozen=True, eq=False)
class Round:
    """What a method decides on: all sources left, measured on the same examples."""

    measurements: Sequence[Measurement]
    score: str  # the score that orders the sources
    at: int  # which round, from 0
    rounds: int  # how many there may be
    sources: int  # that the search began with
    seen: int  # examples
    whole: int

    def values(self) -> np.ndarray:
        """(s,) the score of each source."""
        return np.array([one.evaluations[self.score].value for one in self.measurements])


class Searching(Protocol):
    """One way to search."""

    name: ClassVar[Method]

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """The prefixes to score, growing."""
        ...

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Whom to drop, and why the search may end, if it may."""
        ...


@dataclass(frozen=True)
class All:
    """Every source on every example; under a time budget in growing parts, so that there is an answer at any time."""

    name: ClassVar[Method] = "all"
    growing: bool = False

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """One size, or growing ones."""
        return growing_sizes(whole, first) if self.growing else (whole,)

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Nobody is dropped."""
        return {}, None


@dataclass(frozen=True)
class Race:
    """Drop a source once it is surely below another; `headstart.stats.racing` says what is spent and why it is valid.

    Half of the error is spent on dropping, over all rounds and comparisons. The other half is for the order of those
    that saw all examples, if the race goes so far.

    Args:
        error: Probability that what the race says of the best source is wrong.
        margin: The race ends when no source left can be more than so much better than the leader, in the unit of the
            score (nats for LEEP and its family).
    """

    name: ClassVar[Method] = "race"
    error: float = 0.05
    margin: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.error < 0.5:
            raise InputError(f"`error` of a race must lie between 0 and 1/2; got {self.error}.")
        if not 0 <= self.margin < math.inf:
            raise InputError(f"`margin` of a race must not be negative; got {self.margin}.")

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """Doubling prefixes; one source alone has nobody to race against."""
        return growing_sizes(whole, first) if sources > 1 else (whole,)

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Drop who is surely below another; end when one is left or nobody can be much better than the leader.

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
        left = len(round_.measurements) - len(dropped)
        if left == 1:
            return dropped, "one left"
        known = len(racing) == len(round_.measurements)
        kept = standing.below < 0
        return dropped, "margin" if known and (standing.advantage[kept] <= self.margin).all() else None


@dataclass(frozen=True)
class Halving:
    """Successive halving: after each round the better half goes on. Its cost is known beforehand, its error is not.

    Args:
        share: Of the forward passes that a full search would take. The first round may exceed it where there are few
            examples: fewer than four to each group of the jackknife tell too little.
    """

    name: ClassVar[Method] = "halving"
    share: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"`share` of a halving is above 0 and at most 1; got {self.share}.")

    def sizes(self, sources: int, whole: int, first: int) -> tuple[int, ...]:
        """The sizes of the plan."""
        return tuple(size for _, size in halving_plan(sources, whole, self.share, least=first))

    def decide(self, round_: Round) -> tuple[dict[str, Drop], Ending | None]:
        """Drop the worse half, except after the last round."""
        if round_.at + 1 >= math.log2(round_.sources):
            return {}, None
        order = np.argsort(-round_.values(), kind="stable")
        kept = math.ceil(round_.sources / 2 ** (round_.at + 1))
        why = f"not among the best {kept} on {round_.seen:,} examples"
        return {round_.measurements[place].source: Drop("", why) for place in order[kept:]}, None


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
    if isinstance(search, All) or search == "all":
        return All(growing=timed)
    if isinstance(search, str) and search in SEARCHES:
        return SEARCHES[search]()
    raise InputError(
        f"`search` must be one of {', '.join(SEARCHES)}, headstart.ranking.Race(...) or Halving(...); got {search!r}."
    )


def check_scores(method: All | Race | Halving, scores: Sequence[str], sort: str | None) -> None:
    """Say at once that a race or halving has nothing to go by.

    Raises:
        InputError: The score that orders the sources never looks at the examples.
    """
    deciding = [sort] if sort else list(scores)
    if isinstance(method, All) or any(SCORES[name].needs not in ("card", "nothing") for name in deciding):
        return
    raise InputError(
        f"`search` {method.name} needs a score that is measured on examples; {', '.join(deciding)} "
        f"{'is' if len(deciding) == 1 else 'are'} known without any. Sort by another one, such as leep_calibrated, or "
        "leave `search` out."
    )


def first_size(classes: int) -> int:
    """Examples of the first prefix.

    Example:
        >>> first_size(10), first_size(100)
        (80, 400)
    """
    return max(FIRST, PER_CLASS * classes)


def _with_intervals(round_: Round) -> tuple[list[Measurement], np.ndarray]:
    """The sources whose score comes with leave-one-group-out values, as many groups as most have; those values."""
    known = [
        (one, deleted) for one in round_.measurements if (deleted := one.evaluations[round_.score].deleted) is not None
    ]
    if not known:
        return [], np.empty((0, 0))
    groups = np.bincount([len(deleted) for _, deleted in known]).argmax()
    alike = [(one, deleted) for one, deleted in known if len(deleted) == groups]
    return [one for one, _ in alike], np.stack([deleted for _, deleted in alike])
