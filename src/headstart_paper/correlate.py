"""How well scores predicted outcomes over many tasks: coefficients, a confound held fixed, how high they can go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

ROUNDING = 1e-4  # share of a column's range below which what a third variable leaves of it means nothing


@dataclass(frozen=True)
class Coefficient:
    """A Pearson coefficient with its two-sided p-value and 95 % interval (Fisher's z)."""

    value: float
    p: float
    low: float
    high: float


def pearson(x: ArrayLike, y: ArrayLike, *, given: ArrayLike | None = None) -> Coefficient | None:
    """Pearson's coefficient, or the partial one given a third variable; None where a column does not vary.

    Args:
        given: What is held fixed: both are taken relative to their line on it.

    Example:
        >>> round(pearson([1, 2, 3, 4, 5], [1, 2, 3, 5, 4]).value, 6)
        0.9
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    held = 0 if given is None else 1
    n = len(a)
    if n < 4 + held or not (np.isfinite(a).all() and np.isfinite(b).all()) or _flat(a) or _flat(b):
        return None
    if given is not None:
        third = np.asarray(given, dtype=np.float64)
        if _flat(third):
            return None
        rest_a, rest_b = _residuals(a, third), _residuals(b, third)
        if np.ptp(rest_a) <= ROUNDING * np.ptp(a) or np.ptp(rest_b) <= ROUNDING * np.ptp(b):
            return None  # nothing is left but the rounding of the stored values
        a, b = rest_a, rest_b
    return coefficient(float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1)), n - held)


def coefficient(value: float, n: int) -> Coefficient:
    """A Pearson coefficient over n tasks with its p-value and interval; of a partial one, n is one less.

    Example:
        >>> round(coefficient(0.059, 200).p, 2)
        0.41
    """
    freedom = n - 2
    share = max(1 - value**2, 1e-30)
    p = float(2 * stats.t.sf(abs(value) * np.sqrt(freedom / share), freedom))
    return Coefficient(value, p, *_fisher(value, n))


def difference(first: tuple[float, int], second: tuple[float, int]) -> tuple[float, float, float]:
    """The difference of two coefficients, each with its number of tasks, and its 95 % interval (Zou 2007).

    Example:
        >>> [round(value, 2) for value in difference((0.8, 200), (0.5, 200))]
        [0.3, 0.19, 0.42]
    """
    (one, _), (other, _) = first, second
    (low, high), (least, most) = _fisher(*first), _fisher(*second)
    gap = one - other
    return gap, float(gap - np.hypot(one - low, most - other)), float(gap + np.hypot(high - one, other - least))


def _fisher(value: float, n: int) -> tuple[float, float]:
    z, width = np.arctanh(np.clip(value, -1 + 1e-15, 1 - 1e-15)), 1.959964 / np.sqrt(max(n - 3, 1))
    return float(np.tanh(z - width)), float(np.tanh(z + width))


def relative_to_chance(accuracy: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """0 for guessing evenly among the classes, 1 for no error.

    Example:
        >>> relative_to_chance(np.array([0.5, 0.75]), np.array([2, 2])).tolist()
        [0.0, 0.5]
    """
    chance = 1 / np.asarray(classes, dtype=np.float64)
    return (np.asarray(accuracy, dtype=np.float64) - chance) / (1 - chance)


def ceiling(outcomes: Mapping[int, Sequence[float]]) -> float | None:
    """The highest Pearson coefficient a perfect score can reach, seen from outcomes repeated with several seeds.

    The square root of the outcomes' reliability: the share of the variance between tasks that is not the seed's
    (one-way intraclass correlation). None with fewer than three tasks of two outcomes.

    Args:
        outcomes: Task -> its outcomes, one a seed.

    Example:
        >>> ceiling({0: [0.5, 0.5], 1: [0.7, 0.7], 2: [0.9, 0.9]})
        1.0
    """
    repeated = [np.asarray(values, dtype=np.float64) for values in outcomes.values() if len(values) > 1]
    if len(repeated) < 3:
        return None
    k = min(map(len, repeated))
    table = np.stack([values[:k] for values in repeated])
    between = k * table.mean(axis=1).var(ddof=1)
    within = table.var(axis=1, ddof=1).mean()
    total = between + (k - 1) * within
    return float(np.sqrt(max(0.0, (between - within) / total))) if total > 0 else None


def _flat(x: np.ndarray) -> bool:
    return bool(np.ptp(x) <= 1e-12 * max(1.0, float(np.abs(x).max())))


def _residuals(values: np.ndarray, third: np.ndarray) -> np.ndarray:
    slope, start = np.polyfit(third, values, 1)
    return np.asarray(values - slope * third - start)
