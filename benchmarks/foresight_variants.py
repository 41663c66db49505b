"""Candidates for calibrated LEEP: what is scored is always an example by a table that was counted without it.

Each is `variant(logits, labels) -> float`, mean leave-one-out (or five-fold) log-likelihood, higher is better. They
share a form: the logits of a source, at some temperature, become weights p (n, z); each source class z holds the label
frequencies of the examples in it, smoothed; an example's likelihood is the mixture of these by its own weights.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import njit
from scipy.optimize import minimize_scalar
from sklearn.cluster import MiniBatchKMeans

from headstart.data import stratified_order

PRIOR = 0.5
TEMPERATURES = 4.0 ** np.arange(-3, 5)
PRIORS = (0.02, 0.1, 0.5, 2.5, 12.5)
FOLDS = 5
EM_STEPS = (2, 3, 5, 10, 30)

Variant = Callable[[np.ndarray, np.ndarray], float]
fast: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(cache=False, fastmath=True)  # numba has no types


@fast
def _counts(p: np.ndarray, y: np.ndarray, joint: np.ndarray, square: np.ndarray) -> None:
    for i in range(p.shape[0]):
        for k in range(p.shape[1]):
            joint[y[i], k] += p[i, k]
            square[k] += p[i, k] * p[i, k]


@fast
def _own_left_out(
    p: np.ndarray,
    y: np.ndarray,
    joint: np.ndarray,
    mass: np.ndarray,
    square: np.ndarray,
    frequency: np.ndarray,
    prior: float,
    kish: bool,
) -> float:
    """Mean log-likelihood; with `kish` the prior count of a source class is in units of its mean weight."""
    total = 0.0
    for i in range(p.shape[0]):
        inside = 0.0
        own = joint[y[i]]
        b = frequency[y[i]]
        for k in range(p.shape[1]):
            v = p[i, k]
            rest = mass[k] - v
            a = prior
            if kish:
                a = prior * max(square[k] - v * v, 0.0) / max(rest, 1e-30) if rest > 1e-12 * mass[k] else 0.0
            below = rest + a
            if below > 1e-12 * mass[k] and below > 0.0:
                inside += v * (max(own[k] - v, 0.0) + a * b) / below
            else:
                inside += v * b  # nothing known of this class without the example
        total += math.log(inside)
    return float(total / p.shape[0])


def weights(logits: np.ndarray, temperature: float) -> np.ndarray:
    values = (logits - logits.max(axis=1, keepdims=True)) / temperature
    np.exp(values, out=values)
    values /= values.sum(axis=1, keepdims=True)
    return np.asarray(values, dtype=np.float64)


def left_out(p: np.ndarray, codes: np.ndarray, priors: tuple[float, ...], kish: bool) -> list[float]:
    """The leave-one-out value at each prior count."""
    classes = int(codes.max()) + 1
    joint, square = np.zeros((classes, p.shape[1])), np.zeros(p.shape[1])
    _counts(p, codes, joint, square)
    counts = np.bincount(codes)
    frequency = (counts - 0.5) / (len(codes) - 1 + classes / 2)
    mass = joint.sum(axis=0)
    return [_own_left_out(p, codes, joint, mass, square, frequency, prior, kish) for prior in priors]


def at_best_temperature(value: Callable[[float], float]) -> tuple[float, float]:
    """(value, log temperature) of the maximum: a coarse look, then Brent around the best."""
    grid = np.log(TEMPERATURES)
    values = [value(point) for point in grid]
    at = int(np.argmax(values))
    bounds = (grid[max(0, at - 1)], grid[min(len(grid) - 1, at + 1)])
    found = minimize_scalar(lambda t: -value(t), bounds=bounds, method="bounded", options={"xatol": 0.02})
    return (-float(found.fun), float(found.x)) if -found.fun >= values[at] else (values[at], float(grid[at]))


def calibrated(
    logits: np.ndarray, labels: np.ndarray, *, priors: tuple[float, ...] = (PRIOR,), kish: bool = False
) -> float:
    return at_best_temperature(lambda t: max(left_out(weights(logits, float(np.exp(t))), labels, priors, kish)))[0]


def centred(logits: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Each source class's mean logit over the data taken out: what it says beyond what it says of every example."""
    return np.asarray(logits - share * logits.mean(axis=0))


def standardised(logits: np.ndarray) -> np.ndarray:
    spread = logits.std(axis=0)
    return np.asarray(centred(logits) / np.where(spread > 0, spread, 1.0) * spread.mean())


def corrected(logits: np.ndarray, labels: np.ndarray) -> float:
    """Each source class's weights divided by their mean over the data, at every temperature: all weigh alike."""

    def value(log_temperature: float) -> float:
        p = weights(logits, float(np.exp(log_temperature)))
        mean = p.mean(axis=0)
        p /= np.where(mean > 0, mean, 1.0)
        return left_out(p / p.sum(axis=1, keepdims=True), labels, (PRIOR,), True)[0]

    return at_best_temperature(value)[0]


def over(make: Iterator[np.ndarray], labels: np.ndarray, *, kish: bool = False) -> float:
    """The best of several forms of the logits, none of which looks at the labels."""
    return max(calibrated(logits, labels, kish=kish) for logits in make)


def pruned(logits: np.ndarray, labels: np.ndarray) -> float:
    """The k source classes of most mass at temperature 1, k by the leave-one-out value."""
    order = np.argsort(-weights(logits, 1.0).sum(axis=0))
    sizes = [k for k in (4, 16, 64, 256) if k < logits.shape[1]] + [logits.shape[1]]
    return over((np.ascontiguousarray(logits[:, order[:k]]) for k in sizes), labels)


def merged(logits: np.ndarray, labels: np.ndarray) -> float:
    """Source classes whose logits go together over the data averaged into k, k by the leave-one-out value."""
    return over(_clusters(logits), labels)


def _clusters(logits: np.ndarray) -> Iterator[np.ndarray]:
    columns = standardised(logits).T
    for k in (16, 64, 256):
        if k < len(columns):
            found = MiniBatchKMeans(k, n_init=1, max_iter=20, batch_size=1024, random_state=0).fit(columns).labels_
            yield np.stack([centred(logits)[:, found == c].mean(axis=1) for c in np.unique(found)], axis=1)
    yield centred(logits)


def em_folds(logits: np.ndarray, labels: np.ndarray, temperatures: tuple[float, ...]) -> dict[int, float]:
    """Best five-fold value over the temperatures, after each of `EM_STEPS` steps of expectation maximisation."""
    best: dict[int, float] = dict.fromkeys(EM_STEPS, -np.inf)
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.asarray(stratified_order(labels, 0))] = np.arange(len(labels)) % FOLDS
    for temperature in temperatures:
        p = weights(logits, temperature)
        terms = {step: np.empty(len(labels)) for step in EM_STEPS}
        for f in range(FOLDS):
            kept = fold != f
            for step, table in _em(p[kept], labels[kept], int(labels.max()) + 1):
                terms[step][~kept] = np.log((table[labels[~kept]] * p[~kept]).sum(axis=1))
        for step in EM_STEPS:
            best[step] = max(best[step], float(terms[step].mean()))
    return best


def _em(p: np.ndarray, y: np.ndarray, classes: int) -> Iterator[tuple[int, np.ndarray]]:
    prior = (np.bincount(y, minlength=classes) + 0.5) / (len(y) + classes / 2)
    table = np.repeat(prior[:, None], p.shape[1], axis=1)
    one_hot = np.eye(classes)[y]
    for step in range(1, max(EM_STEPS) + 1):
        inverse = 1 / (table[y] * p).sum(axis=1)
        counts = table * (one_hot.T @ (p * inverse[:, None])) + PRIOR * prior[:, None]
        table = counts / counts.sum(axis=0)
        if step in EM_STEPS:
            yield step, table


VARIANTS: dict[str, Variant] = {
    "T": calibrated,
    "T, prior": lambda x, y: calibrated(x, y, priors=PRIORS),
    "T, Kish prior": lambda x, y: calibrated(x, y, kish=True),
    "T, Kish prior chosen": lambda x, y: calibrated(x, y, priors=PRIORS, kish=True),
    "T, pruned": pruned,
    "T, merged": merged,
    "T, centred": lambda x, y: calibrated(centred(x), y),
    "T, centred Kish": lambda x, y: calibrated(centred(x), y, kish=True),
    "T, centring chosen, Kish": lambda x, y: over((centred(x, s) for s in (0.0, 0.5, 1.0)), y, kish=True),
    "T, standardised Kish": lambda x, y: calibrated(standardised(x), y, kish=True),
}
