"""LEEP-EM: best head in LEEP's family by expectation maximisation, with a bound on its distance from the optimum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores import _kernels
from headstart.scores._checks import NotApplicableError
from headstart.scores._head_counts import HeadCounts, conditional, likelihoods, read_probs
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, means_without
from headstart.scores._threads import over_shares, thread_count

TOLERANCE = 1e-4  # nats: far below any sampling error
SWEEPS = 5000
GROWTH = 1.3  # of the stride after a step that gained


@dataclass(frozen=True, eq=False)
class EMFit:
    """A head C[y, z], its mean log-likelihood, and how far above that the best possible one can at most be."""

    value: float
    gap: float  # optimum <= value + gap
    sweeps: int
    head: Float[np.ndarray, "c z"]  # columns sum to one


def leep_em(
    probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"], *, tolerance: float = TOLERANCE
) -> float:
    """LEEP-EM: label log-likelihood under the best head over the source's classes (higher is better).

    Maximises mean log sum_z C[y_i, z] p_i[z] over heads C whose columns are distributions. Plain LEEP is the first step
    of expectation maximisation from the label frequencies; this takes all of them. Like LEEP it is scored on the
    data that chose the head, and is even more optimistic: with many source classes and few examples it means little.

    Args:
        tolerance: The value is within this many nats of the optimum.

    Returns:
        The score in nats, from LEEP to 0.

    Example:
        >>> round(leep_em(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0, 1])), 2)  # log 0.9
        -0.11

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020. https://arxiv.org/abs/2002.12462
    """
    return fit_em(probs, labels, tolerance=tolerance).value


def fit_em(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    tolerance: float = TOLERANCE,
    sweeps: int = SWEEPS,
) -> EMFit:
    """The fit behind `leep_em`: value, optimality gap and head.

    The problem is concave, so the largest first-order gain bounds all gain: with G the gradient, optimum - value <=
    sum over z of max_y G[y, z], minus 1.

    Args:
        tolerance: Stop when the gap is at most this many nats.

    Example:
        >>> fit = fit_em(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0, 1]))
        >>> bool(fit.value <= np.log(0.9) <= fit.value + fit.gap)
        True
    """
    if not 0 < tolerance < np.inf:
        raise InputError(f"`tolerance` must be a positive number of nats; got {tolerance}.")
    head = read_probs(probs, labels)
    return _fit(head, conditional(head.joint, head.mass), tolerance, sweeps)


def _fit(head: HeadCounts, start: Float[np.ndarray, "c z"], tolerance: float, sweeps: int) -> EMFit:
    """Expectation maximisation with steps that grow while they gain (Salakhutdinov and Roweis, ICML 2003).

    Plain steps creep where a source says nearly the same of every example; a grown one that loses is taken back.

    Raises:
        NotApplicableError: The tolerance is not reached in `sweeps` sweeps.
    """
    table, stride = start, 1.0
    value, gradient = _gradient(head, table)
    for used in range(1, sweeps + 1):
        gap = max(0.0, float(gradient.max(axis=0).sum()) - 1.0)
        if gap <= tolerance:
            return EMFit(min(0.0, value), gap, used, table)
        coming = _step(table, gradient, stride)
        coming_value, coming_gradient = _gradient(head, coming)
        if coming_value < value and stride > 1:
            stride = 1.0
        else:
            table, value, gradient, stride = coming, coming_value, coming_gradient, GROWTH * stride
    raise NotApplicableError(
        f"not within {tolerance:g} nats of the optimum after {sweeps} sweeps (within {gap:.2g}); raise the tolerance."
    )


def _gradient(head: HeadCounts, table: Float[np.ndarray, "c z"]) -> tuple[float, Float[np.ndarray, "c z"]]:
    """Mean log-likelihood of the head `table`, and its derivative by every entry."""

    def share(blocks: Sequence[slice]) -> tuple[float, np.ndarray]:
        gradient = np.zeros_like(table)
        total = 0.0
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            total += _kernels.expectation(values, codes, scale, table, gradient)
        return total, gradient

    parts = over_shares(share, head.rows.slices(), thread_count())
    return sum(part[0] for part in parts) / head.rows.n, np.sum([part[1] for part in parts], axis=0) / head.rows.n


def _step(table: Float[np.ndarray, "c z"], gradient: Float[np.ndarray, "c z"], stride: float) -> np.ndarray:
    """A step of expectation maximisation, drawn out: each entry times its gradient to the power `stride`."""
    weighted = table * conditional(gradient, gradient.max(axis=0)) ** stride
    return conditional(weighted, weighted.sum(axis=0))


def _measure(inputs: Inputs) -> Measured:
    fit = _fit(inputs.head, inputs.table, TOLERANCE, SWEEPS)
    notes = (f"within {fit.gap:.2g} nats of the optimum",)
    if inputs.groups is None:
        return Measured(fit.value, None, notes)
    deleted = means_without(np.log(likelihoods(inputs.head, fit.head)), inputs.groups)
    return Measured(fit.value, deleted, (*notes, "approximate interval: the head stays the one of all examples"))


SCORES.add(
    Score(
        title="LEEP-EM",
        function=leep_em,
        needs="probs",
        high=0.0,
        cost="O(n z) a sweep, tens to hundreds of sweeps",
        meaning="The best any head over the source's own classes can do; optimistic for many classes.",
        invariances={"order", "names", "unused"},
        measure=_measure,
    )
)
