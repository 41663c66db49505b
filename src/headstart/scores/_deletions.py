"""The standard error of leave-one-out LEEP on small data, from examples taken out one and two at a time.

The jackknife: an example's contribution is what the score loses with it. Where a table holds few examples a cell its
squared error is far too large, for what pairs of examples add is in it twice (Efron and Stein). That is measured in the
same way, by taking two out, over pairs in which every example comes as often as any other, and is taken off once. The
squares of the pairs hold what triples add three times, as the jackknife does, so that of triples nothing is left; no
more than half of the whole is ever taken off (`spread_of`), which keeps it from being too small.

Derivatives by the examples' weights (`_influence.py`, `_second_order.py`) give nearly the same where tables are thick,
in a few sweeps; in thin ones an example's place in the table is no small change, and they miss half of the pairs' part.
In the thinnest, of less than an example a source class, the error from examples taken out is right on average, but so
uncertain, and so small where the score happens to be low, that its intervals hold the truth too seldom (92 % in
simulated worlds). There the derivatives' wider ones serve better, and on large data theirs are the only ones to be had.

Reference: Efron and Stein, The jackknife estimate of variance, Annals of Statistics 1981, section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from scipy.special import xlogy

from headstart.scores._checks import Labels
from headstart.scores._compiled import compiled
from headstart.scores._head_counts import HeadCounts
from headstart.scores._influence import spread_of
from headstart.scores._kernels import likelihood_without_own
from headstart.scores._table import Spread
from headstart.scores._threads import over_shares, thread_count

PAIRS = 300  # at least, as far as there are so many
MOST_WORK = 1 << 24  # entries read, with what a row costs whatever its length: some 12 ms of one thread
ROW = 20  # entries that a row's logarithm and its turn of the loop cost


@dataclass(frozen=True, eq=False)
class Deletions:
    """A sum over n examples as it is without each of them, and without each of some pairs."""

    pairs: Int[np.ndarray, "m 2"]
    whole: float
    without_one: Float[np.ndarray, " n"]
    without_two: Float[np.ndarray, " m"]

    def __sub__(self, other: "Deletions") -> "Deletions":
        """Of the difference of two sums, the same pairs taken out of both."""
        return replace(
            self,
            whole=self.whole - other.whole,
            without_one=self.without_one - other.without_one,
            without_two=self.without_two - other.without_two,
        )

    def spread(self) -> Spread:
        """Of the sum divided by n: the jackknife's, less what it counts twice."""
        n, first, second = len(self.without_one), self.pairs[:, 0], self.pairs[:, 1]
        lost = self.whole - self.without_one
        together = self.whole - self.without_two - lost[first] - lost[second]  # beyond what each takes along alone
        return spread_of(lost, float(np.square(together).mean()) * (n - 1) / (2 * n) if len(together) else 0.0)


def worth_it(head: HeadCounts) -> bool:
    """Whether taking examples out one by one costs little, and the table is not too thin for it.

    Source classes that no example uses do not count.
    """
    n, z = head.rows.n, int(np.count_nonzero(head.mass))
    return n > 2 and z <= n and (n + max(n, PAIRS)) * n * (z + ROW) <= MOST_WORK


def loo_deletions(head: HeadCounts, likelihood: Float[np.ndarray, " n"], prior: float) -> Deletions:
    """Of the sum of leave-one-out log-likelihoods with `prior` counts (above 0).

    The pairs are dealt in the order of the `likelihood`, so that the order in which the examples came decides between
    equal ones only. A class whose last example is taken out stays a class.
    """
    n, labels, used = head.rows.n, head.labels, head.mass > 0
    pairs = _every_one_as_often(np.lexsort((labels.codes, likelihood)))
    rows = np.ascontiguousarray(head.rows.block(slice(0, n))[:, used])
    joint = head.joint[:, used]
    nobody = np.full(n + 1, -1)
    out = np.concatenate([np.stack([np.append(np.arange(n), -1), nobody], axis=1), pairs])  # each, none, the pairs
    sums = np.empty(len(out))

    def share(blocks: Sequence[slice]) -> None:
        for block in blocks:
            _sums_without(rows, labels.codes, head.scale, joint, labels.counts, prior, out[block], sums[block])

    step = 1 + len(out) // (4 * thread_count())
    over_shares(share, [slice(at, at + step) for at in range(0, len(out), step)], thread_count())
    return Deletions(pairs, float(sums[n]), sums[:n], sums[n + 1 :])


def guess_deletions(labels: Labels, pairs: Int[np.ndarray, "m 2"]) -> Deletions:
    """Of the sum of leave-one-out log-likelihoods of the label frequencies."""
    n, counts, same = len(labels.codes), labels.counts, labels.codes[pairs]
    whole, less_one, less_two = (xlogy(left, left - 0.5) for left in (counts, counts - 1, np.maximum(counts - 2, 0)))
    first, second = (less_one - whole)[same].T
    two = np.where(same[:, 0] == same[:, 1], (less_two - whole)[same[:, 0]], first + second)
    all_n, but_one, but_two = (whole.sum() - xlogy(left, left - 1 + len(counts) / 2) for left in (n, n - 1, n - 2))
    return Deletions(pairs, float(all_n), but_one + (less_one - whole)[labels.codes], but_two + two)


def _every_one_as_often(order: Int[np.ndarray, " n"]) -> Int[np.ndarray, "m 2"]:
    """Pairs of examples, as many rounds of them as `PAIRS` asks; in a round every example comes twice."""
    n = len(order)
    rounds = min(-(-PAIRS // n), (n - 1) // 2)
    dealt = order[np.random.default_rng(0).permutation(n)]
    pairs = [np.stack([dealt, np.roll(dealt, -step)], axis=1) for step in range(1, rounds + 1)]
    return np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)


@compiled
@no_type_check
def _sums_without(rows, codes, scale, joint, counts, prior, out, sums):
    """sums[s] = sum of leave-one-out log-likelihoods of the examples but the two of out[s], of which -1 is none."""
    likelihood = np.empty(len(rows))
    for s in range(out.shape[0]):
        left, kept = joint.copy(), counts.copy()
        for i in out[s]:
            if i >= 0:
                kept[codes[i]] -= 1
                left[codes[i]] -= rows[i] * scale[i]
        mass = left.sum(axis=0) + prior
        others = kept.sum() - 1 + len(kept) / 2
        for y in range(len(kept)):
            left[y] += prior * (kept[y] - 0.5) / others
        likelihood_without_own(rows, codes, scale, left, mass, likelihood)
        total = 0.0
        for j in range(len(rows)):
            if j != out[s, 0] and j != out[s, 1]:
                total += np.log(likelihood[j])
        sums[s] = total
