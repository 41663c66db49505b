"""Gaussian LEEP: the label's leave-one-out likelihood given the source head's log probabilities."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.optimize import brentq

from headstart.errors import InputError
from headstart.scores._checks import Labels, check_groups, check_labels, check_logits, check_probs
from headstart.scores._class_sums import class_sums
from headstart.scores._head_counts import PRIOR, prior_without
from headstart.scores._inputs import Inputs
from headstart.scores._log_ratios import LogRatios, log_ratios
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import CLASSIFICATION, Measured, Score
from headstart.scores.leep_loo import check_prior

SHARPEST = 7.0  # log of the largest scale, the mean size of an exponent being one; beyond, every example is certain
FLATTEST = -12.0  # log of the smallest scale above zero that is looked at


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
    return _value(rows, checked, prior, None if groups is None else check_groups(groups, n))


def _value(rows: ProbRows, labels: Labels, prior: float = PRIOR, groups: Int[np.ndarray, " n"] | None = None) -> float:
    ratios = log_ratios(rows)
    if groups is None:
        exponents, frequencies = _without_own(ratios, labels, prior)
    else:
        exponents, frequencies = _without_group(ratios, labels, prior, groups)
    return _largest(exponents, np.log(frequencies), labels.codes)


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
        mine = np.take_along_axis(inner, own[:, None], axis=1)[:, 0]
        left = weight[own] - 1.0
        inverse = np.divide(1.0, left, out=np.zeros(len(left)), where=left > 0)  # nothing left: the overall mean, zero
        alone = (mine - length) * inverse - (squares[own] - 2 * mine + length) * inverse**2 / 2
        np.put_along_axis(exponents[block], own[:, None], alone[:, None], axis=1)
    frequencies = np.stack([prior_without(labels.counts, own) for own in np.eye(classes, dtype=np.int64)])
    return exponents, frequencies[labels.codes]


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


def _largest(
    exponents: Float[np.ndarray, "n c"], offsets: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]
) -> float:
    """Largest mean log-likelihood over the scale of the exponents, from zero up.

    It is concave in the scale, so the place where its slope is zero is the one maximum.
    """
    size = np.abs(exponents).mean()
    unit = exponents / size if size > 0 else exponents
    own = np.take_along_axis(unit, codes[:, None], axis=1)[:, 0]

    def slope(log_scale: float) -> float:
        weights = _normal(offsets + np.exp(log_scale) * unit)
        return float((own - (np.exp(weights) * unit).sum(axis=1)).mean())

    if slope(FLATTEST) <= 0:
        scale = 0.0
    elif slope(SHARPEST) >= 0:
        scale = np.exp(SHARPEST)
    else:
        scale = np.exp(brentq(slope, FLATTEST, SHARPEST, xtol=1e-9))
    value = np.take_along_axis(_normal(offsets + scale * unit), codes[:, None], axis=1).mean()
    return min(0.0, float(value)) + 0.0  # + 0.0: no -0.0


def _normal(values: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Log probabilities proportional to exp(values)."""
    values = values - values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def _measure(inputs: Inputs) -> Measured:
    rows = inputs.logits_rows
    value = _value(rows, inputs.classes)
    deleted = []
    for kept in map(inputs.kept, range(inputs.group_count)):
        try:
            labels = check_labels(inputs.labels[kept])
        except InputError as error:
            return Measured(value, None, (f"no interval: with a group left out, {error}",))
        deleted.append(_value(replace(rows, array=rows.array[kept]), labels))
    return Measured(value, np.array(deleted) if deleted else None)


ROWS = (
    Score(
        name="leep_gaussian",
        title="Gaussian LEEP",
        function=leep_gaussian,
        needs="probs",
        tasks=CLASSIFICATION,
        low=-np.inf,
        high=0.0,
        cost="O(n z C)",
        citation="headstart; LEEP: Nguyen et al., ICML 2020, https://arxiv.org/abs/2002.12462",
        meaning="Leave-one-out LEEP whose source classes are multiplied as experts are, blind to how sharp a head is.",
        invariances=frozenset({"order", "names", "unused"}),
        measure=_measure,
    ),
)
