"""How much of a jackknife error is chance counted twice, for the scores that count a table on the data they score.

Write such a score as what single examples add up to, plus what pairs add that neither of the two adds alone, and so on.
A jackknife counts the variance of the singles once, of the pairs twice, of triples three times (Efron and Stein). As a
rule the singles are nearly all of it. Where a source hardly tells the classes apart they all but vanish: what is left
is the chance in the table, a chi-squared as in a test of independence, and the squared error comes out up to twice too
large. So the pairs' variance is estimated and taken off once.

For LEEP the pairs are its second derivatives by the weights of two examples. Its leave-one-out, calibrated and skill
forms have those of the same score with their prior behind its table: leaving the example itself out changes them in
higher order, which is not small where a table holds less than an example a cell. Their sum of squares over all pairs is
the mean square of the matrix times random signs (Hutchinson), and a matrix times a vector is three sweeps over the
rows. NCE's pairs and triples have closed forms.

Reference: Efron and Stein, The jackknife estimate of variance, Annals of Statistics 1981, sections 2 and 5; Hutchinson,
Communications in Statistics: Simulation and Computation 1990.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from scipy.special import comb

from headstart.scores._checks import Labels
from headstart.scores._compiled import compiled
from headstart.scores._head_counts import HeadCounts, private_shares, sum_tables
from headstart.scores._threads import over_shares, thread_count

FEWEST, MOST = 2, 8  # vectors of signs: more on small data, where they cost nothing and a table has few directions
ENTRIES = 1 << 23  # of all vectors together, in rows times source classes
NEXT_TO_NOTHING = 1e-300  # mass of a source class whose inverse might not be a number, and which no likelihood feels


@dataclass(frozen=True, eq=False)
class Probes:
    """Vectors of random signs, and how every example's contribution moves with the weights moved along each."""

    signs: Float[np.ndarray, "n k"]
    moved: Float[np.ndarray, "n k"]  # the matrix of second derivatives by the weights, times the signs

    def excess(self) -> float:
        """What the pairs add to the squared error of the score, which its jackknife holds twice.

        Half the sum of squares of the matrix but for its diagonal, over n squared. A product of two vectors' estimates
        of the diagonal gives the diagonal's squares without bias.
        """
        n, k = self.signs.shape
        own = self.signs * self.moved
        diagonal = (np.square(own.sum(axis=1)) - np.square(own).sum(axis=1)).sum() / (k * (k - 1))
        pairs = float(np.square(self.moved).sum() / k - diagonal)
        assert np.isfinite(pairs), "a source class next to nothing is left out"
        return max(0.0, pairs) / (2 * n**2)

    def within(self, labels: Labels) -> "Probes":
        """The same of contributions less the mean of their class."""
        return Probes(self.signs, self.moved - _class_means(self.moved, labels))


def probe(
    head: HeadCounts, table: Float[np.ndarray, "c z"], likelihood: Float[np.ndarray, " n"], prior: float = 0.0
) -> Probes:
    """Second derivatives of plain LEEP by the weights along random signs, as many as cost little.

    `table` is P(y given z), counted on top of `prior` examples a z, and `likelihood` what it gives. The signs are dealt
    in the order of the likelihoods, so that the order in which the examples came decides between equal ones only.
    """
    n, c, z = head.rows.n, *table.shape
    count = min(MOST, max(FEWEST, ENTRIES // (n * z)))
    signs, moved = np.empty((n, count)), np.empty((n, count))
    dealt = np.random.default_rng(0).choice([-1.0, 1.0], size=(n, count))
    signs[np.lexsort((head.labels.codes, likelihood))] = dealt

    def count_signed(blocks: Sequence[slice]) -> np.ndarray:
        rise = np.zeros((c, count, z))
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            _count_signed(values, codes, scale, signs[block], rise)
        return rise

    def answer(blocks: Sequence[slice]) -> np.ndarray:
        gain = np.zeros((c, count + 1, z))
        for block in blocks:
            values, codes, per = head.rows.block(block), head.labels.codes[block], head.scale[block] / likelihood[block]
            _answer(values, codes, per, signs[block], table_rise, moved[block], gain)
        return gain

    def collect(blocks: Sequence[slice]) -> None:
        for block in blocks:
            values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
            _collect(values, codes, scale, net_rise, moved[block])

    shares = private_shares(c * (count + 1) * z)
    mass = head.mass + prior
    per_mass = np.divide(1.0, mass, out=np.zeros(z), where=mass > NEXT_TO_NOTHING)
    rise = sum_tables(over_shares(count_signed, head.rows.runs(), shares))
    mass_rise = rise.sum(axis=0)
    table_rise = (rise - table[:, None] * mass_rise) * per_mass
    gains = sum_tables(over_shares(answer, head.rows.runs(), shares))
    gain, gain_rise = gains[:, 0], gains[:, 1:]
    net = (gain - (gain * table).sum(axis=0)) * per_mass  # what a count put into the table does to all likelihoods
    loss_rise = (gain_rise * table[:, None] + gain[:, None] * table_rise).sum(axis=0)
    net_rise = (gain_rise - loss_rise - net[:, None] * mass_rise) * per_mass
    over_shares(collect, head.rows.runs(), thread_count())
    return Probes(signs, moved)


def hard_excess(counts: Int[np.ndarray, " k"], column: Int[np.ndarray, " k"]) -> float:
    """What NCE's jackknife counts too often of its squared error; `column` is the source class of each cell's counts.

    Here pairs and triples have closed forms, by taking two or three examples out at once. Summed over all pairs their
    squares hold the pairs' variance once, the triples' three times, the next six times; those over triples hold the
    triples' once, the next four times. Where each order is a constant share of the one before, what the jackknife holds
    too often (the pairs once, the triples twice) is pairs^2 / (pairs + triples).
    """
    whole = np.bincount(column, counts).astype(np.int64)
    pairs, triples = (_squares(counts, whole, column, order) for order in (2, 3))
    return pairs**2 / (pairs + triples) / counts.sum() ** 2 if pairs > 0 else 0.0


def _squares(counts: np.ndarray, whole: np.ndarray, column: np.ndarray, order: int) -> float:
    """Sum over the sets of `order` examples of the squared difference that taking all of them out makes."""
    of_cell, of_column = (comb(m, order) for m in (counts, whole))
    cell_step, column_step = (entropy_step(m, order) for m in (counts, whole))
    together = of_cell * np.square(cell_step - column_step[column])
    apart = (of_column - np.bincount(column, of_cell)) * np.square(column_step)
    return float(together.sum() + apart.sum())


def entropy_step(count: Int[np.ndarray, " n"], order: int = 1) -> Float[np.ndarray, " n"]:
    """Backward difference of m log m, of some order, at counts of 1 or more; below no examples there is nothing.

    Of large counts little is left of each logarithm: the part that they share is taken out of the sum first.
    """
    shared, rest = np.zeros(len(count)), np.zeros(len(count))
    for taken in range(order + 1):
        left = (-1) ** taken * comb(order, taken) * np.maximum(count - taken, 0)
        shared += left
        rest += left * np.log1p(-np.minimum(taken, count - 1) / count)
    return shared * np.log(count) + rest


def _class_means(values: Float[np.ndarray, "n k"], labels: Labels) -> Float[np.ndarray, "n k"]:
    sums = np.stack([np.bincount(labels.codes, one) for one in values.T], axis=1)
    return (sums / labels.counts[:, None])[labels.codes]


@compiled
@no_type_check
def _count_signed(rows, codes, scale, signs, rise):
    """Add each row times each of its signs to its class in `rise` (C, k, z)."""
    for i in range(rows.shape[0]):
        row = rows[i]
        into = rise[codes[i]]
        for j in range(into.shape[0]):
            factor = scale[i] * signs[i, j]
            to = into[j]
            for k in range(row.size):
                to[k] += factor * row[k]


@compiled
@no_type_check
def _answer(rows, codes, per, signs, table_rise, moved, gain):
    """moved = how each log-likelihood answers to the table's rise; `gain` (C, 1 + k, z): of p / f and its rise."""
    for i in range(rows.shape[0]):
        row = rows[i]
        into = gain[codes[i]]
        to = into[0]
        for k in range(row.size):
            to[k] += row[k] * per[i]
        for j in range(signs.shape[1]):
            rise = table_rise[codes[i], j]
            total = 0.0
            for k in range(row.size):
                total += rise[k] * row[k]
            moved[i, j] = total * per[i]
            factor = per[i] * (signs[i, j] - moved[i, j])
            to = into[j + 1]
            for k in range(row.size):
                to[k] += factor * row[k]


@compiled
@no_type_check
def _collect(rows, codes, scale, net_rise, moved):
    """Add to `moved` how what a row does to the others through the table moves."""
    for i in range(rows.shape[0]):
        row = rows[i]
        for j in range(moved.shape[1]):
            rise = net_rise[codes[i], j]
            total = 0.0
            for k in range(row.size):
                total += rise[k] * row[k]
            moved[i, j] += scale[i] * total
