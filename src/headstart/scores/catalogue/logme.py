"""LogME: the log evidence of a Bayesian linear model from features to labels, maximised exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.scores._decomposition import largest_first, rest_of_mean
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._sums import Sums, whole_and_groups
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score
from headstart.scores._threads import one_matrix_thread

NOISE = 1e-12  # share of a target's sum of squares below which a residual is rounding, not evidence of no noise
COARSE = 0.5  # spacing of the grid of log penalties that is searched first
ROUNDS = 5  # of refinement, each on a stencil a quarter as wide; the evidence is off by the square of the last one
BELOW, ABOVE = 36.0, 25.0  # range of the log penalty: from the rounding of the largest eigenvalue to far above it
NODES = 1.0  # log penalties that left-out groups are evaluated at: so many a unit, and two more


def logme(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    task: str = "classification",
) -> float:
    """LogME: log evidence per example of the labels under a linear model on the features (higher is better).

    For each target column, the evidence of y = F w + noise is maximised over the prior and the noise precision. It is a
    function of their ratio t alone: with s_i the eigenvalues of F F', -1/2 sum log(1 + s_i / t) + n/2 log(n / R(t)) -
    n/2 (1 + log 2 pi), R(t) = y' (I + F F' / t)^-1 y. One search in t is exact, also for n < d; t at infinity,
    which means no signal, takes part. The score is the mean over columns (the classes, as 0/1) divided by n.

    Args:
        labels: (n,) classes; for regression (n,) or (n, t) numbers; for multi-label (n, t) of 0 and 1.

    Returns:
        The score in nats. Labels that are an exact linear function of the features are taken to carry noise of a
        millionth of their size, since their evidence would have no bound.

    Example:
        >>> labels = np.array([1.0, 2.0, 4.0])
        >>> useless = np.zeros((3, 2))  # then the evidence is that of noise around 0: -1/2 (1 + log(2 pi 21 / 3))
        >>> round(logme(useless, labels, task="regression"), 6)
        -2.391894
        >>> logme(np.array([[1.0], [2.0], [4.1]]), labels, task="regression") > -1
        True

    Reference: You et al., ICML 2021, section 4. https://arxiv.org/abs/2102.11005
    """
    return _measure(Inputs(labels, features=features, task=task)).value


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

    def on_grid(self, log_penalties: Float[np.ndarray, " g"]) -> Float[np.ndarray, "g t"]:
        """Log evidence of all targets at each log penalty."""
        penalties = np.exp(log_penalties)
        total = penalties[:, None] + self.squares  # (g, r)
        corner = 1 + self.n * (self.apart / penalties + (self.mean**2 / total).sum(axis=1))
        ones = self.ones - (np.sqrt(self.n * self.squares) * self.mean / total) @ self.inside
        residual = self.outside + (penalties[:, None] / total) @ self.inside**2 + ones**2 / corner[:, None]
        log_determinant = np.log1p(self.squares / penalties[:, None]).sum(axis=1) + np.log(corner)
        return np.asarray(without_signal(self.n, residual) - log_determinant[:, None] / 2)

    def at(self, log_penalties: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        """Log evidence of each target at its own log penalty."""
        penalties, squares, mean = np.exp(log_penalties), self.squares[:, None], self.mean[:, None]
        total = penalties + squares  # (r, t)
        corner = 1 + self.n * (self.apart / penalties + (mean**2 / total).sum(axis=0))
        ones = self.ones - (np.sqrt(self.n * squares) * mean / total * self.inside).sum(axis=0)
        residual = self.outside + penalties * (self.inside**2 / total).sum(axis=0) + ones**2 / corner
        log_determinant = np.log1p(squares / penalties).sum(axis=0) + np.log(corner)
        return np.asarray(without_signal(self.n, residual) - log_determinant / 2)


def of_all(maker: ResidualMaker) -> Evidence:
    """The evidence of all examples."""
    parts = maker.parts
    lengths = (maker.targets**2).sum(axis=0)
    # A residual at rounding level is not a perfect fit, unless the features span everything, which costs evidence.
    outside = np.zeros_like(lengths) if maker.complete else np.maximum(maker.outside_squares, NOISE * lengths)
    top = maker.n * float((parts.mean**2).sum()) + float(parts.squares.max(initial=0.0))
    inside, ones = maker.inside[:-1], maker.inside[-1]
    return Evidence(maker.n, parts.squares, parts.mean_inside, parts.mean_outside, inside, ones, outside, lengths, top)


def of_sums(sums: Sums, origin: Float[np.ndarray, " d"]) -> Evidence:
    """The evidence from sums over examples about `origin`; for more examples than features."""
    squares, right = largest_first(sums.scatter, int(sums.n), len(origin))
    mean, lengths, ones = sums.x / sums.n + origin, sums.yy, sums.y / np.sqrt(sums.n)
    inside, along = right.T @ sums.products / np.sqrt(squares)[:, None], right.T @ mean
    outside = np.maximum(lengths - (inside**2).sum(axis=0) - ones**2, NOISE * lengths)
    rest = rest_of_mean(mean, along)
    top = sums.n * float(mean @ mean) + float(squares.max(initial=0.0))
    return Evidence(int(sums.n), squares, along, rest, inside, ones, outside, lengths, top)


def maximum(given: Evidence) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Largest log evidence of each target, and its log penalty (infinite where the evidence is largest without signal).

    From the best point of a grid to the vertex of a parabola through it and its neighbours, again on ever finer grids.
    """
    at_infinity = without_signal(given.n, given.lengths)
    if given.top == 0:
        return at_infinity, np.full(len(at_infinity), np.inf)
    low, high = float(np.log(given.top)) - BELOW, float(np.log(given.top)) + ABOVE
    grid = np.linspace(low, high, int((high - low) / COARSE) + 2)
    values = given.on_grid(grid)
    best = values.argmax(axis=0)
    found, where, step = values.max(axis=0), grid[best], grid[1] - grid[0]
    middle = np.clip(best, 1, len(grid) - 2)
    centre = grid[middle]
    three = [values[middle + shift, np.arange(len(best))] for shift in (-1, 0, 1)]
    for _ in range(ROUNDS):
        bend, rise = three[0] - 2 * three[1] + three[2], three[2] - three[0]
        vertex = np.where(bend < 0, -rise / (2 * np.where(bend < 0, bend, -1.0)), np.sign(rise))
        centre, step = centre + step * np.clip(vertex, -1.0, 1.0), step / 4
        three = [given.at(centre + shift * step) for shift in (-1, 0, 1)]
        found, where = np.where(three[1] > found, three[1], found), np.where(three[1] > found, centre, where)
    return np.maximum(found, at_infinity), np.where(found > at_infinity, where, np.inf)


def without_signal(n: int | Int[np.ndarray, "g 1"], squares: Float[np.ndarray, "*g t"]) -> Float[np.ndarray, "*g t"]:
    """Log evidence that the best noise level alone gives to n numbers with this sum of squares."""
    return np.asarray(n / 2 * (np.log(n) - np.log(squares) - 1 - np.log(2 * np.pi)))


@dataclass(frozen=True, eq=False)
class Left:
    """What is left of the targets when a group is left out; of all examples, where none is."""

    n: int
    lengths: Float[np.ndarray, " t"]  # squares of the targets
    at: Callable[[float], tuple[Float[np.ndarray, " t"], float]]  # penalised squares and log determinant at a penalty


def _by_blocks(inputs: Inputs, group: int) -> Left:
    """From blocks of the residual maker, for fewer examples than features."""
    maker, rows = residual_maker(inputs), np.flatnonzero(inputs.groups == group)
    block = maker.outside_block(rows)
    lengths = (maker.targets**2).sum(axis=0) - (maker.targets[rows] ** 2).sum(axis=0)
    return Left(
        maker.n - len(rows), lengths, lambda penalty: maker.squares_without(maker.uncentred(penalty), rows, block)
    )


def _by_sums(inputs: Inputs, group: int) -> Left:
    """From sums over the examples."""
    origin, whole, own = whole_and_groups(inputs)
    sums = whole if group < 0 else whole - own(group)
    mean = sums.x / sums.n + origin
    gram = sums.scatter + sums.n * np.outer(mean, mean)
    products = sums.xy + np.outer(origin, sums.y)

    def at(penalty: float) -> tuple[Float[np.ndarray, " t"], float]:
        matrix = gram + penalty * np.eye(len(gram))
        factor = scipy.linalg.cholesky(matrix.T, overwrite_a=True, check_finite=False)  # in place: column by column
        explained = scipy.linalg.lapack.dtrtrs(factor, products, trans=1)[0]
        log_determinant = 2 * float(np.log(np.diagonal(factor)).sum()) - len(gram) * float(np.log(penalty))
        return np.maximum(sums.yy - (explained**2).sum(axis=0), 0.0), log_determinant

    return Left(int(sums.n), sums.yy, at)


def _at_held_penalties(
    inputs: Inputs, left: Callable[[Inputs, int], Left], value: float, best: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " g"]:
    """The score without each group, the penalties held at those of all examples, where the evidence is flat.

    Between a few penalties the evidence is interpolated; what that costs on all examples is added again.
    """
    whole, signal = left(inputs, -1), np.isfinite(best)
    complete = left is _by_blocks and residual_maker(inputs).complete
    least = NOISE * whole.lengths * (not complete) + np.finfo(float).tiny
    nodes, weights = interpolation(best[signal])

    def score(one: Left) -> float:
        evidence = without_signal(one.n, np.maximum(one.lengths, least))
        found = np.zeros_like(weights)
        for node, penalty in enumerate(np.exp(nodes)):
            squares, log_determinant = one.at(float(penalty))
            found[node] = without_signal(one.n, np.maximum(squares, least)[signal]) - log_determinant / 2
        evidence[signal] = (weights * found).sum(axis=0)
        present = one.lengths > NOISE * whole.lengths  # a class that is gone altogether is left out
        return float(evidence[present].mean()) / one.n

    off = value - score(whole)
    return np.array([score(left(inputs, group)) + off for group in range(inputs.group_count)])


def interpolation(points: Float[np.ndarray, " t"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k t"]]:
    """Nodes (Chebyshev's) in the range of the points, and what a smooth function's values there weigh at each point.

    Example:
        >>> nodes, weights = interpolation(np.array([1.0, 2.0, 4.0]))
        >>> ((nodes**3) @ weights).round(9).tolist()
        [1.0, 8.0, 64.0]
    """
    if not len(points):
        return np.empty(0), np.empty((0, 0))
    middle, half = (points.max() + points.min()) / 2, (points.max() - points.min()) / 2
    count = 2 + int(np.ceil(2 * NODES * half)) if half > 0 else 1
    nodes = middle + half * np.cos(np.pi * (2 * np.arange(count) + 1) / (2 * count))
    weights = [
        np.prod([(points - other) / (node - other) for other in nodes if other != node], axis=0) for node in nodes
    ]
    return nodes, np.reshape(weights, (count, -1)) if count > 1 else np.ones((1, len(points)))


def _measure(inputs: Inputs) -> Measured:
    n, d = inputs.features.shape
    if n - inputs.largest_group > d:
        origin, whole, _ = whole_and_groups(inputs)
        left, given = _by_sums, of_sums(whole, origin)
        saturated = bool((given.outside <= NOISE * given.lengths).any())
    else:
        maker = residual_maker(inputs)
        left, given = _by_blocks, of_all(maker)
        exact = maker.outside_squares < NOISE * (maker.targets**2).sum(axis=0)
        saturated = not maker.complete and bool(exact.any())
    evidence, best = maximum(given)
    value, deleted = float(evidence.mean() / n), None
    if inputs.groups is not None:
        with one_matrix_thread():
            deleted = _at_held_penalties(inputs, left, value, best)
    blind = np.count_nonzero(np.isinf(best))
    notes = [f"no signal for {blind} of {len(best)} targets"] if blind else []
    if saturated:
        notes.append("saturated: the labels are an exact linear function of the features")
    return Measured(value, deleted, tuple(notes))


SCORES.add(
    Score(
        title="LogME",
        function=logme,
        needs="features",
        tasks=ANY_TASK,
        cost="O(n d min(n, d))",
        meaning="How probable the labels are under a linear model on the features that does not overfit.",
        invariances={"order", "names", "unused", "scale", "rotation"},
        default=7,
        measure=_measure,
    )
)
