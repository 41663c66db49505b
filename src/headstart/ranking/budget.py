"""A budget of seconds: read from text, kept by a clock, and spent on the largest round that still fits."""

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headstart.errors import InputError

Clock = Callable[[], float]
UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
TEXT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)
CAUTION = 0.9  # share of the time left that is planned for, because rounds often take longer than predicted
WORTH = 1.25  # growth below which another round tells too little


@dataclass(frozen=True)
class Deadline:
    """The end of a time budget; infinitely far without one."""

    seconds: float | None
    clock: Clock
    started: float

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = time.monotonic) -> "Deadline":
        """The deadline this many seconds from now."""
        return cls(seconds, clock, clock())

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    @property
    def left(self) -> float:
        """Seconds left; infinite without a budget."""
        return math.inf if self.seconds is None else self.seconds - self.spent

    @property
    def passed(self) -> bool:
        """Is the time up?"""
        return self.left <= 0


@dataclass(frozen=True)
class Pace:
    """What a round took for one source: seconds per new example, and seconds for everything else."""

    each: float
    beside: float


def seconds_of(budget: float | str | None) -> float | None:
    """Seconds from a number or a text with a unit.

    Raises:
        InputError: It is not a positive time.

    Example:
        >>> seconds_of("5m"), seconds_of("1.5 h"), seconds_of("90"), seconds_of(60), seconds_of(None)
        (300.0, 5400.0, 90.0, 60.0, None)
    """
    if budget is None:
        return None
    seconds = math.nan
    if isinstance(budget, str):
        found = TEXT.fullmatch(budget)
        if found and found[2].casefold() in UNITS:
            seconds = float(found[1]) * UNITS[found[2].casefold()]
    elif isinstance(budget, int | float) and not isinstance(budget, bool):
        seconds = float(budget)
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"`time_budget` must be a positive time such as 90 (seconds), 60s, 5m or 1h; got {budget!r}.")
    return seconds


def affordable(paces: Sequence[Pace], *, seen: int, planned: int, left: float) -> int:
    """The size of the next round: as planned, or as large as the time left allows; `seen` if no round is worth it.

    A source's new examples cost what each cost so far; everything else grows in proportion to all the examples.

    Args:
        paces: Of the sources still in the search.
        seen: Examples of the last round.
        planned: Examples of the next.
        left: Seconds.

    Example:
        >>> affordable([Pace(each=0.01, beside=0.0)] * 5, seen=100, planned=400, left=10.0)
        280
    """
    if math.isinf(left):
        return planned
    each = sum(pace.each for pace in paces)
    beside = sum(pace.beside for pace in paces) / max(seen, 1)
    room = CAUTION * left + each * seen  # each (m - seen) + beside m <= CAUTION left
    size = planned if room >= (each + beside) * planned else int(room / (each + beside))
    return min(size, planned) if size >= min(WORTH * seen, planned) else seen
