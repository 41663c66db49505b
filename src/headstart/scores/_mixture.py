"""A Gaussian mixture fitted by EM, seeded, exact to rounding, and quick where responsibilities are sparse.

Most components are far from most examples. For any direction v, (v'(x - m))^2 / v'Sv is at most the squared Mahalanobis
distance of x from m; one well-chosen direction for each component, tested for all examples by one matrix product, rules
out nearly all pairs. The others are summed one coordinate at a time and given up once they are so far below the
example's best that the responsibility is below the rounding of one. What is left is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.scores._compiled import compiled
from headstart.scores._threads import over_shares, thread_count

_NEGLIGIBLE = 40.0  # nats below the best: e^-40 = 4e-18, nothing beside 1 in float64
_LLOYD = 10  # a start for EM, not a clustering
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Mixture:
    """What EM leaves: responsibilities and how well the data are described."""

    posterior: Float[np.ndarray, "n k"]
    log_likelihood: float  # mean over examples, nats
    steps: int
    settled: bool


def fit_mixture(
    x: Float[np.ndarray, "n d"],
    components: int,
    *,
    seed: int = 0,
    floor: float = 1e-6,
    tolerance: float = 1e-3,
    steps: int = 100,
) -> Mixture:
    """Fit by EM from k-means, as scikit-learn's GaussianMixture does with its own defaults.

    Args:
        x: Examples; columns by falling variance make it quickest.
        components: Number of Gaussians; those that no example chooses at the start are dropped.
        seed: For the k-means start.
        floor: Added to the diagonal of every covariance, in squared units of x.
        tolerance: EM stops when the mean log-likelihood gains less than this.
        steps: Most EM steps.
    """
    return run_em(x, k_means(x, components, seed), floor, tolerance, steps)


def run_em(x: np.ndarray, start: Int[np.ndarray, " n"], floor: float, tolerance: float, steps: int) -> Mixture:
    """EM from hard assignments `start` to components 0, 1, ..."""
    count = int(start.max()) + 1
    sizes = np.bincount(start, minlength=count)
    weights = scipy.sparse.csc_array((np.ones(len(x)), (np.arange(len(x)), start)), shape=(len(x), count))[:, sizes > 0]
    best = (np.cumsum(sizes > 0) - 1)[start]
    before = -np.inf
    for step in range(1, steps + 1):
        posterior, best, value = _responsibilities(x, best, *_gaussians(x, weights, floor))
        if value - before < tolerance:
            return Mixture(posterior, value, step, True)
        before, old, weights = value, weights, scipy.sparse.csc_array(posterior)
        if _same(old, weights):  # as where each Gaussian keeps its own few examples: all further steps are this one
            return Mixture(posterior, value, step, True)
    return Mixture(posterior, before, steps, False)


def _same(one: "scipy.sparse.csc_array", other: "scipy.sparse.csc_array") -> bool:
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("indptr", "indices", "data"))


def k_means(x: Float[np.ndarray, "n d"], count: int, seed: int) -> Int[np.ndarray, " n"]:
    """Codes of the nearest of at most `count` centres after a seeded spread-out start and a few Lloyd steps."""
    rng = np.random.default_rng(seed)
    sample = x if len(x) <= 10 * count else x[rng.permutation(len(x))[: 10 * count]]
    centres = _spread_out(sample, count, rng)
    codes = np.full(len(x), -1)
    for _ in range(_LLOYD):
        old, codes = codes, _nearest(x, centres)
        if np.array_equal(old, codes):
            break
        sizes = np.bincount(codes, minlength=len(centres)).astype(np.float64)
        picks = scipy.sparse.csr_array((np.ones(len(x)), codes, np.arange(len(x) + 1)), shape=(len(x), len(centres)))
        sums = picks.T @ x
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return np.unique(codes, return_inverse=True)[1]


def _spread_out(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each centre an example drawn in proportion to its squared distance to the nearest centre so far."""
    chosen = [int(rng.integers(len(x)))]
    norms = (x**2).sum(axis=1)
    nearest = np.full(len(x), np.inf)
    rounding = 1e-13 * max(float(norms.max()), np.finfo(float).tiny)
    for _ in range(count - 1):
        last = x[chosen[-1]]
        nearest = np.minimum(nearest, norms - 2 * (x @ last) + last @ last)
        nearest[nearest < rounding] = 0.0  # an example that is a centre already
        total = np.cumsum(nearest)
        if total[-1] <= 0:  # fewer distinct examples than centres
            break
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return x[chosen]


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    halves = 0.5 * (centres**2).sum(axis=1)
    blocks = range(0, len(x), _BLOCK)
    return np.concatenate([np.argmin(halves - x[at : at + _BLOCK] @ centres.T, axis=1) for at in blocks])


def _gaussians(
    x: np.ndarray, weights: "scipy.sparse.csc_array", floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """M-step: centres (k, d); Cholesky factors (k, d, d), their diagonals inverted; log-weight plus log-normaliser; and
    for each component the direction, of unit variance, along which it is furthest from the mean of all, (k, d).
    """
    n, d = x.shape
    masses = np.asarray(weights.sum(axis=0)).ravel()
    centres = (weights.T @ x) / masses[:, None]
    apart = centres - x.mean(axis=0)
    factors, white, directions = np.empty((len(masses), d, d)), np.empty_like(apart), np.empty_like(apart)
    for k in range(len(masses)):
        rows = weights.indices[weights.indptr[k] : weights.indptr[k + 1]]
        share = weights.data[weights.indptr[k] : weights.indptr[k + 1]]
        left = (x[rows] - centres[k]) * np.sqrt(share / masses[k])[:, None]
        scatter = left.T @ left
        scatter.flat[:: d + 1] += floor
        upper = scipy.linalg.cholesky(scatter.T, overwrite_a=True, check_finite=False)  # in place: column by column
        white[k] = scipy.linalg.lapack.dtrtrs(upper, apart[k], trans=1)[0]
        directions[k] = scipy.linalg.lapack.dtrtrs(upper, white[k])[0]
        factors[k] = upper.T
    diagonals = np.einsum("kjj->kj", factors)
    diagonals[:] = 1 / diagonals
    logdets = np.log(diagonals).sum(axis=1)
    spread = np.sqrt((white**2).sum(axis=1))
    directions = directions / np.where(spread > 0, spread, np.inf)[:, None]
    return centres, factors, np.log(masses / n) + logdets - 0.5 * d * np.log(2 * np.pi), directions


def _responsibilities(
    x: np.ndarray,
    best: np.ndarray,
    centres: np.ndarray,
    factors: np.ndarray,
    offsets: np.ndarray,
    directions: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float]:
    """E-step: posterior (n, k), each example's best component, and the mean log-likelihood."""
    posterior = np.zeros((len(x), len(offsets)))
    values, chosen = np.empty(len(x)), np.empty(len(x), dtype=np.int64)
    blocks = [slice(at, min(at + _BLOCK, len(x))) for at in range(0, len(x), _BLOCK)]

    middles = (centres * directions).sum(axis=1)

    def work(share: Sequence[slice]) -> None:
        for block in share:
            tests = x[block] @ directions.T - middles
            out = posterior[block], values[block], chosen[block]
            _rows(x[block], best[block], centres, factors, offsets, tests, *out)

    over_shares(work, blocks, thread_count())
    return posterior, chosen, float(values.mean())


@compiled
@no_type_check
def _normalise(logs, best, row, values, i):
    total = 0.0
    for k in range(logs.size):
        share = np.exp(logs[k] - best) if logs[k] > best - _NEGLIGIBLE else 0.0
        row[k] = share
        total += share
    for k in range(logs.size):
        row[k] /= total
    values[i] = best + np.log(total)


@compiled
@no_type_check
def _rows(x, guess, centres, factors, offsets, tests, posterior, values, chosen):
    """One row of `posterior` for each row of x; components given up early stay zero.

    `factors` are Cholesky's lower triangles with inverted diagonals (k, d, d), solved row by row.
    """
    n, d = x.shape
    count = offsets.size
    white = np.empty(d)
    logs = np.empty(count)
    for i in range(n):
        best = -np.inf
        for turn in range(count + 1):  # the guessed component first: a good bound from the start
            k = guess[i] if turn == 0 else turn - 1
            if turn > 0 and k == guess[i]:
                continue
            limit = 2.0 * (offsets[k] - best + _NEGLIGIBLE)
            if tests[i, k] * tests[i, k] > limit:
                logs[k] = -np.inf
                continue
            total = 0.0
            for j in range(d):
                if total > limit:
                    break
                value = x[i, j] - centres[k, j]
                row = factors[k, j]
                known = 0.0
                for m in range(j):
                    known += row[m] * white[m]
                white[j] = (value - known) * row[j]
                total += white[j] * white[j]
            logs[k] = offsets[k] - 0.5 * total if total <= limit else -np.inf
            if logs[k] > best:
                best = logs[k]
                chosen[i] = k
        _normalise(logs, best, posterior[i], values, i)
