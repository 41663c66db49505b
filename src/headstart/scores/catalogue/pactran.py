"""PACTran: how well a PAC-Bayes bound says a new head on the source would predict the labels."""

from functools import partial
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import check_labels, check_probs
from headstart.scores._inputs import Inputs
from headstart.scores._sums import in_class_order
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out

Family = Literal["dirichlet", "gamma"]
SWEEPS = 10  # as published


def pactran_dirichlet(
    probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"], *, alpha: float = 1.0, sweeps: int = SWEEPS
) -> float:
    """PACTran-Dirichlet: a bound on the log-evidence of the labels under a table P(y | z) with a Dirichlet prior.

    The labels come from the mixture sum_z C[y, z] p_i[z], as in LEEP, but the table C is drawn from a Dirichlet
    distribution with `alpha` pseudo-counts in the labels' proportions. Ten sweeps of variational Bayes give the
    bound; its negative, divided by n, is the published metric, so here higher is better.

    Args:
        alpha: Pseudo-counts of the prior of each source class.
        sweeps: Number of variational sweeps; more can only raise the value.

    Returns:
        The score in nats per example, at most 0. (The authors' code divides by n C instead of n.)

    Example:
        One source class and one example of each label: the evidence is 1/2 * 1/4, so half of log(1/8).
        >>> round(pactran_dirichlet(np.array([[1.0], [1.0]]), np.array([0, 1])), 6)
        -1.039721

    Reference: Ding et al., ECCV 2022, section 3.3. https://arxiv.org/abs/2203.05126
    """
    return _pactran(probs, labels, "dirichlet", alpha, sweeps)


def pactran_gamma(
    probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"], *, alpha: float = 1.0, sweeps: int = SWEEPS
) -> float:
    """PACTran-Gamma: a bound on the log-evidence of the labels under weights v[y, z] with Gamma priors.

    The label's probability is sum_z v[y, z] p_i[z] over the same sum for all labels; the normaliser is bounded by its
    tangent. The rate of the Gamma distributions stays 1, as in the authors' code.

    Args:
        alpha: Sum over labels of the shapes of the prior of each source class.

    Returns:
        The score in nats per example, at most 0. (The authors' code divides by n C instead of n.)

    Example:
        One source class, one example of each label; shapes 1/2 become 3/2, the level of the normaliser is 3:
        >>> value = pactran_gamma(np.array([[1.0], [1.0]]), np.array([0, 1]))
        >>> round(float(value - np.log(0.5) + np.log(3.0)), 10)  # log Gamma(3/2) - log Gamma(1/2) = log(1/2)
        0.0

    Reference: Ding et al., ECCV 2022, section 3.3. https://arxiv.org/abs/2203.05126
    """
    return _pactran(probs, labels, "gamma", alpha, sweeps)


def _pactran(probs: np.ndarray, labels: np.ndarray, family: Family, alpha: float, sweeps: int) -> float:
    checked = check_labels(labels)
    probs = check_probs(probs, len(checked.codes))
    if not (0 < alpha < np.inf):
        raise InputError(f"`alpha` must be a positive number of pseudo-counts; got {alpha}.")
    if sweeps < 1:
        raise InputError(f"`sweeps` must be at least 1; got {sweeps}.")
    return _bound(probs, checked.codes, len(checked.counts), family, alpha, sweeps)


def _bound(
    probs: np.ndarray, codes: np.ndarray, count: int, family: Family, alpha: float = 1.0, sweeps: int = SWEEPS
) -> float:
    """The bound per example. A sweep is two matrix-vector products per class: no n z C product, no n z logarithms."""
    order, edges = in_class_order(codes, count)
    precision = np.float32 if probs.dtype.itemsize <= 4 else np.float64
    parts = [probs[order[edges[c] : edges[c + 1]]].astype(precision) for c in range(count)]
    prior = alpha * (np.diff(edges) / len(codes))[:, None]  # (C, 1)
    mass = np.stack([part.sum(axis=0, dtype=np.float64) for part in parts])  # (C, z); first sweep: shares are the probs
    weights = prior + mass
    for sweep in range(sweeps):
        means = _log_means(weights, family)
        shares, fit = zip(*(_shares(part, mean) for part, mean in zip(parts, means, strict=True)), strict=True)
        if sweep < sweeps - 1:
            weights = prior + np.stack(shares)
    gammaln = scipy.special.gammaln
    evidence = sum(fit) - ((weights - prior) * means).sum() + (gammaln(weights) - gammaln(prior)).sum()
    if family == "dirichlet":
        evidence -= (gammaln(weights.sum(axis=0)) - gammaln(alpha)).sum()
    else:
        level = weights.sum(axis=0).astype(precision)
        evidence -= sum(float(np.log((part @ level).astype(np.float64)).sum()) for part in parts)
    return min(0.0, float(evidence / len(codes)))


def _log_means(weights: np.ndarray, family: Family) -> np.ndarray:
    """Expected logarithms of the table's entries, (C, z)."""
    return np.asarray(
        scipy.special.digamma(weights) - (scipy.special.digamma(weights.sum(axis=0)) if family == "dirichlet" else 0.0)
    )


def _shares(part: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """For the examples of one class: sum of their shares p exp(mean) / r, (z,), and of log r; r are the row sums."""
    peak = mean.max()
    raised = np.exp(mean - peak).astype(part.dtype)
    sums = part @ raised
    lost = sums < np.sqrt(np.finfo(part.dtype).tiny)  # rows whose own columns vanish beside the peak: by logarithms
    total = raised * (part.T @ np.where(lost, 0, 1 / np.where(lost, 1, sums)).astype(part.dtype)).astype(np.float64)
    fit = float(np.log(sums[~lost].astype(np.float64)).sum()) + peak * np.count_nonzero(~lost)
    if lost.any():
        with np.errstate(divide="ignore"):
            logits = np.log(part[lost].astype(np.float64)) + mean
        row = scipy.special.logsumexp(logits, axis=1)
        total += np.exp(logits - row[:, None]).sum(axis=0)
        fit += float(row.sum())
    return total, fit


def _measure(inputs: Inputs, family: Family) -> Measured:
    probs, codes = inputs.probs, inputs.classes.codes  # checked once, not again without each group

    def on(rows: slice | np.ndarray) -> float:
        left = check_labels(codes[rows])
        return _bound(probs[rows], left.codes, len(left.counts), family)

    return leave_groups_out(inputs, on(slice(None)), on)


SCORES.add(
    Score(
        title="PACTran, Dirichlet",
        function=pactran_dirichlet,
        needs="probs",
        high=0.0,
        cost="O(10 n z)",
        meaning="Bound on the log-evidence, per example, that the labels come from the source's classes by some table: "
        "LEEP with a penalty for the size of the table.",
        invariances={"order", "names", "unused"},
        measure=partial(_measure, family="dirichlet"),
    )
)
SCORES.add(
    Score(
        title="PACTran, Gamma",
        function=pactran_gamma,
        needs="probs",
        high=0.0,
        cost="O(10 n z)",
        meaning="The same bound for a table whose columns need not sum to one.",
        invariances={"order", "names", "unused"},
        measure=partial(_measure, family="gamma"),
    )
)
