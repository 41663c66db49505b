"""Gaussian LEEP: the label's leave-one-out likelihood given the source head's log probabilities."""

from dataclasses import dataclass, replace

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, check_labels, check_logits, check_probs
from headstart.scores._head_counts import PRIOR, prior_without
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._sums import HELD_BYTES, class_sums
from headstart.scores._table import SCORES, Measured, Score, without_each_group
from headstart.scores.catalogue.leep_loo import check_prior

ROUNDING = 1e-13  # of the range of the logarithms
SHARPEST = 7.0  # log of the largest scale, where the mean exponent is one; beyond it every example is certain
NEAR = 0.3  # of the log scale, around the best one of slightly more examples
LITTLE = 1 << 24  # bytes up to which the rows are kept between two uses
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
    ratios = log_ratios(rows)
    exponents = _exponents(ratios, ratios.class_sums(labels), labels, prior)
    return at_best_scale(exponents, labels)[0]


def _exponents(
    ratios: "LogRatios", sums: Float[np.ndarray, "c k"], labels: Labels, prior: float = PRIOR
) -> Float[np.ndarray, "n c"]:
    """x . m - |m|^2 / 2 for each example and class mean m, which is taken without the example.

    `sums` and the counts of `labels` may be those of some of the examples; the others' rows mean nothing.
    """
    weight = labels.counts + prior
    with np.errstate(over="ignore"):  # `at_best_scale` reports numbers that are too large
        squares = (sums**2).sum(axis=1)
    exponents = np.empty((len(labels.codes), len(labels.counts)))
    for block in ratios.rows.slices():
        x, own = ratios.block(block), labels.codes[block]
        with np.errstate(over="ignore", invalid="ignore"):
            inner = x @ sums.T
            exponents[block] = inner / weight - squares / (2 * weight**2)
            length = np.einsum("ij,ij->i", x, x)
            mine = of_own_class(inner, own)
            left = weight[own] - 1.0
            inverse = np.divide(1.0, left, out=np.zeros(len(left)), where=left > 0)  # nothing left: the mean of all, 0
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
    held: Float[np.ndarray, "n k"] | None = None  # all rows with their own means taken out, where they fit in memory

    def block(self, which: slice | np.ndarray) -> Float[np.ndarray, "b k"]:
        """Those rows in float64; what is only rounding is zero, or a head that says nothing would say a little."""
        rows = _row_centred(self.rows, which, self.used, self.floor) if self.held is None else self.held[which]
        values = rows - self.mean
        values[np.abs(values) < ROUNDING * -self.floor] = 0.0
        return np.asarray(values)

    def class_sums(self, labels: Labels, rows: Int[np.ndarray, " m"] | None = None) -> Float[np.ndarray, "c k"]:
        """Sum of the rows of each class, in one sweep; of all rows or of some."""
        total = np.zeros((len(labels.counts), len(self.mean)))
        for at in self.rows.slices():
            block = at if rows is None else rows[at]  # empty beyond the last of `rows`
            total += class_sums(self.block(block), labels.codes[block], len(total))
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
    if 8 * rows.n * rows.z <= LITTLE:
        held = _row_centred(rows, slice(None), used, floor)
        return LogRatios(rows, used, floor, held.mean(axis=0), held)
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
    exponents: Float[np.ndarray, "n c"], labels: Labels, near: float | None = None
) -> tuple[Float[np.ndarray, "n c"], float]:
    """Log of probabilities proportional to frequencies * exp(a * exponents), and the a of largest mean log-likelihood.

    `near` is where that a is looked for first.
    The likelihood is concave in the scale a, from zero up, so the place where its slope is zero is the one maximum.
    """
    size, offsets = np.abs(exponents).mean(), np.log(frequencies_without_own(labels))
    if not np.isfinite(size):
        raise InputError(
            "the numbers are too large to be squared; divide them by a constant, the score stays the same."
        )
    unit = exponents / size if size > 0 else exponents
    own = of_own_class(unit, labels.codes)

    def slope(log_scale: float) -> float:
        weights = np.exp(log_scale) * unit
        weights += offsets
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        return float((own - np.einsum("ij,ij->i", weights, unit) / weights.sum(axis=1)).mean())

    low, high = FLATTEST, SHARPEST
    if near and size > 0:
        ends = np.log(near * size) - NEAR, np.log(near * size) + NEAR
        low, high = ends if slope(ends[0]) > 0 > slope(ends[1]) else (low, high)
    if low == FLATTEST and slope(low) <= 0:
        scale = 0.0
    elif high == SHARPEST and slope(high) >= 0:
        scale = np.exp(high)
    else:
        scale = np.exp(scipy.optimize.brentq(slope, low, high, xtol=1e-9))
    return np.asarray(scipy.special.log_softmax(offsets + scale * unit, axis=1)), float(scale / (size or 1.0))


def mean_of_own(log_probs: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> float:
    """Mean log-likelihood of the labels, at most 0."""
    return min(0.0, float(of_own_class(log_probs, codes).mean())) + 0.0  # + 0.0: no -0.0


def of_own_class(values: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each example's value for its own class."""
    return np.take_along_axis(values, codes[:, None], axis=1)[:, 0]


def _fitted(inputs: Inputs) -> tuple[LogRatios, Float[np.ndarray, "c k"], Float[np.ndarray, "n c"], float]:
    """One source's log ratios, their class sums, and log probabilities at the best scale, for every score that asks."""

    def compute() -> tuple[LogRatios, np.ndarray, np.ndarray, float]:
        ratios, labels = log_ratios(inputs.logits_rows), inputs.classes
        sums = ratios.class_sums(labels)
        exponents = _exponents(ratios, sums, labels)
        return ratios, sums, *at_best_scale(exponents, labels)

    return inputs.once("gaussian log probs", compute)


def shared_log_probs(inputs: Inputs) -> Float[np.ndarray, "n c"]:
    """Log probability of every class for each example of one source's inputs, the example itself left out."""
    return _fitted(inputs)[2]


def log_probs_without(inputs: Inputs, group: int) -> Float[np.ndarray, "k c"]:
    """The same for the examples outside a group, with the group left out; a class that is gone has no column."""

    def compute() -> np.ndarray:
        ratios, sums, _, scale = _fitted(inputs)
        labels, kept = inputs.classes, inputs.kept(group)
        rows = np.flatnonzero(inputs.groups == group)
        remaining = replace(labels, counts=np.bincount(labels.codes[kept], minlength=len(labels.counts)))
        sums = sums - ratios.class_sums(labels, rows)
        shift = sums.sum(axis=0) / len(kept)
        moved = replace(ratios, mean=ratios.mean + shift)
        exponents = _exponents(moved, sums - remaining.counts[:, None] * shift, remaining)
        there = remaining.counts > 0
        return at_best_scale(exponents[kept][:, there], check_labels(inputs.labels[kept]), near=scale)[0]

    cells = inputs.n * len(inputs.classes.counts) * inputs.group_count
    return inputs.once(f"gaussian without {group}", compute) if 8 * cells <= HELD_BYTES else compute()


def _measure(inputs: Inputs) -> Measured:
    value = mean_of_own(shared_log_probs(inputs), inputs.classes.codes)

    def again(group: int) -> float:
        labels = check_labels(inputs.labels[inputs.kept(group)])
        return mean_of_own(log_probs_without(inputs, group), labels.codes)

    return without_each_group(inputs, value, again)


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
