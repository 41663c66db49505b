"""How well a score predicts outcomes: correlations, regret, hits and levels, with intervals over targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from scipy import stats

from headstart.errors import InputError
from headstart.scores import weighted_taus

Weights = Literal["outcome", "score", "both"]


@dataclass(frozen=True)
class Correlation:
    """A statistic with the interval that resampling the targets gives (None with a single target)."""

    name: str
    value: float | None  # None: undefined, because a column does not vary
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Forecast:
    """How well one score predicted outcomes."""

    targets: int
    sources: int
    correlations: tuple[Correlation, ...]  # Pearson, Spearman, Kendall, weighted Kendall
    regret: Correlation  # outcome of the best source minus that of the source the score chose, ties broken at random
    hits: dict[int, Correlation]  # k -> how often a best source is among the first k by score, ties broken at random


@dataclass(frozen=True)
class Level:
    """One of the equal bins of the score's range (Nguyen et al. 2020, Figure 2)."""

    low: float
    high: float
    count: int
    mean: float | None  # of the outcomes; None: the bin is empty
    error: float | None  # standard error of that mean; None with fewer than two outcomes


def forecast(
    scores: np.ndarray,
    outcomes: np.ndarray,
    *,
    weights: Weights = "both",
    top: Sequence[int] = (1, 3),
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Forecast:
    """Compare scores with outcomes, target by target, and average over the targets.

    Where a score ties sources, regret and hits are expectations over a random choice among them, so a score that says
    nothing is judged as a random choice.

    Args:
        scores: (targets, sources), higher is better.
        outcomes: (targets, sources), higher is better.
        weights: Whose ranks weigh the weighted Kendall: those of the "outcome", of the "score", or "both" for the mean
            of the two (scipy's default). The literature uses all three under one name.
        top: For which k to report hits among the first k sources.
        level: Coverage of the intervals, which come from resampling the targets.
        resamples: How many times the targets are resampled.

    Raises:
        InputError: Shapes differ, there are fewer than two sources, numbers are not finite, or an option is out of
            range.

    Example:
        >>> found = forecast(np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, 0.6, 0.9]]))
        >>> {c.name: round(c.value, 6) for c in found.correlations}["Kendall"], found.regret.value
        (1.0, 0.0)
    """
    scores, outcomes = np.atleast_2d(np.asarray(scores, float)), np.atleast_2d(np.asarray(outcomes, float))
    _check(scores, outcomes)
    check_draws(level, resamples, seed)
    draws = np.random.default_rng(seed).integers(0, len(scores), (resamples, len(scores)))

    def over_targets(name: str, function: Callable[[np.ndarray, np.ndarray], float]) -> Correlation:
        values = np.array([function(x, y) for x, y in zip(scores, outcomes, strict=True)])
        return _interval(name, values, draws, level)

    named: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "Pearson": lambda x, y: float(stats.pearsonr(x, y).statistic),
        "Spearman": lambda x, y: float(stats.spearmanr(x, y).statistic),
        "Kendall": lambda x, y: float(stats.kendalltau(x, y).statistic),
        f"weighted Kendall (weights: {weights})": lambda x, y: weighted_kendall(x, y, weights),
    }
    return Forecast(
        targets=len(scores),
        sources=scores.shape[1],
        correlations=tuple(over_targets(name, _varying(function)) for name, function in named.items()),
        regret=over_targets("regret", regret),
        hits={k: over_targets(f"top {k}", lambda x, y, k=k: _hit(x, y, k)) for k in top},  # type: ignore[misc]
    )


def regret(score: np.ndarray, outcome: np.ndarray) -> float:
    """Outcome of the best source minus that of the chosen one; the mean over those that tie at the top.

    Example:
        >>> regret(np.array([1.0, 1.0, 0.0]), np.array([0.5, 0.75, 1.0]))
        0.375
    """
    return float(outcome.max() - outcome[score == score.max()].mean())


def weighted_kendall(score: np.ndarray, outcome: np.ndarray, weights: Weights = "both") -> float:
    """Kendall's tau with hyperbolic weights 1 / (rank + 1), so that the top counts most (Vigna 2015).

    Ties in the ranks that weigh are broken by the other column, so the order of the sources does not matter.

    Args:
        weights: Whose ranks: the outcome's, the score's, or the mean of the two taus.
    """
    if weights not in ("outcome", "score", "both"):
        raise InputError(f"`weights` must be outcome, score or both; got {weights!r}.")
    return weighted_taus(score, outcome)["truth" if weights == "outcome" else weights]


def levels(scores: np.ndarray, outcomes: np.ndarray, count: int = 5) -> tuple[Level, ...]:
    """Transferability levels: the score's range in `count` equal bins, with the mean outcome in each.

    Args:
        scores: (n,) over any mixture of targets and sources.
        outcomes: (n,).

    Example:
        >>> [level.mean for level in levels(np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3]), 2)]
        [0.1, 0.25]
    """
    scores, outcomes = np.ravel(np.asarray(scores, float)), np.ravel(np.asarray(outcomes, float))
    if scores.shape != outcomes.shape or scores.size == 0 or not np.isfinite([scores, outcomes]).all():
        raise InputError("`scores` and `outcomes` must be finite and of one length, with at least one entry.")
    edges = np.linspace(scores.min(), scores.max(), count + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, count - 1)
    found = []
    for i in range(count):
        inside = outcomes[place == i]
        error = float(inside.std(ddof=1) / np.sqrt(inside.size)) if inside.size > 1 else None
        mean = float(inside.mean()) if inside.size else None
        found.append(Level(float(edges[i]), float(edges[i + 1]), int(inside.size), mean, error))
    return tuple(found)


def check_draws(level: float, resamples: int, seed: int) -> None:
    """Raises InputError if an option of the resampling is out of range."""
    if not 0 < level < 1:
        raise InputError(f"`level` must lie between 0 and 1; got {level}.")
    for name, value, low in (("resamples", resamples, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or value < low:
            raise InputError(f"`{name}` must be a whole number of at least {low}; got {value}.")


def _check(scores: np.ndarray, outcomes: np.ndarray) -> None:
    if scores.shape != outcomes.shape or scores.ndim != 2 or scores.shape[1] < 2:
        raise InputError(
            "`scores` and `outcomes` must both be (targets, sources) with at least 2 sources; their shapes are "
            f"{scores.shape} and {outcomes.shape}."
        )
    if not (np.isfinite(scores).all() and np.isfinite(outcomes).all()):
        raise InputError("`scores` and `outcomes` must be finite; leave out the sources that have none.")


def _varying(function: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    """Undefined, rather than a warning and nan from inside a library, where a column is constant."""
    return lambda x, y: function(x, y) if np.ptp(x) > 0 and np.ptp(y) > 0 else float("nan")


def _hit(score: np.ndarray, outcome: np.ndarray, k: int) -> float:
    """The chance that a best source is among the first k when ties of the score are broken at random."""
    if k >= len(score):
        return 1.0
    last = np.sort(score)[-k]  # of the k-th place
    best = outcome == outcome.max()
    if (best & (score > last)).any():
        return 1.0
    tied, places = int((score == last).sum()), k - int((score > last).sum())
    return float(1 - stats.hypergeom.pmf(0, tied, int((best & (score == last)).sum()), places))


def _interval(name: str, values: np.ndarray, draws: np.ndarray, level: float) -> Correlation:
    """Mean over the targets where the value is defined, and the bootstrap interval of that mean."""
    if np.isnan(values).all():
        return Correlation(name, None, None, None)
    value = float(np.nanmean(values))
    if np.count_nonzero(~np.isnan(values)) < 2:
        return Correlation(name, value, None, None)
    drawn = values[draws]
    known = ~np.isnan(drawn)
    means = np.where(known, drawn, 0).sum(axis=1)[known.any(axis=1)] / known.sum(axis=1)[known.any(axis=1)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Correlation(name, value, float(low), float(high))
