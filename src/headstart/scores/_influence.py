"""What each example contributes to a score of the LEEP family, and the standard error that follows.

An example's contribution is how fast the score moves with the example's weight, the tables that it is counted in moving
along (the infinitesimal jackknife). For all examples together that takes two more sweeps. If the examples are
independent, the squared error of the score is the variance of the contributions over n. Nothing is dealt into groups:
the chance in the numbers of examples per class, which groups balanced by class do not see, is in it.

A score on the data that built its table needs one thing more. An example holds up its own place in the table, so the
derivative is too small; taking the example out, as the jackknife does, moves the table too much where it is thin. The
contribution is then the mean of the two, as the estimator HC2 lies between HC0 and HC3, the jackknife, in regression.
NCE's is the jackknife's alone: there all that it counts too often has a closed form (see `_second_order.py`). On small
data leave-one-out LEEP, its skill and its calibrated form go by the jackknife too, with pairs taken out beside it
(`_deletions.py`).

Reference: Jaeckel, The infinitesimal jackknife, Bell Laboratories 1972; Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, section 20.4; MacKinnon and White, Journal of Econometrics 1985, for the three estimators.
"""

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from headstart.scores import _kernels
from headstart.scores._checks import Labels
from headstart.scores._compiled import compiled
from headstart.scores._head_counts import HeadCounts, likelihoods, prior_without
from headstart.scores._second_order import entropy_step
from headstart.scores._table import Spread
from headstart.scores._threads import over_shares, thread_count


def spread_of(contributions: Float[np.ndarray, " n"], excess: float = 0.0) -> Spread:
    """Standard error of the mean of independent contributions, with Satterthwaite's degrees of freedom.

    `excess` is taken off the squared error: what it is known to count too often. No more than half can be: what is
    counted twice is part of the whole twice.

    A few examples far from the rest make the error itself uncertain: a variance of n terms with kurtosis k is worth
    2 n / (k - 1) degrees; no more than n - 1 are counted. Degrees go with the square of the variance over its own
    variance, so what is taken off costs the square of its share; just half of an error has the degrees of the whole.

    Example:
        >>> round(spread_of(np.array([1.0, 2.0, 3.0, 6.0])).standard_error, 6)  # of a mean: the textbook's
        1.080123
    """
    n = len(contributions)
    centred = contributions - contributions.mean()
    variance = float(np.square(centred).mean())
    if variance == 0:
        return Spread(0.0, float(n - 1))
    tails = float((centred**4).mean()) / variance**2 - 1
    degrees = n - 1.0 if tails <= 2 * n / (n - 1) else 2 * n / tails
    squared = variance / (n - 1)
    kept = 1 - excess / squared
    if kept <= 0.5:
        return Spread(float(np.sqrt(squared / 2)), degrees)
    return Spread(float(np.sqrt(kept * squared)), max(1.0, degrees * kept**2))


def frequency_excess(contributions: Float[np.ndarray, " n"], labels: Labels) -> float:
    """How much of the squared error of a leave-one-out score is the label frequencies' chance counted twice.

    The log-likelihood of n labels under their own frequencies varies by a chi-squared over 2 n, even where its
    derivative by the frequencies is nil; that is a variance of (C - 1) / (2 n^2). The contributions, taken at the
    frequencies that were drawn, hold it twice. It is no more than half of what lies between the classes.
    """
    n, counts = len(contributions), labels.counts
    means = np.bincount(labels.codes, contributions) / counts
    between = float(counts @ np.square(means - contributions.mean())) / n**2
    return min((len(counts) - 1) / (2 * n**2), between / 2)


def loo_contributions(head: HeadCounts, likelihood: Float[np.ndarray, " n"], prior: float) -> Float[np.ndarray, " n"]:
    """Of leave-one-out LEEP with `prior` counts (above 0), whose likelihoods without own are given."""
    counts = head.labels.counts
    frequency = prior_without(counts, 1)
    joint, mass = head.joint + prior * frequency[:, None], head.mass + prior
    others = counts.sum() - 1 + np.count_nonzero(counts) / 2  # that an example's label frequencies are taken over
    by_frequency, own = prior * (1 - frequency) / others, np.empty(head.rows.n)

    def share(blocks: Sequence[slice]) -> tuple[np.ndarray, np.ndarray]:
        gain, loss = np.zeros_like(joint), np.zeros(head.rows.z)
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            _loo_sums(values, codes, scale, joint, mass, by_frequency, likelihood[block], gain, loss, own[block])
        return gain, loss

    parts = over_shares(share, head.rows.runs(), thread_count())
    gain, loss = (np.sum([part[k] for part in parts], axis=0) for k in (0, 1))
    through_prior = prior * gain.sum(axis=1)  # (C,) by way of the label frequencies behind every source class
    through_prior = (through_prior - frequency @ through_prior) / others
    return np.log(likelihood) + likelihoods(head, gain - loss) - own + through_prior[head.labels.codes]


def guess_contributions(codes: Int[np.ndarray, " n"], counts: Int[np.ndarray, " c"]) -> Float[np.ndarray, " n"]:
    """Of the leave-one-out log-likelihood of the label frequencies; every class has an example."""
    n = counts.sum()
    by_class = np.log(prior_without(counts, 1)) + (counts - 1) / (counts - 0.5) - (n - 1) / (n - 1 + len(counts) / 2)
    return by_class[codes]


def plain_contributions(
    head: HeadCounts, table: Float[np.ndarray, "c z"], likelihood: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Of plain LEEP, `table` being P(y given z) and `likelihood` what it gives: mean of with and without own counts."""

    def share(blocks: Sequence[slice]) -> np.ndarray:
        gain = np.zeros_like(table)
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            _kernels.expectation(values, codes, scale, table, gain)
        return gain

    gain = np.sum(over_shares(share, head.rows.runs(), thread_count()), axis=0)
    loss = (gain * table).sum(axis=0)
    moved = np.empty(head.rows.n)

    def middle(blocks: Sequence[slice]) -> None:
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            _plain_middle(values, codes, scale, head.mass, table, likelihood[block], gain, loss, moved[block])

    over_shares(middle, head.rows.runs(), thread_count())
    return np.log(likelihood) + moved


def hard_contributions(in_cell: Int[np.ndarray, " n"], in_column: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Of NCE, from how many examples share each one's (class, source class), and its source class: what it takes along.

    That is n times the score, minus n - 1 times the score without the example: Tukey's pseudo-values.
    """
    return entropy_step(in_cell) - entropy_step(in_column)


@compiled
@no_type_check
def _loo_sums(rows, codes, scale, joint, mass, by_frequency, likelihood, gain, loss, own):
    """Add up how each likelihood answers to the counts; `own`: its answer to its own, which it does not see."""
    for i in range(rows.shape[0]):
        row = rows[i]
        inverse = scale[i]
        counts = joint[codes[i]]
        through = by_frequency[codes[i]]
        into = gain[codes[i]]
        per = 1.0 / likelihood[i]
        total = 0.0
        for k in range(row.size):
            p = row[k] * inverse
            rest = mass[k] - p
            answer = per * p / rest
            ratio = (counts[k] - p) / rest
            into[k] += answer
            loss[k] += answer * ratio
            total += answer * (p * (1.0 - ratio) + through)
        own[i] = total


@compiled
@no_type_check
def _plain_middle(rows, codes, scale, mass, table, likelihood, gain, loss, out):
    """out[i] = what the log-likelihoods gain by the row's place in the table, mean of with and without its counts."""
    for i in range(rows.shape[0]):
        row = rows[i]
        inverse = scale[i]
        head = table[codes[i]]
        gains = gain[codes[i]]
        per = 1.0 / likelihood[i]
        total = 0.0
        for k in range(row.size):
            p = row[k] * inverse
            m = mass[k]
            rest = m - p
            net = gains[k] - loss[k]
            held = net / m if m > 0.0 else 0.0
            freed = (net - per * p * (1.0 - head[k])) / rest if rest > _kernels.EMPTY * m else 0.0
            total += p * (held + freed)
        out[i] = 0.5 * total
