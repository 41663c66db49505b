"""OTCE: how far the source's labelled examples are from the target's, and how well their labels match."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import check_features, check_labels
from headstart.scores._table import SCORES, Score

Coupling = Literal["exact", "entropic"]
_LARGEST_PROGRAM = 400_000  # variables of the linear programme for sets of unequal size
_SWEEPS = 10_000


@dataclass(frozen=True)
class OTCEParts:
    """The two parts of OTCE."""

    distance: float  # transport cost: mean squared distance between coupled examples, in squared units of the features
    conditional_entropy: float  # H(target label given source label) under the coupling, nats


def otce(
    source_features: Float[np.ndarray, "m d"],
    source_labels: Shaped[np.ndarray, " m"],
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    coefficients: tuple[float, float, float] | None = None,
    coupling: Coupling = "exact",
    epsilon: float = 0.01,
) -> float:
    """OTCE, or without coefficients the OT-based NCE that its authors recommend then (higher is better).

    Source and target examples, embedded by the same network, are coupled by optimal transport on squared distances;
    the coupling gives a joint distribution of source and target labels. OTCE is a linear function of the transport cost
    and the conditional entropy whose coefficients are learned on auxiliary tasks (`fit_otce`); without them the score
    is minus the conditional entropy.

    It needs labelled source examples, so a ranking, which has none, does not list it.

    Args:
        features: Features of the target's examples, from the same network.
        coefficients: (of the distance, of the conditional entropy, constant), from `fit_otce`.
        coupling: "exact" as in the released code: an assignment where both sets have one size, else a linear programme
            for up to 400,000 pairs (of several plans that cost the same, as repeated or rounded features have them, one
            is taken, and the conditional entropy is that one's); "entropic" by Sinkhorn's iteration, as in the paper.
        epsilon: Weight of the entropy in "entropic", as a share of the mean squared distance.

    Returns:
        Without coefficients nats, from -H(Y) to 0; with them the unit of the outcomes they were fitted to.

    Example:
        Each target example lies on a source example whose label tells its own:
        >>> points = np.array([[0.0], [1.0], [5.0], [6.0]])
        >>> otce(points, np.array([0, 0, 1, 1]), points, np.array(["a", "a", "b", "b"]))
        0.0

    Reference: Tan, Li, Huang, CVPR 2021, eq. 3 to 7. https://arxiv.org/abs/2103.13843
    """
    parts = otce_parts(source_features, source_labels, features, labels, coupling=coupling, epsilon=epsilon)
    if coefficients is None:
        return -parts.conditional_entropy + 0.0
    if len(coefficients) != 3 or not np.isfinite(coefficients).all():
        raise InputError(f"`coefficients` must be three finite numbers; got {coefficients}.")
    return float(coefficients[0] * parts.distance + coefficients[1] * parts.conditional_entropy + coefficients[2])


def otce_parts(
    source_features: Float[np.ndarray, "m d"],
    source_labels: Shaped[np.ndarray, " m"],
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    coupling: Coupling = "exact",
    epsilon: float = 0.01,
) -> OTCEParts:
    """The transport cost and the conditional entropy; arguments as for `otce`."""
    source, target = check_labels(source_labels), check_labels(labels)
    x = np.asarray(check_features(source_features, len(source.codes)), dtype=np.float64)
    y = np.asarray(check_features(features, len(target.codes)), dtype=np.float64)
    if x.shape[1] != y.shape[1]:
        raise InputError(
            f"`source_features` have {x.shape[1]} columns and `features` {y.shape[1]}; both must come from one network."
        )
    if coupling not in ("exact", "entropic"):
        raise InputError(f'`coupling` must be "exact" or "entropic"; got {coupling!r}.')
    if not 0 < epsilon < np.inf:
        raise InputError(f"`epsilon` must be a positive number; got {epsilon}.")
    middle = y.mean(axis=0)  # a shift changes no distance and keeps digits
    x, y = x - middle, y - middle
    cost = np.maximum((x**2).sum(axis=1)[:, None] - 2 * x @ y.T + (y**2).sum(axis=1), 0.0)  # (m, n)
    plan = _exact(cost) if coupling == "exact" else _entropic(cost, epsilon)
    joint = np.zeros((len(source.counts), len(target.counts)))
    held = plan.tocoo()
    np.add.at(joint, (source.codes[held.row], target.codes[held.col]), held.data)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log(joint / joint.sum(axis=1, keepdims=True)), 0.0)
    return OTCEParts(float((held.data * cost[held.row, held.col]).sum()), max(0.0, -float(terms.sum())))


def fit_otce(parts: Sequence[OTCEParts], outcomes: Sequence[float]) -> tuple[float, float, float]:
    """Coefficients of OTCE by least squares on auxiliary tasks whose outcomes (accuracies) are known.

    Args:
        parts: `otce_parts` of at least four auxiliary tasks.
        outcomes: The outcome of each, in one order.

    Raises:
        InputError: Too few tasks, lengths that differ, or parts that do not determine the coefficients.

    Example:
        >>> tasks = [OTCEParts(1.0, 0.0), OTCEParts(2.0, 1.0), OTCEParts(0.0, 1.0), OTCEParts(3.0, 0.0)]
        >>> [round(c, 6) for c in fit_otce(tasks, [0.8, 0.2, 0.6, 0.4])]
        [-0.2, -0.4, 1.0]

    Reference: Tan, Li, Huang, CVPR 2021, eq. 7.
    """
    if len(parts) != len(outcomes) or len(parts) < 4:
        raise InputError(
            f"three coefficients need at least four auxiliary tasks, each with its outcome; got {len(parts)} tasks and "
            f"{len(outcomes)} outcomes."
        )
    table = np.array([[part.distance, part.conditional_entropy, 1.0] for part in parts])
    found, _, rank, _ = np.linalg.lstsq(table, np.asarray(outcomes, dtype=np.float64), rcond=None)
    if rank < 3:
        raise InputError("the auxiliary tasks do not vary enough to tell the coefficients apart; add other tasks.")
    return float(found[0]), float(found[1]), float(found[2])


def _exact(cost: Float[np.ndarray, "m n"]) -> "scipy.sparse.coo_array":
    m, n = cost.shape
    if m == n:
        rows, columns = scipy.optimize.linear_sum_assignment(cost)
        return scipy.sparse.coo_array((np.full(n, 1 / n), (rows, columns)), shape=(m, n))
    if m * n > _LARGEST_PROGRAM:
        raise InputError(
            f"exact transport between {m} and {n} examples has {m * n:,} variables, more than {_LARGEST_PROGRAM:,}; "
            'take as many source as target examples, or pass coupling="entropic".'
        )
    left = scipy.sparse.kron(scipy.sparse.eye_array(m), np.ones((1, n)))
    right = scipy.sparse.kron(np.ones((1, m)), scipy.sparse.eye_array(n))
    shares = np.concatenate([np.full(m, 1 / m), np.full(n, 1 / n)])
    unit = max(cost.max(), np.finfo(float).tiny)
    found = scipy.optimize.linprog(cost.ravel() / unit, A_eq=scipy.sparse.vstack([left, right]).tocsr(), b_eq=shares)
    if found.x is None:
        raise InputError(f'the transport programme found no plan ({found.message}); pass coupling="entropic".')
    return scipy.sparse.coo_array(np.maximum(found.x, 0.0).reshape(m, n))


def _entropic(cost: Float[np.ndarray, "m n"], epsilon: float) -> "scipy.sparse.coo_array":
    """Sinkhorn's iteration on logarithms, to marginals within 1e-9."""
    m, n = cost.shape
    if cost.max() == 0:
        return scipy.sparse.coo_array(np.full((m, n), 1 / (m * n)))
    kernel = -cost / (epsilon * cost.mean())
    one, other = np.zeros(m), np.zeros(n)
    for _ in range(_SWEEPS):
        one = -np.log(m) - scipy.special.logsumexp(kernel + other, axis=1)
        other = -np.log(n) - scipy.special.logsumexp(kernel + one[:, None], axis=0)
        plan = np.exp(kernel + one[:, None] + other)
        if np.abs(plan.sum(axis=1) * m - 1).max() < 1e-9:
            return scipy.sparse.coo_array(plan)
    raise InputError(f"entropic transport did not settle in {_SWEEPS} sweeps; raise `epsilon` above {epsilon}.")


SCORES.add(
    Score(
        title="OTCE",
        function=otce,
        needs="source",
        cost="O((m + n)^3)",
        meaning="How well the source's labels predict the target's after optimal transport has matched the examples.",
        invariances={"order", "names"},
    )
)
