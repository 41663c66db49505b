"""How many examples would separate the first two sources of a ranking."""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy

from headstart.errors import InputError
from headstart.records import Forecast, RankedSource, Ranking

GROUPS = 20  # of the jackknife behind a ranking's errors
FARTHEST = 100.0  # standard errors, where any probability in floating point is reached


@dataclass(frozen=True)
class Plan:
    """What it would take to tell the first two sources of a ranking apart. `print(plan)` says it in a sentence."""

    first: str
    second: str
    score: str
    difference: float  # of the two scores, in their unit
    standard_error: float  # of the difference, paired, on the examples there are
    now: int  # examples there are
    examples: int | None  # examples that would do if the difference is as seen; None if it is zero
    fewest: int  # the same at the upper end of the difference's 95 % interval
    most: int | None  # at its lower end; None if that is not above zero, where no number may be enough
    power: float
    level: float
    reached: Forecast | None = None  # by a head on the first with `examples`, from the ranking's learning curve

    @property
    def enough(self) -> bool:
        """Whether the examples there are should have done."""
        return self.examples is not None and self.examples <= self.now

    def __str__(self) -> str:
        pair = f"{self.first} from {self.second}"
        if self.examples is None:
            return f"{self.score} is the same for {self.first} and {self.second}: no number of examples is known to do."
        reach = f"{self.fewest:,} or more" if self.most is None else f"{self.fewest:,} to {self.most:,}"
        if self.enough:
            return (
                f"the {self.now:,} examples are enough to tell {pair} at {100 * self.power:.0f} % power "
                f"(about {self.examples:,} would be; {reach}, as the difference is only estimated)."
            )
        return (
            f"about {self.examples:,} examples ({reach}, as the difference is only estimated) would tell {pair} "
            f"at {100 * self.power:.0f} % power; there are {self.now:,}." + self._outlook()
        )

    def _outlook(self) -> str:
        one = self.reached
        if one is None:
            return ""
        reach = f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
        return f" With {one.examples:,}, a head on {self.first} is forecast to reach {reach}."


def plan(ranking: Ranking, *, power: float = 0.9, level: float = 0.95) -> Plan:
    """How many examples like these would separate the first two sources of a ranking.

    The paired error of their difference shrinks with the root of the number of examples. Enough are those at which a
    one-sided t test over the 20 groups of the jackknife, at `level`, finds the difference with probability `power` if
    it is as large as it was seen to be. It rarely is exactly that, and of two that look apart the difference is more
    often smaller: read `fewest` and `most` beside it. A ranking of many sources corrects for all its comparisons and
    needs somewhat more.

    Args:
        ranking: A ranking with intervals of at least two sources.
        power: The probability of telling them apart.
        level: One minus the error probability of the test.

    Raises:
        InputError: Fewer than two sources are ranked, the score that orders them has no interval, or a probability is
            outside (0, 1).

    Example:
        >>> import numpy as np, headstart as hs
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(300) % 3
        >>> clear, dim = (np.eye(3)[labels] + rng.normal(size=(300, 3)) * noise for noise in (0.7, 0.75))
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, features in (("clear", clear), ("dim", dim)):
        ...         np.savez(pathlib.Path(folder) / f"{name}.npz", features=features, labels=labels)
        ...     ranking = hs.rank(folder, scores="knn")
        >>> hs.plan(ranking).first
        'clear'
    """
    for name, value in (("power", power), ("level", level)):
        if not 0 < value < 1:
            raise InputError(f"`{name}` is a probability strictly between 0 and 1; got {value}.")
    first, second = _first_two(ranking)
    error = second.behind_error
    if error is None:
        raise InputError(
            f"{ranking.sort} has no paired standard error in this ranking, so nothing is known of what more examples "
            "would show. Rank again with this version, by a score with an interval."
        )
    difference = first.scores[ranking.sort].value - second.scores[ranking.sort].value
    now = min(row.examples or ranking.target.n for row in (first, second))
    margin = scipy.special.stdtrit(GROUPS - 1, 0.975) * error
    needed = separation(power, level) * error

    def examples(gap: float) -> int | None:
        return math.ceil(max(2.0, now * (needed / gap) ** 2)) if gap > 0 else None

    fewest, enough = examples(difference + margin), examples(difference)
    return Plan(
        first=first.source,
        second=second.source,
        score=ranking.sort,
        difference=difference,
        standard_error=error,
        now=now,
        examples=enough,
        fewest=now if fewest is None else fewest,
        most=examples(difference - margin),
        power=power,
        level=level,
        reached=None if enough is None else along_curve(first, enough),
    )


def along_curve(row: RankedSource, examples: int) -> Forecast | None:
    """The forecast of a head with so many examples, between those that the ranking holds; None beyond them.

    In between it goes straight over the logarithm of the number of examples.
    """
    curve = sorted((one for one in row.forecasts if one.method == "head"), key=lambda one: one.examples)
    sizes = [one.examples for one in curve]
    if not curve or not sizes[0] <= examples <= sizes[-1]:
        return None
    value, low, high = (
        float(np.interp(math.log(examples), np.log(sizes), [getattr(one, name) for one in curve]))
        for name in ("value", "low", "high")
    )
    return replace(curve[0], value=value, low=low, high=high, examples=examples)


def _first_two(ranking: Ranking) -> list[RankedSource]:
    ranked = [row for row in ranking.rows if row.rank is not None]
    if len(ranked) < 2:
        raise InputError(
            f"two ranked sources are needed to plan how to tell them apart; the ranking has {len(ranked)}."
        )
    return ranked[:2]


def separation(power: float, level: float, groups: int = GROUPS) -> float:
    """Standard errors by which two sources must differ for the test to find it with this power.

    Example:
        >>> round(separation(0.9, 0.95), 2), round(separation(0.9, 0.95, groups=10**6), 2)  # 1.64 + 1.28 in the limit
        (3.04, 2.93)
    """
    bar = scipy.special.stdtrit(groups - 1, level)
    return float(
        scipy.optimize.brentq(lambda gap: scipy.stats.nct.sf(bar, groups - 1, gap) - power, -FARTHEST, FARTHEST)
    )
