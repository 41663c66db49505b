"""Gain: what a transfer reached minus what training the same network from scratch reached, with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from headstart.errors import InputError
from headstart.records import Predictions
from headstart.stats import jackknife, jackknife_groups
from headstart.tasks import ByClass, task_of

ROUNDING = 1e-12  # differences of metrics that are apart by less are equal


@dataclass(frozen=True)
class Gain:
    """Means over the seeds, their difference (positive: the transfer is better) and its interval."""

    transfer: float
    scratch: float
    value: float
    low: float | None  # None: too few test examples for an interval, or none that tells the runs apart
    high: float | None
    level: float


def gain(
    transfer: Sequence[Predictions],
    scratch: Sequence[Predictions],
    *,
    metric: str,
    task: str = "classification",
    level: float = 0.95,
) -> Gain:
    """Compare runs pair by pair; the two runs of a pair have the same seed, and all have the same test examples.

    The interval combines two sources of chance: the test examples (a jackknife over 20 groups of them, with the
    differences averaged over the seeds) and the seeds (the spread of the pairs' differences, unknown for a single
    pair). The first includes some of the second, so the interval is slightly wide.

    If no test example distinguishes the runs, the jackknife sees no chance, although the next example may differ. For a
    metric that is a share (`Metric.share`) the interval then extends to the share of differing examples that n examples
    without one still allow, 1 - (1 - level) ** (1 / n): about 3 / n at 95 % ("rule of three"). In a mean over classes
    (`Metric.by_class`) an example of a small class weighs more, so there this is done class by class (`possible_mean`).
    Any other metric then has no interval.

    Args:
        transfer: One run per seed.
        scratch: The runs with the same seeds, in the same order.
        metric: The name of one of the task's metrics.
        level: Coverage of the interval.

    Raises:
        InputError: There is no pair, the test examples differ, or the task has no such metric.
    """
    _check(transfer, scratch)
    measure = task_of(task).metric(metric)
    labels = transfer[0].labels
    pairs = list(zip(transfer, scratch, strict=True))

    def differences(kept: np.ndarray) -> np.ndarray:
        both = [(measure(labels[kept], a.outputs[kept]), measure(labels[kept], b.outputs[kept])) for a, b in pairs]
        return np.array([measure.sign * (one - other) for one, other in both])

    everything = np.arange(len(labels))
    by_seed = differences(everything)
    value = float(by_seed.mean())
    of_test: float | None = None
    if len(labels) >= 4:
        groups = jackknife_groups(len(labels), seed=0)
        deleted = np.array([differences(everything[groups != g]).mean() for g in range(groups.max() + 1)])
        of_test = jackknife(value, deleted, level).high - value
        silent = bool(np.ptp(deleted) < ROUNDING)
        if measure.by_class is not None:
            sizes, alike = _classes(measure.by_class, labels, pairs)
            of_test = float(np.hypot(of_test, possible_mean(sizes, alike | silent, level)))
        if silent:
            of_test = max(of_test, 1 - (1 - level) ** (1 / len(labels))) if measure.share else None
    of_seeds = 0.0
    if len(pairs) > 1:
        error = by_seed.std(ddof=1) / np.sqrt(len(pairs))
        of_seeds = float(special.stdtrit(len(pairs) - 1, (1 + level) / 2)) * error
    reach = None if of_test is None else float(np.hypot(of_test, of_seeds))
    return Gain(
        float(np.mean([measure(labels, run.outputs) for run in transfer])),
        float(np.mean([measure(labels, run.outputs) for run in scratch])),
        value,
        None if reach is None else value - reach,
        None if reach is None else value + reach,
        level,
    )


def possible_mean(sizes: np.ndarray, silent: np.ndarray, level: float) -> float:
    """The largest possible mean over classes of the shares of differing examples, where some classes show none.

    It is the largest over all shares p_c for which seeing no difference in those classes, prod (1 - p_c) ** size_c, has
    a probability of at least 1 - level; the other classes count as 0. If all classes are silent and of one size, it is
    1 - (1 - level) ** (1 / n), as without classes; otherwise the smallest classes have the largest shares.

    Args:
        sizes: (C,) test examples of each class.
        silent: (C,) whether a class shows no difference.

    Example:
        >>> round(possible_mean(np.array([4, 996]), np.array([True, True]), 0.95), 4)  # (1 - 0.05 ** (1 / 4)) / 2
        0.2636
    """
    few = np.sort(sizes[silent])
    if few.size == 0:
        return 0.0
    # at the largest mean 1 - p_c = scale * size_c, in the smallest classes; p_c = 0 in those where that exceeds 1
    scales = np.exp((np.log(1 - level) - np.cumsum(few * np.log(few))) / np.cumsum(few))
    last = np.flatnonzero(scales * few <= 1)[-1]
    return float((1 - scales[last] * few[: last + 1]).sum() / len(sizes))


def _classes(
    by_class: ByClass, labels: np.ndarray, pairs: Sequence[tuple[Predictions, Predictions]]
) -> tuple[np.ndarray, np.ndarray]:
    """(C,) each: how many examples a class has, and whether all of them tell the runs apart alike."""
    members, _ = by_class(labels, pairs[0][0].outputs)
    right = [[by_class(labels, run.outputs)[1] * 1.0 for run in pair] for pair in pairs]
    differs = np.broadcast_to(np.mean([one - other for one, other in right], axis=0), members.shape)
    found = [differs[members[:, c], c] for c in np.flatnonzero(members.any(axis=0))]
    return np.array([len(each) for each in found]), np.array([np.ptp(each) < ROUNDING for each in found], dtype=bool)


def _check(transfer: Sequence[Predictions], scratch: Sequence[Predictions]) -> None:
    if not transfer or len(transfer) != len(scratch):
        raise InputError(
            f"a gain needs pairs of runs with the same seeds; got {len(transfer)} transfers and {len(scratch)} "
            "trainings from scratch."
        )
    first = transfer[0]
    for run in (*transfer, *scratch):
        if run.ids != first.ids or not np.array_equal(run.labels, first.labels):
            raise InputError(
                "the runs were tested on different examples, so their results cannot be compared. "
                "Run them on the same data with the same `split_seed`."
            )
