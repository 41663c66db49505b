"""LogME: the log evidence of a Bayesian linear model from features to labels, maximised exactly."""

from functools import cache

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.scores._decomposition import decompose
from headstart.scores._evidence import NOISE, maximum, of_all, of_moments, without_signal
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score
from headstart.scores._threads import one_matrix_thread

FEW = 100  # examples up to which a left-out group may move the evidence to another peak, and a search costs little
NODE = 0.4  # spacing of the log penalties at which left-out groups are computed
OFFSETS = np.arange(-2, 3)  # nodes that one interpolation uses
FINE = np.linspace(-2, 2, 801)
WEIGHTS = np.column_stack([np.prod([(FINE - o) / (k - o) for o in OFFSETS if o != k], axis=0) for k in OFFSETS])


def logme(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    task: str = "classification",
) -> float:
    """LogME: log evidence per example that a linear model on the features makes the labels (higher is better).

    For each target column, the evidence of y = F w + noise is maximised over the prior and the noise precision. It is a
    function of their ratio t alone: with s_i the eigenvalues of F F', -1/2 sum log(1 + s_i / t) + n/2 log(n / R(t)) -
    n/2 (1 + log 2 pi), R(t) = y' (I + F F' / t)^-1 y. One search in t is exact, for n < d as well; t to infinity, no
    signal, takes part. The score is the mean over columns (the classes, as 0/1) divided by n.

    Args:
        features: What goes into the source's head.
        labels: (n,) classes; for regression (n,) or (n, t) numbers; for multi-label (n, t) of 0 and 1.
        task: What the labels are.

    Returns:
        The score in nats. Labels that are an exact linear function of the features are taken to carry noise of a
        millionth of their size, since their evidence would have no bound.

    Raises:
        InputError: Shapes disagree, `features` is not finite, or the labels do not fit the task.

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


def _deleted(maker: ResidualMaker, groups: Int[np.ndarray, " n"], best: Float[np.ndarray, " t"]) -> np.ndarray:
    """The score without each group, each target's penalty chosen again without it.

    With few examples the others are solved anew; large groups are subtracted from sums over all examples. Otherwise
    every value used is exact, and between five penalties around the old best one the evidence is interpolated.
    """
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max()) + 1)]
    lengths = (maker.targets**2).sum(axis=0)
    few, small = maker.n <= FEW, max(map(len, members)) <= maker.basis.shape[1] / 2
    points = _points(maker) if few or not small else np.empty((0, 0))
    gram, products = points.T @ points, points.T @ maker.targets if points.size else points
    values = np.empty(len(members))
    for group, rows in enumerate(members):
        kept = maker.n - len(rows)
        left = lengths - (maker.targets[rows] ** 2).sum(axis=0)
        present = np.flatnonzero(left > NOISE * lengths)  # a class that is gone altogether is left out
        if few:
            others = np.delete(np.arange(maker.n), rows)
            evidence, _ = maximum(
                of_all(ResidualMaker(decompose(points[others]), maker.targets[np.ix_(others, present)]))
            )
        elif small or kept <= points.shape[1]:
            evidence = _interpolated(maker, rows, present, left[present], best[present])
        else:
            own = points[rows]
            rest = products[:, present] - own.T @ maker.targets[np.ix_(rows, present)]
            evidence, _ = maximum(of_moments(kept, gram - own.T @ own, rest, left[present]))
        values[group] = evidence.mean() / kept
    return values


def _points(maker: ResidualMaker) -> Float[np.ndarray, "n k"]:
    """The examples as they are, the mean included, in as few coordinates as hold them."""
    inside = maker.parts.reduced + maker.parts.mean_inside
    return np.column_stack([inside, np.full(maker.n, np.sqrt(maker.parts.mean_outside))])


def _interpolated(
    maker: ResidualMaker,
    rows: Int[np.ndarray, " m"],
    columns: Int[np.ndarray, " f"],
    lengths: Float[np.ndarray, " f"],
    best: Float[np.ndarray, " f"],
) -> Float[np.ndarray, " f"]:
    """Largest evidence without `rows`, near the log penalty that is best with them; no signal takes part."""
    evidence = without_signal(maker.n - len(rows), lengths)
    signal = np.isfinite(best)
    if signal.any():
        nearby = _nearby(maker, rows, columns[signal], np.round(best[signal] / NODE).astype(np.int64))
        evidence[signal] = np.maximum(evidence[signal], nearby)
    return evidence


def _nearby(
    maker: ResidualMaker, rows: Int[np.ndarray, " m"], columns: Int[np.ndarray, " f"], centres: Int[np.ndarray, " f"]
) -> Float[np.ndarray, " f"]:
    """Largest evidence without `rows`, uphill from each column's own node of the log penalty."""
    kept = maker.n - len(rows)
    outside = maker.outside_block(rows)
    floor = NOISE * (maker.targets[:, columns] ** 2).sum(axis=0) * (not maker.complete)
    low, high = (int(bound / NODE) for bound in of_all(maker).bounds() or (0.0, 0.0))

    @cache
    def at_node(node: int) -> np.ndarray:
        left, log_determinant = maker.squares_without(maker.uncentred(float(np.exp(node * NODE))), rows, outside)
        residual = np.maximum(left[columns], floor + np.finfo(float).tiny)
        return without_signal(kept, residual) - log_determinant / 2

    curve = np.empty((0, 0))
    for _ in range(100):  # far more than the range holds
        nodes = centres + OFFSETS[:, None]  # (5, f)
        values = np.empty(nodes.shape)
        for node in np.unique(nodes):
            here = nodes == node
            values[here] = at_node(int(node))[np.nonzero(here)[1]]
        curve = WEIGHTS @ values  # (fine, f)
        peak = curve.argmax(axis=0)
        move = 2 * (peak == len(FINE) - 1) - 2 * (peak == 0)
        moved = np.clip(centres + move, low, high)
        if (moved == centres).all():
            break
        centres = moved
    return np.asarray(curve.max(axis=0))


def _measure(inputs: Inputs) -> Measured:
    maker = residual_maker(inputs)
    evidence, best = maximum(of_all(maker))
    value = float(evidence.mean() / maker.n)
    notes = []
    blind = np.count_nonzero(np.isinf(best))
    if blind:
        notes.append(f"no signal for {blind} of {len(best)} targets")
    if not maker.complete and (maker.outside_squares < NOISE * (maker.targets**2).sum(axis=0)).any():
        notes.append("saturated: the labels are an exact linear function of the features")
    if inputs.groups is None:
        return Measured(value, None, tuple(notes))
    with one_matrix_thread():
        return Measured(value, _deleted(maker, inputs.groups, best), tuple(notes))


SCORES.add(
    Score(
        title="LogME",
        function=logme,
        needs="features",
        tasks=ANY_TASK,
        cost="O(n d min(n, d))",
        citation="You et al., ICML 2021, section 4, https://arxiv.org/abs/2102.11005",
        meaning="How probable the labels are under a linear model on the features that does not overfit.",
        invariances={"order", "names", "unused", "scale", "rotation"},
        default=6,
        measure=_measure,
    )
)
