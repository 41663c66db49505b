"""Gaussian LEEP: the label's leave-one-out likelihood given the source head's log probabilities."""

from collections.abc import Callable
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
STEPS = 6  # of Newton's method from the scale of slightly more examples
NEAR = 0.3  # of that scale: a longer step has left the neighbourhood
CLOSE = 1e-4  # of that scale: after a step as short, what is left to go is as its square, and the likelihood is flat
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
    return _fit(rows, labels, prior).log_probs


@dataclass(frozen=True, eq=False)
class Fitted:
    """One source's log ratios with what groups are left out of: class sums, products with the rows, and the scale."""

    ratios: "LogRatios"
    sums: Float[np.ndarray, "c k"]
    inner: Float[np.ndarray, "n c"]
    lengths: Float[np.ndarray, " n"]
    log_probs: Float[np.ndarray, "n c"]
    scale: float


def _fit(rows: ProbRows, labels: Labels, prior: float = PRIOR) -> Fitted:
    ratios = log_ratios(rows)
    sums = ratios.class_sums(labels.codes, len(labels.counts))
    inner, lengths = ratios.products(sums)
    with np.errstate(over="ignore"):
        squares = (sums**2).sum(axis=1)
    exponents = _exponents(inner, lengths, squares, labels.codes, labels.counts + prior)
    return Fitted(ratios, sums, inner, lengths, *at_best_scale(exponents, labels))


def _exponents(
    inner: Float[np.ndarray, "n c"],
    lengths: Float[np.ndarray, " n"],
    squares: Float[np.ndarray, " c"],
    own: Int[np.ndarray, " n"],
    weight: Float[np.ndarray, " c"],
) -> Float[np.ndarray, "n c"]:
    """x . m - |m|^2 / 2 for each example and class mean m, which is taken without the example.

    Args:
        inner: x . s, s being the sum of each class.
        lengths: |x|^2.
        squares: |s|^2.
        own: Class of each example.
        weight: Examples in each class, the prior's among them.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # `at_best_scale` reports numbers that are too large
        exponents = inner / weight - squares / (2 * weight**2)
        mine, left = of_own_class(inner, own), weight[own] - 1.0
        inverse = np.divide(1.0, left, out=np.zeros(len(left)), where=left > 0)  # nothing left: the mean of all, 0
        alone = (mine - lengths) * inverse - (squares[own] - 2 * mine + lengths) * inverse**2 / 2
    np.put_along_axis(exponents, own[:, None], alone[:, None], axis=1)
    return np.asarray(exponents)


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
    held: Float[np.ndarray, "n k"] | None = None  # all rows, where they fit in memory

    def block(self, which: slice | np.ndarray) -> Float[np.ndarray, "b k"]:
        """Those rows in float64; what is only rounding is zero, or a head that says nothing would say a little."""
        if self.held is not None:
            return self.held[which]
        return self.centred(_row_centred(self.rows, which, self.used, self.floor))

    def centred(self, rows: Float[np.ndarray, "b k"]) -> Float[np.ndarray, "b k"]:
        """The rows without the mean of each source class, in place."""
        rows -= self.mean
        rows[np.abs(rows) < ROUNDING * -self.floor] = 0.0
        return rows

    def class_sums(self, codes: Int[np.ndarray, " n"], count: int) -> Float[np.ndarray, "c k"]:
        """Sum of the rows of each class, in one sweep."""
        total = np.zeros((count, len(self.mean)))
        for at in self.rows.slices():
            total += class_sums(self.block(at), codes[at], count)
        return total

    def products(self, sums: Float[np.ndarray, "c k"]) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, " n"]]:
        """Inner products of all rows with `sums`, and squared lengths of the rows, in one sweep."""
        inner, lengths = np.empty((self.rows.n, len(sums))), np.empty(self.rows.n)
        with np.errstate(over="ignore", invalid="ignore"):  # `at_best_scale` reports numbers that are too large
            for at in self.rows.slices():
                x = self.block(at)
                np.matmul(x, sums.T, out=inner[at])
                lengths[at] = np.einsum("ij,ij->i", x, x)
        return inner, lengths


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
        found = LogRatios(rows, used, floor, held.mean(axis=0))
        return replace(found, held=found.centred(held))
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
    return np.asarray(_frequencies_by_own(labels)[labels.codes])


def _frequencies_by_own(labels: Labels) -> Float[np.ndarray, "c c"]:
    """Row c: class frequencies as an example of class c sees them."""
    classes = np.eye(len(labels.classes), dtype=np.int64)
    return np.stack([prior_without(labels.counts, own) for own in classes])


def at_best_scale(
    exponents: Float[np.ndarray, "n c"],
    labels: Labels,
    near: float | None = None,
    frequencies: Float[np.ndarray, "n c"] | None = None,
) -> tuple[Float[np.ndarray, "n c"], float]:
    """Log of probabilities proportional to frequencies * exp(a * exponents), and the a of largest mean log-likelihood.

    `near` is where Newton's method starts that looks for a; without it the whole range is searched. `frequencies` are
    those that each example sees, itself left out by default.
    The likelihood is concave in the scale a, from zero up, so the place where its slope is zero is the one maximum.
    """
    size = np.abs(exponents).mean()
    if not np.isfinite(size):
        raise InputError(
            "the numbers are too large to be squared; divide them by a constant, the score stays the same."
        )
    offsets = np.log(_frequencies_by_own(labels))[labels.codes] if frequencies is None else np.log(frequencies)
    unit = exponents / size if size > 0 else exponents
    scale = None
    if near and size > 0:  # single precision is enough to see a slope of zero beside the largest likelihood
        scale = _newton(_slopes(unit.astype(np.float32), offsets.astype(np.float32), labels.codes), near * size)
    if scale is None:
        slopes = _slopes(unit, offsets, labels.codes)
        scale = _search(lambda log_scale: slopes(np.exp(log_scale))[0])
    return log_softmax(offsets + scale * unit), float(scale / (size or 1.0))


def log_softmax(values: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Rows less the logarithms of the sums of their exponentials, in place."""
    values -= values.max(axis=1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    return values


def _slopes(
    unit: Float[np.ndarray, "n c"], offsets: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]
) -> Callable[[float], tuple[float, float]]:
    """First and second derivative of the mean log-likelihood at a scale."""
    own = of_own_class(unit, codes)

    def at(scale: float) -> tuple[float, float]:
        weights = unit.dtype.type(scale) * unit
        weights += offsets
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        weights *= unit
        means = weights.sum(axis=1)
        slope = float((own - means).mean())
        return slope, float(means @ means - np.vdot(weights, unit)) / len(own)

    return at


def _newton(slopes: Callable[[float], tuple[float, float]], start: float) -> float | None:
    """Where the first slope is zero, or None where a few steps from `start` do not get there."""
    scale = start
    for _ in range(STEPS):
        slope, bend = slopes(scale)
        step = -slope / bend if bend < 0 else np.inf
        if abs(step) > NEAR * start:
            return None
        scale += step
        if abs(step) < CLOSE * start:  # the next step would be as the square of this one
            return scale
    return None


def _search(slope: Callable[[float], float]) -> float:
    """The scale whose slope is zero, by the logarithm of the scale."""
    if slope(FLATTEST) <= 0:
        return 0.0
    if slope(SHARPEST) >= 0:
        return float(np.exp(SHARPEST))
    return float(np.exp(scipy.optimize.brentq(slope, FLATTEST, SHARPEST, xtol=1e-9)))


def mean_of_own(log_probs: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> float:
    """Mean log-likelihood of the labels, at most 0."""
    return min(0.0, float(of_own_class(log_probs, codes).mean())) + 0.0  # + 0.0: no -0.0


def of_own_class(values: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each example's value for its own class."""
    return np.take_along_axis(values, codes[:, None], axis=1)[:, 0]


def _fitted(inputs: Inputs) -> Fitted:
    """The fit to all examples, for every score that asks."""
    return inputs.once("gaussian log probs", lambda: _fit(inputs.logits_rows, inputs.classes))


def shared_log_probs(inputs: Inputs) -> Float[np.ndarray, "n c"]:
    """Log probability of every class for each example of one source's inputs, the example itself left out."""
    return _fitted(inputs).log_probs


def log_probs_without(inputs: Inputs, group: int) -> Float[np.ndarray, "k c"]:
    """The same for the examples outside a group, with the group left out; a class that is gone has no column."""

    def compute() -> np.ndarray:
        fitted, (own, inner) = _fitted(inputs), _of_group(inputs, group)
        kept, left = inputs.kept(group), check_labels(inputs.labels[inputs.kept(group)])
        there = np.isin(inputs.classes.classes, left.classes)
        sums, taken = (fitted.sums - own)[there], inner[kept]
        # the mean of those that are left is their origin; the sums of all examples about theirs add up to zero
        shift, along = -own.sum(axis=0) / len(kept), -taken.sum(axis=1) / len(kept)
        length, across, counts = float(shift @ shift), sums @ shift, left.counts
        products = (fitted.inner[kept] - taken)[:, there] - np.outer(along, counts) - across + counts * length
        lengths = fitted.lengths[kept] - 2 * along + length
        squares = (sums**2).sum(axis=1) - 2 * counts * across + counts**2 * length
        return at_best_scale(_exponents(products, lengths, squares, left.codes, counts + PRIOR), left, fitted.scale)[0]

    return inputs.once(f"gaussian without {group}", compute) if _little(inputs) else compute()


def _of_group(inputs: Inputs, group: int) -> tuple[Float[np.ndarray, "c k"], Float[np.ndarray, "n c"]]:
    """Class sums of one group and their products with all rows; of all groups from one sweep where they fit."""
    ratios, codes, count = _fitted(inputs).ratios, inputs.classes.codes, len(inputs.classes.counts)
    if not _little(inputs):
        rows = np.flatnonzero(inputs.groups == group)
        own = replace(ratios, rows=ratios.rows.only(rows), held=None).class_sums(codes[rows], count)
        return own, ratios.products(own)[0]

    def compute() -> tuple[np.ndarray, np.ndarray]:
        assert inputs.groups is not None, "only asked for when there are groups"
        every = ratios.class_sums(inputs.groups * count + codes, inputs.group_count * count)
        return every, ratios.products(every)[0]

    sums, inner = inputs.once("gaussian groups", compute)
    return sums[group * count :][:count], inner[:, group * count :][:, :count]


def _little(inputs: Inputs) -> bool:
    """Whether a number for each example, class and group is little enough to be kept."""
    return 8 * inputs.n * len(inputs.classes.counts) * inputs.group_count <= HELD_BYTES


def _measure(inputs: Inputs) -> Measured:
    value = mean_of_own(shared_log_probs(inputs), inputs.classes.codes)

    def again(group: int) -> float:
        return mean_of_own(log_probs_without(inputs, group), check_labels(inputs.labels[inputs.kept(group)]).codes)

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
