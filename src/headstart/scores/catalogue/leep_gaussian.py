"""Gaussian LEEP: the label's leave-one-out likelihood given the source head's log probabilities."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.scores._best_scale import at_best_scale, frequencies_without_own, mean_of_own, of_own_class
from headstart.scores._checks import Labels, check_groups, check_labels, check_logits, check_probs
from headstart.scores._class_sums import class_sums
from headstart.scores._head_counts import PRIOR, prior_without
from headstart.scores._inputs import Inputs
from headstart.scores._log_ratios import LogRatios, log_ratios
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out
from headstart.scores.catalogue.leep_loo import check_prior


def leep_gaussian(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: bool = False,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """Gaussian LEEP: LEEP with source classes that are multiplied, not averaged (higher is better).

    With x_i[z] = log p_i[z], its mean over source classes and then over examples taken out, each target class y is a
    Gaussian around the mean m_y of its x, all with one variance 1 / a in every direction, so that P(y given x_i) is
    proportional to P(y) exp(a (x_i . m_y - |m_y|^2 / 2)): each source class is an expert who raises or lowers every
    target class by a factor, where LEEP mixes what its source classes say. The score is the mean over examples of
    log P(y_i given x_i), with m and P(y) from the other examples and the a at which it is largest.

    Neither a temperature nor a bias of the source's head changes it: a re-weighting of its classes, or a head sharper
    throughout, gives the same score. It is never below guessing by class frequencies, which is a = 0.

    Args:
        probs: Source-class probabilities, each row summing to 1.
        labels: Target classes; any integers or strings, gaps allowed.
        logits: `probs` holds logits instead, which keep what rounding takes from small probabilities.
        prior: Count of the overall mean, zero, behind the mean of each target class.
        groups: Leave out the example's whole group instead of the example.

    Returns:
        The score in nats, at most 0.

    Raises:
        InputError: Shapes disagree, a row of `probs` is not a distribution, or fewer than two classes.

    Example:
        >>> blind = np.array([[0.6, 0.4]] * 4)
        >>> round(leep_gaussian(blind, np.array([0, 0, 1, 1])), 6)  # log((2 - 1/2) / (3 + 1)), a guess
        -0.980829
        >>> flat = np.array([[0.6, 0.4], [0.5, 0.5], [0.5, 0.5], [0.4, 0.6], [0.4, 0.6]])
        >>> sharp = flat**5 / (flat**5).sum(axis=1, keepdims=True)
        >>> labels = np.array([0, 0, 1, 1, 0])
        >>> bool(np.isclose(leep_gaussian(flat, labels), leep_gaussian(sharp, labels)))
        True

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020, https://arxiv.org/abs/2002.12462; centred log
    ratios from Aitchison, The Statistical Analysis of Compositional Data, JRSS B 44, 1982.
    """
    check_prior(prior)
    checked = check_labels(labels)
    n = len(checked.codes)
    rows = ProbRows(check_logits(probs, n), True) if logits else ProbRows(check_probs(probs, n))
    log_probs = gaussian_log_probs(rows, checked, prior, None if groups is None else check_groups(groups, n))
    return mean_of_own(log_probs, checked.codes)


def gaussian_log_probs(
    rows: ProbRows, labels: Labels, prior: float = PRIOR, groups: Int[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, "n c"]:
    """Log probability of every class for each example, itself (or its group) left out."""
    ratios = log_ratios(rows)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers too large are told below
        if groups is None:
            exponents, frequencies = _without_own(ratios, labels, prior)
        else:
            exponents, frequencies = _without_group(ratios, labels, prior, groups)
    return at_best_scale(exponents, frequencies, labels.codes)


def _without_own(
    ratios: LogRatios, labels: Labels, prior: float
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n c"]]:
    """Exponents x . m - |m|^2 / 2 and class frequencies as each example sees them, itself left out of both."""
    n, classes = len(labels.codes), len(labels.classes)
    sums = ratios.class_sums(labels.codes, classes)
    squares = (sums**2).sum(axis=1)
    weight = labels.counts + prior
    exponents = np.empty((n, classes))
    for block in ratios.rows.slices():
        x, own = ratios.block(block), labels.codes[block]
        inner = x @ sums.T
        exponents[block] = inner / weight - squares / (2 * weight**2)
        length = np.einsum("ij,ij->i", x, x)
        mine = of_own_class(inner, own)
        left = weight[own] - 1.0
        inverse = np.divide(1.0, left, out=np.zeros(len(left)), where=left > 0)  # nothing left: the overall mean, zero
        alone = (mine - length) * inverse - (squares[own] - 2 * mine + length) * inverse**2 / 2
        np.put_along_axis(exponents[block], own[:, None], alone[:, None], axis=1)
    return exponents, frequencies_without_own(labels)


def _without_group(
    ratios: LogRatios, labels: Labels, prior: float, groups: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n c"]]:
    """The same with each example's whole group left out."""
    n, classes = len(labels.codes), len(labels.classes)
    sums = ratios.class_sums(labels.codes, classes)
    exponents, frequencies = np.empty((n, classes)), np.empty((n, classes))
    for g in range(int(groups.max()) + 1):
        members = np.flatnonzero(groups == g)
        x, codes = ratios.block(members), labels.codes[members]
        taken = np.bincount(codes, minlength=classes)
        left = labels.counts - taken + prior
        inverse = np.divide(1.0, left, out=np.zeros(classes), where=left > 0)
        means = (sums - class_sums(x, codes, classes)) * inverse[:, None]
        exponents[members] = x @ means.T - (means**2).sum(axis=1) / 2
        frequencies[members] = prior_without(labels.counts, taken)
    return exponents, frequencies


def shared_log_probs(inputs: Inputs) -> Float[np.ndarray, "n c"]:
    """The same for one source's inputs, computed for the first score that asks."""
    return inputs.once("gaussian log probs", lambda: gaussian_log_probs(inputs.logits_rows, inputs.classes))


def _measure(inputs: Inputs) -> Measured:
    rows = inputs.logits_rows
    value = mean_of_own(shared_log_probs(inputs), inputs.classes.codes)

    def again(kept: Int[np.ndarray, " k"]) -> float:
        labels = check_labels(inputs.labels[kept])
        return mean_of_own(gaussian_log_probs(rows.only(kept), labels), labels.codes)

    return leave_groups_out(inputs, value, again)


SCORES.add(
    Score(
        title="Gaussian LEEP",
        function=leep_gaussian,
        needs="probs",
        high=0.0,
        cost="O(n z C)",
        citation="headstart; LEEP: Nguyen et al., ICML 2020, https://arxiv.org/abs/2002.12462",
        meaning="Leave-one-out LEEP whose source classes are multiplied as experts are, blind to how sharp a head is.",
        invariances={"order", "names", "unused"},
        measure=_measure,
    )
)
