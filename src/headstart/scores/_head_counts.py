"""Soft counts of (target class, source class), and the likelihoods that the LEEP family takes from them.

Write p_i for row i of the probabilities, y_i for its class; joint[y, z] = sum of p_i[z] over i of class y, and
mass[z] = sum over y of joint[y, z]. Every sweep reads the rows block by block and keeps nothing of size n times z.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from headstart.scores import _kernels
from headstart.scores._checks import Labels, check_labels, check_logits, check_probs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._threads import over_shares, thread_count

PRIOR = 0.5  # counts of the label frequencies behind each source class in leave-one-out tables
PRIVATE_BYTES = 24 << 20  # threads count into tables of their own as long as these fit in here together
TABLES_BYTES = 16 << 20  # tables of left-out groups held at one time


@dataclass(frozen=True, eq=False)
class HeadCounts:
    """What one sweep over the rows leaves: the joint counts and the scale of each row."""

    rows: ProbRows
    labels: Labels
    scale: Float[np.ndarray, " n"]  # 1 / sum of the row as read
    joint: Float[np.ndarray, "c z"]
    mass: Float[np.ndarray, " z"]


def read_probs(probs: np.ndarray, labels: np.ndarray, temperature: float = 1.0, logits: bool = False) -> HeadCounts:
    """Check a caller's arrays and count them.

    Raises:
        InputError: Shapes disagree, a row of `probs` is not a distribution, or fewer than two classes.
    """
    checked = check_labels(labels)
    array = (check_logits if logits else check_probs)(probs, len(checked.codes))
    return count_head(ProbRows(array, logits, temperature), checked)


def count_head(rows: ProbRows, labels: Labels) -> HeadCounts:
    """Count checked rows in one sweep."""
    scale = np.empty(rows.n)

    def share(blocks: Sequence[slice]) -> np.ndarray:
        joint = np.zeros((len(labels.classes), rows.z))
        for block in blocks:
            _kernels.count(rows.block(block), labels.codes[block], scale[block], joint)
        return joint

    cells = len(labels.classes) * rows.z
    shares = max(1, min(thread_count(), PRIVATE_BYTES // (8 * cells)))  # each thread counts into a table of its own
    joint = np.sum(over_shares(share, rows.slices(), shares), axis=0)
    return HeadCounts(rows, labels, scale, joint, joint.sum(axis=0))


def conditional(joint: Float[np.ndarray, "*c z"], mass: Float[np.ndarray, " z"]) -> Float[np.ndarray, "*c z"]:
    """P(y given z); zero for a source class without mass, which no example uses."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mass > 0, joint / mass, 0.0)


def likelihoods(head: HeadCounts, table: Float[np.ndarray, "c z"]) -> Float[np.ndarray, " n"]:
    """Sum over z of table[y_i, z] p_i[z] for each example."""
    out = np.empty(head.rows.n)

    def share(blocks: Sequence[slice]) -> None:
        for block in blocks:
            _kernels.likelihood(head.rows.block(block), head.labels.codes[block], head.scale[block], table, out[block])

    over_shares(share, head.rows.slices(), thread_count())
    return out


def likelihoods_without_own(head: HeadCounts, prior: float) -> Float[np.ndarray, " n"]:
    """The same with the example itself taken out of the counts, and `prior` counts of the label frequencies put in."""
    out = np.empty(head.rows.n)
    counts = head.labels.counts
    joint = head.joint + prior * prior_without(counts, 1)[:, None]
    mass = head.mass + prior

    def share(blocks: Sequence[slice]) -> None:
        for block in blocks:
            _kernels.likelihood_without_own(
                head.rows.block(block), head.labels.codes[block], head.scale[block], joint, mass, out[block]
            )

    over_shares(share, head.rows.slices(), thread_count())
    return out


def likelihoods_without_group(head: HeadCounts, groups: Int[np.ndarray, " n"], prior: float) -> Float[np.ndarray, " n"]:
    """The same with the example's whole group taken out of the counts."""
    out = np.empty(head.rows.n)
    order = np.argsort(groups, kind="stable")
    ends = np.flatnonzero(np.diff(groups[order], append=-1)) + 1
    for members in np.split(order, ends[:-1]):
        present, codes = np.unique(head.labels.codes[members], return_inverse=True)
        own = np.zeros((len(present), head.rows.z))
        runs = [members[start : start + head.rows.step] for start in range(0, len(members), head.rows.step)]
        within = [codes[start : start + head.rows.step] for start in range(0, len(members), head.rows.step)]
        for run, code in zip(runs, within, strict=True):
            _kernels.count_scaled(head.rows.block(run), code, head.scale[run], own)
        taken = np.bincount(head.labels.codes[members], minlength=len(head.labels.classes))
        frequency = prior_without(head.labels.counts, taken)[present]
        mass = _remaining(head.mass, own.sum(axis=0))
        joint = np.maximum(head.joint[present] - own, 0.0)
        table = conditional(joint + prior * frequency[:, None], mass + prior)
        for run, code in zip(runs, within, strict=True):
            part = np.empty(len(run))
            _kernels.likelihood(head.rows.block(run), code, head.scale[run], table, part)
            out[run] = part
    return out


def prior_without(counts: Int[np.ndarray, " c"], taken: int | Int[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
    """Label frequencies after `taken` examples of each class are left out, half an example added to every class.

    With `taken` = 1 entry y is the frequency of y as an example of class y itself sees it.
    """
    used = np.count_nonzero(counts)  # a class that is gone altogether is no longer a class
    removed = taken if isinstance(taken, int) else taken.sum()
    return np.asarray((counts - taken + 0.5) / (counts.sum() - removed + used / 2))


def deleted_means(
    head: HeadCounts,
    groups: Int[np.ndarray, " n"],
    prepare: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, ...]],
    kernel: Callable[..., None],
) -> Float[np.ndarray, " g"]:
    """Mean log-likelihood over the examples outside each group, the group taken out of the counts as well.

    `prepare` turns joint counts (C, z) and class counts (C,) without a group into the tables that `kernel` reads.
    """
    means = []
    for wanted, joints in without_groups(head, groups):
        kept = [np.bincount(head.labels.codes[groups != g], minlength=len(head.labels.classes)) for g in wanted]
        tables = [prepare(joint, counts) for joint, counts in zip(joints, kept, strict=True)]

        def share(
            blocks: Sequence[slice], wanted: range = wanted, tables: list[tuple[np.ndarray, ...]] = tables
        ) -> np.ndarray:
            sums = np.zeros(len(wanted))
            for block in blocks:
                values, codes, scale = head.rows.block(block), head.labels.codes[block], head.scale[block]
                out = np.empty(len(values))
                for at, g in enumerate(wanted):
                    kernel(values, codes, scale, *tables[at], out)
                    sums[at] += np.log(out[groups[block] != g]).sum()
            return sums

        sums = np.sum(over_shares(share, head.rows.slices(), thread_count()), axis=0)
        means.append(sums / [counts.sum() for counts in kept])
    return np.concatenate(means)


def without_groups(head: HeadCounts, groups: Int[np.ndarray, " n"]) -> Iterator[tuple[range, np.ndarray]]:
    """Batches of groups with the joint counts (g, C, z) without each, so that one sweep serves a whole batch."""
    batch = max(1, TABLES_BYTES // head.joint.nbytes)
    total = int(groups.max()) + 1
    c = len(head.labels.classes)
    for first in range(0, total, batch):
        wanted = range(first, min(first + batch, total))
        inside = np.flatnonzero((groups >= wanted.start) & (groups < wanted.stop))
        own = np.zeros((len(wanted) * c, head.rows.z))
        for start in range(0, len(inside), head.rows.step):
            run = inside[start : start + head.rows.step]
            codes = (groups[run] - wanted.start) * c + head.labels.codes[run]
            _kernels.count_scaled(head.rows.block(run), codes, head.scale[run], own)
        yield wanted, _remaining(head.joint, own.reshape(len(wanted), c, head.rows.z))


def _remaining(whole: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """whole - taken, with what is only rounding set to zero."""
    left = whole - taken
    left[left <= _kernels.EMPTY * np.broadcast_to(whole, left.shape)] = 0.0
    return np.asarray(left)
