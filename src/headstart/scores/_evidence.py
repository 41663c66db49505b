"""The evidence of a Bayesian linear model as a function of one penalty, and its maximum."""

from dataclasses import dataclass
from itertools import count
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from headstart.scores._residual_maker import ResidualMaker

NOISE = 1e-12  # share of a target's sum of squares below which a residual is rounding, not evidence of no noise
COARSE = 0.5  # spacing of the first look at the log penalty
NARROW = 1e-5  # last step of the log penalty; the evidence is off by its square
SECANTS = 10  # steps after which the bracket is halved instead
BELOW, ABOVE = 36.0, 25.0  # range of the log penalty: from the rounding of the largest eigenvalue to far above it


@runtime_checkable
class Curves(Protocol):
    """The log evidence of t targets as functions of the log penalty."""

    @property
    def n(self) -> int:
        """How many examples there are."""

    @property
    def lengths(self) -> Float[np.ndarray, " t"]:
        """Squares of the targets, all positive."""

    def bounds(self) -> tuple[float, float] | None:
        """The log penalties between which the largest evidence is looked for; None for features that are zero."""

    def on_grid(self, log_penalties: Float[np.ndarray, " g"]) -> Float[np.ndarray, "g t"]:
        """Log evidence of all targets at each of a few log penalties."""

    def with_slope(
        self, log_penalties: Float[np.ndarray, " k"], columns: Int[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Log evidence of some targets, each at its own log penalty, and its derivative there."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the evidence of t targets depends on: features and targets along orthogonal directions.

    The features are r centred directions, plus their mean along the vector of ones; with the mean taken as one more
    direction instead, `mean` and `apart` are zero.
    """

    n: int
    squares: Float[np.ndarray, " r"]  # of the features along each direction
    mean: Float[np.ndarray, " r"]  # of the features, along each direction
    apart: float  # squared length of the rest of the mean
    inside: Float[np.ndarray, "r t"]  # targets along each direction
    ones: Float[np.ndarray, " t"]  # targets along the vector of ones
    outside: Float[np.ndarray, " t"]  # squares of the targets that no direction reaches
    lengths: Float[np.ndarray, " t"]  # squares of the targets, all positive
    top: float  # at least the largest eigenvalue of F F', zero only for features that are zero

    def bounds(self) -> tuple[float, float] | None:
        """From the rounding of the largest eigenvalue to far above it."""
        return (float(np.log(self.top)) - BELOW, float(np.log(self.top)) + ABOVE) if self.top > 0 else None

    def on_grid(self, log_penalties: Float[np.ndarray, " g"]) -> Float[np.ndarray, "g t"]:
        """One matrix product for all penalties."""
        penalties = np.exp(log_penalties)
        total = penalties[:, None] + self.squares  # (g, r)
        corner = 1 + self.n * (self.apart / penalties + (self.mean**2 / total).sum(axis=1))
        ones = self.ones - (np.sqrt(self.n * self.squares) * self.mean / total) @ self.inside
        residual = self.outside + (penalties[:, None] / total) @ self.inside**2 + ones**2 / corner[:, None]
        log_determinant = np.log1p(self.squares / penalties[:, None]).sum(axis=1) + np.log(corner)
        return np.asarray(without_signal(self.n, residual) - log_determinant[:, None] / 2)

    def with_slope(
        self, log_penalties: Float[np.ndarray, " k"], columns: Int[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """A column of weights for each target."""
        penalties, inside = np.exp(log_penalties), self.inside[:, columns]
        squares, mean = self.squares[:, None], self.mean[:, None]  # (r, 1)
        total = penalties + squares  # (r, k)
        kept = penalties / total
        along, means = np.sqrt(self.n * squares) * mean / total * inside, mean**2 / total
        corner = 1 + self.n * (self.apart / penalties + means.sum(axis=0))
        corner_slope = -self.n * (self.apart / penalties + (means * kept).sum(axis=0))
        ones, ones_slope = self.ones[columns] - along.sum(axis=0), (along * kept).sum(axis=0)
        shares = kept * inside**2
        residual = self.outside[columns] + shares.sum(axis=0) + ones**2 / corner
        residual_slope = (shares * (1 - kept)).sum(axis=0) + ones / corner * (
            2 * ones_slope - ones * corner_slope / corner
        )
        log_determinant = np.log1p(squares / penalties).sum(axis=0) + np.log(corner)
        slope = (1 - kept).sum(axis=0) - corner_slope / corner - self.n * residual_slope / residual
        return without_signal(self.n, residual) - log_determinant / 2, slope / 2


def of_all(maker: ResidualMaker) -> Evidence:
    """The evidence of all examples."""
    parts = maker.parts
    lengths = (maker.targets**2).sum(axis=0)
    # Rounding is no evidence of a perfect fit, unless the features can explain anything, which the evidence punishes.
    outside = np.zeros_like(lengths) if maker.complete else np.maximum(maker.outside_squares, NOISE * lengths)
    top = maker.n * float((parts.mean**2).sum()) + float(parts.squares.max(initial=0.0))
    inside, ones = maker.inside[:-1], maker.inside[-1]
    return Evidence(maker.n, parts.squares, parts.mean_inside, parts.mean_outside, inside, ones, outside, lengths, top)


def of_moments(
    n: int, gram: Float[np.ndarray, "k k"], products: Float[np.ndarray, "k t"], lengths: Float[np.ndarray, " t"]
) -> Evidence:
    """The evidence from sums over examples: F'F, F'Y and the squares of the targets; for n well above k."""
    squares, right = np.linalg.eigh(gram)
    used = squares > max(n, len(squares)) * np.finfo(float).eps * max(float(squares[-1]), 0.0)
    squares, inside = squares[used], right[:, used].T @ products
    inside = inside / np.sqrt(squares)[:, None]
    nought = np.zeros(len(lengths))
    outside = np.maximum(lengths - (inside**2).sum(axis=0), NOISE * lengths)
    top = float(squares.max(initial=0.0))
    return Evidence(n, squares, np.zeros(len(squares)), 0.0, inside, nought, outside, lengths, top)


def maximum(given: Curves) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Largest log evidence of each target, and its log penalty (infinite where no signal is the best account)."""
    at_infinity = without_signal(given.n, given.lengths)
    ends = given.bounds()
    if ends is None:
        return at_infinity, np.full(len(at_infinity), np.inf)
    grid = np.linspace(*ends, int((ends[1] - ends[0]) / COARSE) + 2)
    values = given.on_grid(grid)
    best = values.argmax(axis=0)
    found, where = values.max(axis=0), grid[best]
    _climb(given, grid, values, best, found, where)
    return np.maximum(found, at_infinity), np.where(found > at_infinity, where, np.inf)


def _climb(
    given: Curves,
    grid: Float[np.ndarray, " g"],
    values: Float[np.ndarray, "g t"],
    best: Int[np.ndarray, " t"],
    found: Float[np.ndarray, " t"],
    where: Float[np.ndarray, " t"],
) -> None:
    """From the best of a grid to the peak beside it, by the secant rule on the slope; into `found` and `where`."""
    step = grid[1] - grid[0]
    columns = np.flatnonzero(best < len(grid) - 1)  # at the upper end it is flat
    best = best[columns]
    low, high = grid[np.maximum(best - 1, 0)], grid[best + 1]
    middle = np.maximum(best, 1)
    left, centre, right = (values[middle + shift, columns] for shift in (-1, 0, 1))
    bend = (left - 2 * centre + right) / step**2  # the second derivative, about
    at = _ahead(grid[middle], (right - left) / (2 * step), bend, low, high)
    last, slope = np.full(len(at), np.nan), np.full(len(at), np.nan)
    for turn in count():
        if not columns.size:
            break
        old, (value, slope) = slope, given.with_slope(at, columns)
        bend = np.where(np.isnan(last), bend, (slope - old) / np.where(at == last, 1.0, at - last))
        if turn >= SECANTS:
            bend = np.zeros_like(bend)
        better = value > found[columns]
        found[columns[better]], where[columns[better]] = value[better], at[better]
        low, high = np.where(slope > 0, at, low), np.where(slope > 0, high, at)
        last, at = at, _ahead(at, slope, bend, low, high)
        moving = (np.abs(at - last) > NARROW) & (high - low > NARROW)
        columns, low, high, bend = columns[moving], low[moving], high[moving], bend[moving]
        last, at, slope = last[moving], at[moving], slope[moving]


def _ahead(at: np.ndarray, slope: np.ndarray, bend: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Newton's step where it stays inside the bracket, else its middle."""
    step = at - slope / np.where(bend < 0, bend, -1.0)
    return np.where((bend < 0) & (step > low) & (step < high), step, (low + high) / 2)


def without_signal(n: int | Int[np.ndarray, "g 1"], squares: Float[np.ndarray, "*g t"]) -> Float[np.ndarray, "*g t"]:
    """Log evidence that the best noise level alone gives to n numbers with this sum of squares."""
    return np.asarray(n / 2 * (np.log(n) - np.log(squares) - 1 - np.log(2 * np.pi)))
