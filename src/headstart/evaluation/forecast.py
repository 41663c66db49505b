"""How well a score predicts outcomes: correlations, regret, hits and levels, with intervals over targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import stats

from headstart.errors import InputError
from headstart.scores import weighted_taus

Weights = Literal["outcome", "score", "both"]
FEWEST = 6  # targets: statistics of fewer are too skewed for a t interval


@dataclass(frozen=True)
class Correlation:
    """The mean of a statistic over targets, with a t interval; None with fewer than `FEWEST` targets."""

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


def forecast(
    scores: np.ndarray,
    outcomes: np.ndarray,
    *,
    weights: Weights = "both",
    top: Sequence[int] = (1, 3),
    level: float = 0.95,
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
        level: Coverage of the intervals of the means over the targets; fewer than six targets have none.

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
    check_options(weights, level)

    def over_targets(name: str, function: Callable[[np.ndarray, np.ndarray], float]) -> Correlation:
        values = np.array([function(x, y) for x, y in zip(scores, outcomes, strict=True)])
        return _interval(name, values, level)

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
    check_options(weights)
    return weighted_taus(score, outcome)["truth" if weights == "outcome" else weights]


def check_options(weights: str, level: float = 0.95) -> None:
    """Say at once that a forecast cannot be made with these options.

    Raises:
        InputError: `weights` is none of the three words, or `level` does not lie between 0 and 1.
    """
    if weights not in get_args(Weights):
        raise InputError(f"`weights` must be outcome, score or both; got {weights!r}.")
    if not 0 < level < 1:
        raise InputError(f"`level` must lie between 0 and 1; got {level}.")


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


def _interval(name: str, values: np.ndarray, level: float) -> Correlation:
    """Mean over the targets where the value is defined, and its t interval."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return Correlation(name, None, None, None)
    value = float(known.mean())
    if known.size < FEWEST:
        return Correlation(name, value, None, None)
    reach = float(stats.t.ppf((1 + level) / 2, known.size - 1) * known.std(ddof=1) / np.sqrt(known.size))
    return Correlation(name, value, value - reach, value + reach)
