"""One axis shared by several plots: where a value falls, in percent of the width, and its round tick marks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from headstart.wording import number

PADDING = 0.04  # of the span, on both sides: a dot on the edge is not cut in half
ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A round value on an axis."""

    at: float  # percent of the width
    text: str


@dataclass(frozen=True)
class Axis:
    """A linear scale from `low` to `high`."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Percent of the width at which `value` falls, kept inside the plot.

        >>> Axis(-1.0, 1.0).at(0.0), Axis(-1.0, 1.0).at(9.0)
        (50.0, 100.0)
        """
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def ticks(self, about: int) -> tuple[Tick, ...]:
        """Round values, about so many but never fewer than two: the round step between them decides.

        >>> [tick.text for tick in Axis(-0.9, 0.1).ticks(4)], [tick.text for tick in Axis(-0.9, 0.1).ticks(2)]
        (['−0.75', '−0.50', '−0.25', '0.00'], ['−0.5', '0.0'])
        """
        step = _round_step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        if last - first < 1:
            return self.ticks(about + 1)
        decimals = _decimals(step)
        return tuple(Tick(self.at(i * step), number(i * step, decimals)) for i in range(first, last + 1))


def axis_over(values: Iterable[float | None]) -> Axis:
    """The axis that holds all the values that there are, with a little room at both ends.

    >>> axis_over([1.0, 2.0, None])
    Axis(low=0.96, high=2.04)
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return Axis(0.0, 1.0)
    low, high = min(known), max(known)
    one_value = high - low <= 1e-9 * max(abs(low), abs(high), 1.0)  # no width to speak of: any scale will do
    room = max(abs(low) / 2, 0.5) if one_value else PADDING * (high - low)
    return Axis(low - room, high + room)


def _round_step(least: float) -> float:
    """The smallest round number (1, 2, 2.5 or 5 times a power of ten) that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor for factor in ROUND if factor * power >= least * (1 - 1e-9)) * power


def _decimals(step: float) -> int:
    """Decimals that print `step` exactly (it is a round number)."""
    return next((places for places in range(12) if math.isclose(round(step, places), step, rel_tol=1e-9)), 12)
