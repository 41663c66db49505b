"""LogME: the log evidence of a Bayesian linear model from features to labels, maximised exactly."""

from dataclasses import dataclass, replace

import numpy as np
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
NODES = 10  # log penalties per unit that left-out groups are evaluated at


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


def _at_held_penalties(
    maker: ResidualMaker, members: list[np.ndarray], value: float, best: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " g"]:
    """The score without each group, the penalties held near those of all examples, where the evidence is flat.

    Targets with nearly the same penalty share one, and what that costs on all examples is added again.
    """
    lengths = (maker.targets**2).sum(axis=0)
    least = NOISE * lengths * (not maker.complete) + np.finfo(float).tiny
    left = lengths - np.array([(maker.targets[rows] ** 2).sum(axis=0) for rows in members])  # (g, t)
    kept = np.array([maker.n - len(rows) for rows in members])
    present = left > NOISE * lengths  # a class that is gone altogether is left out
    evidence = without_signal(kept[:, None], np.maximum(left, least))
    everything = without_signal(maker.n, lengths)
    blocks = [maker.outside_block(rows) for rows in members]
    nodes = np.round(best * NODES)
    for node in np.unique(nodes[np.isfinite(nodes)]):
        columns, spectrum = nodes == node, maker.uncentred(float(np.exp(node / NODES)))
        squares = np.maximum(maker.squares(spectrum), least)[columns]
        everything[columns] = without_signal(maker.n, squares) - spectrum.log_determinant / 2
        for group, (rows, block) in enumerate(zip(members, blocks, strict=True)):
            rest, log_determinant = maker.squares_without(spectrum, rows, block)
            signal = without_signal(int(kept[group]), np.maximum(rest, least)[columns])
            evidence[group, columns] = signal - log_determinant / 2
    means = (evidence * present).sum(axis=1) / present.sum(axis=1)
    return np.asarray(means / kept + value - everything.mean() / maker.n)


def _without(sums: Sums, origin: Float[np.ndarray, " d"], lengths: Float[np.ndarray, " t"]) -> float:
    """The score of fewer examples; a class that is gone altogether is left out."""
    present = sums.yy > NOISE * lengths
    kept = replace(sums, y=sums.y[present], xy=sums.xy[:, present], yy=sums.yy[present])
    return float(maximum(of_sums(kept, origin))[0].mean() / sums.n)


def _measure(inputs: Inputs) -> Measured:
    n, d = inputs.features.shape
    deleted = None
    if n - inputs.largest_group > d and (inputs.groups is None or inputs.largest_group > d / 2):
        origin, whole, own = whole_and_groups(inputs)
        given = of_sums(whole, origin)
        evidence, best = maximum(given)
        if inputs.groups is not None:
            groups = range(inputs.group_count)
            deleted = np.array([_without(whole - own(group), origin, whole.yy) for group in groups])
        value, saturated = float(evidence.mean() / n), bool((given.outside <= NOISE * given.lengths).any())
    else:
        maker = residual_maker(inputs)
        evidence, best = maximum(of_all(maker))
        value = float(evidence.mean() / n)
        exact = maker.outside_squares < NOISE * (maker.targets**2).sum(axis=0)
        saturated = not maker.complete and bool(exact.any())
        if inputs.groups is not None:
            members = [np.flatnonzero(inputs.groups == group) for group in range(inputs.group_count)]
            with one_matrix_thread():
                deleted = _at_held_penalties(maker, members, value, best)
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
