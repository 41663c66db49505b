"""One axis shared by several plots, and the small SVG drawings on it; positions are in percent of the width."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

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


@dataclass(frozen=True)
class Mark:
    """A value with its interval, placed on an axis."""

    text: str
    interval: str | None = None
    at: float | None = None
    low: float | None = None
    high: float | None = None


def axis_svg(axis: Axis, id: str, title: str, about: int) -> str:
    """The tick marks over a column of plots; the plots below point at its grid by `id`."""
    ticks = axis.ticks(about)
    lines = "".join(f'<line class="grid" x1="{t.at}%" x2="{t.at}%" y1="0" y2="100%"/>' for t in ticks)
    shown = ticks if about > 2 else (ticks[0], ticks[-1])  # a narrow plot has room for the two outer labels only
    labels = "".join(f'<text x="{tick.at}%" y="12">{tick.text}</text>' for tick in shown)
    said = f"<title>{escape(title)}: {ticks[0].text} to {ticks[-1].text}</title>"
    return f'<svg class="axis" role="img" width="100%" height="20">{said}<g id="{id}">{lines}</g>{labels}</svg>'


def interval_svg(mark: Mark, id: str, height: int, radius: float) -> str:
    """A dot with its 95 % interval, on the grid `id`."""
    title = mark.text + (f" ({mark.interval})" if mark.interval else "")
    span = dot = ""
    if mark.low is not None:
        span = f'<line class="span" x1="{mark.low}%" x2="{mark.high}%" y1="50%" y2="50%"/>'
    if mark.at is not None:
        dot = f'<circle cx="{mark.at}%" cy="50%" r="{radius}"/>'
    return (
        f'<svg class="plot" role="img" width="100%" height="{height}"><title>{escape(title)}</title>'
        f'<use href="#{id}"/>{span}{dot}</svg>'
    )


def bar_svg(width: float, height: int = 10) -> str:
    """A horizontal bar, `width` percent of it filled."""
    return (
        f'<svg class="bar" aria-hidden="true" width="100%" height="{height}"><rect class="track" width="100%" '
        f'height="100%"/><rect class="fill" width="{round(width, 1)}%" height="100%"/></svg>'
    )


def _round_step(least: float) -> float:
    """The smallest round number (1, 2, 2.5 or 5 times a power of ten) that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor for factor in ROUND if factor * power >= least * (1 - 1e-9)) * power


def _decimals(step: float) -> int:
    """Decimals that print `step` exactly (it is a round number)."""
    return next((places for places in range(12) if math.isclose(round(step, places), step, rel_tol=1e-9)), 12)
