"""Gaussian LEEP: the label's leave-one-out likelihood given the source head's log probabilities."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int, Shaped
from scipy.special import log_softmax

from headstart.errors import InputError
from headstart.scores._checks import Labels, check_labels, check_logits, check_probs
from headstart.scores._head_counts import PRIOR, prior_without
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out
from headstart.scores.catalogue.leep_loo import check_prior

ROUNDING = 1e-13  # of the range of the logarithms
SHARPEST = 7.0  # log of the largest scale, where the mean exponent is one; beyond it every example is certain
FLATTEST = -12.0  # log of the smallest scale above zero that is tried


def leep_gaussian(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: bool = False,
    prior: float = PRIOR,
) -> float:
    """Gaussian LEEP: LEEP with source classes that are multiplied, not averaged (higher is better).

    With x_i[z] = log p_i[z], its mean over source classes and then over examples taken out, each target class y is a
    Gaussian around the mean m_y of its x, all with one variance 1 / a in every direction, so that P(y given x_i) is
    proportional to P(y) exp(a (x_i . m_y - |m_y|^2 / 2)): each source class raises or lowers every target class
    by a factor, where LEEP averages over its source classes. The score is the mean over examples of
    log P(y_i given x_i), with m and P(y) from the other examples and the a at which it is largest.

    Neither a temperature nor a bias of the source's head changes it: a re-weighting of its classes, or a head sharper
    throughout, gives the same score. It is never below guessing by class frequencies, which is a = 0.

    Args:
        logits: `probs` holds logits instead. They keep small probabilities that rounding would lose.
        prior: Count of the overall mean, zero, behind the mean of each target class.

    Returns:
        The score in nats, at most 0.

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
    return mean_of_own(gaussian_log_probs(rows, checked, prior), checked.codes)


def gaussian_log_probs(rows: ProbRows, labels: Labels, prior: float = PRIOR) -> Float[np.ndarray, "n c"]:
    """Log probability of every class for each example, the example itself left out."""
    with np.errstate(over="ignore", invalid="ignore"):  # `at_best_scale` reports numbers that are too large
        exponents = _exponents(log_ratios(rows), labels, prior)
    return at_best_scale(exponents, frequencies_without_own(labels), labels.codes)


def _exponents(ratios: "LogRatios", labels: Labels, prior: float) -> Float[np.ndarray, "n c"]:
    """x . m - |m|^2 / 2 for each example and class mean m, which is taken without the example."""
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
    return exponents


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Log probabilities with the mean of each row and of each source class taken out, block by block.

    The first makes them the centred log ratios of a composition, the same from logits as from probabilities; the second
    takes out whatever the head says of all examples alike. Neither looks at the labels.
    """

    rows: ProbRows
    used: Bool[np.ndarray, " z"]  # a source class to which no example gives any mass is left out
    floor: float  # what the logarithm of a zero counts as, the row's largest being zero
    mean: Float[np.ndarray, " k"]  # of each used source class

    def block(self, which: slice | np.ndarray) -> Float[np.ndarray, "b k"]:
        """Those rows in float64; what is only rounding is zero, or a head that says nothing would say a little."""
        values = _row_centred(self.rows, which, self.used, self.floor)
        np.subtract(values, self.mean, out=values)
        values[np.abs(values) < ROUNDING * -self.floor] = 0.0
        return values

    def class_sums(self, codes: np.ndarray, count: int) -> Float[np.ndarray, "c k"]:
        """Sum of the rows of each class, in one sweep."""
        total = np.zeros((count, len(self.mean)))
        for block in self.rows.slices():
            total += class_sums(self.block(block), codes[block], count)
        return total


def log_ratios(rows: ProbRows) -> LogRatios:
    """The coordinates of all rows.

    A zero counts as half the smallest share that any probability has of its row's largest, as is usual for zeros below
    a limit of detection.
    """
    used = np.zeros(rows.z, dtype=bool)
    least = 0.0
    for block in rows.slices():
        values = rows.logs(block)
        finite = np.isfinite(values)
        used |= finite.any(axis=0)
        least = min(least, float(values.min(where=finite, initial=0.0)))
    floor = least - np.log(2.0)
    total = np.zeros(int(used.sum()))
    for block in rows.slices():
        total += _row_centred(rows, block, used, floor).sum(axis=0)
    return LogRatios(rows, used, floor, total / rows.n)


def _row_centred(
    rows: ProbRows, which: slice | np.ndarray, used: Bool[np.ndarray, " z"], floor: float
) -> Float[np.ndarray, "b k"]:
    values = rows.logs(which)
    values = values.astype(np.float64) if used.all() else values[:, used].astype(np.float64)
    np.maximum(values, floor, out=values)
    return np.asarray(np.subtract(values, values.mean(axis=1, keepdims=True), out=values))


def frequencies_without_own(labels: Labels) -> Float[np.ndarray, "n c"]:
    """Class frequencies as each example sees them, itself left out.

    Example:
        >>> from headstart.scores._checks import check_labels
        >>> frequencies_without_own(check_labels(np.array([0, 0, 1, 1])))[0].tolist()  # 1 and 2 of 3, half a count each
        [0.375, 0.625]
    """
    classes = np.eye(len(labels.classes), dtype=np.int64)
    return np.asarray(np.stack([prior_without(labels.counts, own) for own in classes])[labels.codes])


def at_best_scale(
    exponents: Float[np.ndarray, "n c"], frequencies: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n c"]:
    """Log of probabilities proportional to frequencies * exp(a * exponents), at the a of largest mean log-likelihood.

    The likelihood is concave in the scale a, from zero up, so the place where its slope is zero is the one maximum.
    """
    size, offsets = np.abs(exponents).mean(), np.log(frequencies)
    if not np.isfinite(size):
        raise InputError(
            "the numbers are too large to be squared; divide them by a constant, the score stays the same."
        )
    unit = exponents / size if size > 0 else exponents
    own = of_own_class(unit, codes)

    def slope(log_scale: float) -> float:
        weights = np.exp(log_scale) * unit
        weights += offsets
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        return float((own - np.einsum("ij,ij->i", weights, unit) / weights.sum(axis=1)).mean())

    if slope(FLATTEST) <= 0:
        scale = 0.0
    elif slope(SHARPEST) >= 0:
        scale = np.exp(SHARPEST)
    else:
        scale = np.exp(scipy.optimize.brentq(slope, FLATTEST, SHARPEST, xtol=1e-9))
    return np.asarray(log_softmax(offsets + scale * unit, axis=1))


def mean_of_own(log_probs: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> float:
    """Mean log-likelihood of the labels, at most 0."""
    return min(0.0, float(of_own_class(log_probs, codes).mean())) + 0.0  # + 0.0: no -0.0


def of_own_class(values: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each example's value for its own class."""
    return np.take_along_axis(values, codes[:, None], axis=1)[:, 0]


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
        meaning="Leave-one-out LEEP that multiplies its source classes, unaffected by how sharp the head is.",
        invariances={"order", "names", "unused"},
        default=2,
        measure=_measure,
    )
)
