"""Gain: what a transfer reached minus what training from scratch reached, with an interval and a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from headstart.errors import InputError
from headstart.records import Predictions, Verdict
from headstart.stats import jackknife_groups, pseudo_values
from headstart.tasks import ByClass, task_of

STAYS = 0.7  # chosen by `benchmarks/verdicts.py`: with 0.5 coverage falls to 91 %, with 1 it rises to 99 %
ROUNDING = 1e-12  # differences of metrics that are apart by less are equal


@dataclass(frozen=True)
class Gain:
    """Means over the seeds, their difference (positive: the transfer is better) and its interval."""

    transfer: float
    scratch: float
    value: float
    low: float | None  # None: one seed, too few test examples, or none that tells the runs apart
    high: float | None
    level: float
    seeds: int


def gain(
    transfer: Sequence[Predictions],
    scratch: Sequence[Predictions],
    *,
    metric: str,
    task: str = "classification",
    level: float = 0.95,
) -> Gain:
    """Compare the transfers of several seeds with as many trainings from scratch, all on the same test examples.

    The interval covers the gain over fresh seeds and fresh test examples. One seed has none: how far seeds differ is
    then unknown. At least four test examples are needed.

    If no test example distinguishes the runs, the data show no chance, although the next example may differ. For a
    metric that is a share (`Metric.share`) the interval then extends to the share of differing examples that n examples
    without one still allow, 1 - (1 - level) ** (1 / n): about 3 / n at 95 % ("rule of three"). In a mean over classes
    (`Metric.by_class`) an example of a small class weighs more, so there this is done class by class (`possible_mean`).
    Any other metric then has no interval.

    Args:
        transfer: One run per seed.
        scratch: As many runs.
        metric: The name of one of the task's metrics.
        level: Coverage of the interval.

    Raises:
        InputError: There is no run, the test examples differ, or the task has no such metric.
    """
    _check(transfer, scratch)
    measure, labels = task_of(task).metric(metric), transfer[0].labels
    reached = [[measure(labels, run.outputs) for run in runs] for runs in (transfer, scratch)]
    arms = float(np.mean(reached[0])), float(np.mean(reached[1]))
    value = measure.sign * (arms[0] - arms[1])
    if len(transfer) < 2 or len(labels) < 4:
        return Gain(*arms, value, None, None, level, len(transfer))
    groups = jackknife_groups(len(labels), seed=0)
    kept = [groups != g for g in range(groups.max() + 1)]
    without = [[[measure(labels[k], run.outputs[k]) for k in kept] for run in runs] for runs in (transfer, scratch)]
    parts = np.array([pseudo_values(np.array(one), np.array(out)) for one, out in zip(reached, without, strict=True)])
    reach = half_width(np.array(reached), parts, level)
    extra = 0.0
    silent = bool(np.ptp(parts[0].mean(axis=0) - parts[1].mean(axis=0)) < ROUNDING * len(labels))
    if measure.by_class is not None:
        sizes, alike = _classes(measure.by_class, labels, list(zip(transfer, scratch, strict=True)))
        extra = possible_mean(sizes, alike | silent, level)
    if silent:
        if not measure.share:
            return Gain(*arms, value, None, None, level, len(transfer))
        extra = max(extra, 1 - (1 - level) ** (1 / len(labels)))
    reach = float(np.hypot(reach, extra))
    return Gain(*arms, value, value - reach, value + reach, level, len(transfer))


def judge(found: Gain, *, margin: float = 0.01) -> tuple[Verdict, str]:
    """Whether a transfer helped, and a plain sentence on what to do.

    "neutral": the whole interval lies within `margin` of no difference. "positive" and "negative": it lies wholly on
    one side of 0. Otherwise, and without an interval, "inconclusive".

    Args:
        margin: The smallest difference that matters, in the unit of the metric.

    Example:
        >>> def verdict(value, low, high):
        ...     return judge(Gain(0.5 + value, 0.5, value, low, high, 0.95, seeds=3))[0]
        >>> verdict(0.1, 0.02, 0.18), verdict(-0.1, -0.2, -0.02), verdict(0.0, -0.004, 0.005)
        ('positive', 'negative', 'neutral')
    """
    value, low, high = found.value, found.low, found.high
    if low is None or high is None:
        if found.seeds < 2:
            return "inconclusive", (
                "One seed shows a difference and proves nothing: another seed may turn it around. Repeat both with "
                "`--seeds 3`."
            )
        return "inconclusive", "There are too few test examples for an interval: collect more, or use cross-validation."
    if -margin <= low and high <= margin:
        return "neutral", (
            "The transfer is no better than training from scratch: use the cheaper of the two, or a source closer to "
            "the target (`headstart rank`)."
        )
    if low > 0:
        return "positive", "The transfer helps; keep it."
    if high < 0:
        return "negative", (
            "Negative transfer: the source hurts. Try a source closer to the target (`headstart rank`), earlier layers "
            "(`--method head --layer`), a smaller rate, `--method residual` (cannot lose to scratch in the limit), "
            "or train from scratch."
        )
    lean = "No gain shows" if abs(value) <= ROUNDING else f"The gain leans {'up' if value > 0 else 'down'}"
    return "inconclusive", f"{lean}, but the interval includes 0: add seeds (`--seeds`) or test examples."


def half_width(reached: np.ndarray, parts: np.ndarray, level: float) -> float:
    """Half of the interval: seeds and test examples are crossed random effects, the arms have independent seeds.

    The variance between seeds, and that between groups of test examples, both hold the chance of single answers
    (seed x example); it is subtracted once. The degrees of freedom of the sum are Satterthwaite's; there a part of that
    chance stays with the few seeds (`STAYS`), since a variance of 0 between them is not known to be 0.

    Args:
        reached: (2, S) the metric of each arm and seed.
        parts: (2, S, G) what each group of test examples contributes to it.
    """
    _, seeds, groups = parts.shape
    by_arm = reached.var(axis=1, ddof=1)
    free = (seeds - 1) * max(int((by_arm > ROUNDING).sum()), 1)  # a solved head does not vary: it adds nothing known
    of_seeds = by_arm.sum() / seeds
    of_test = (parts[0] - parts[1]).mean(axis=0).var(ddof=1) / groups
    rest = (
        parts
        - parts.mean(axis=1, keepdims=True)
        - parts.mean(axis=2, keepdims=True)
        + parts.mean(axis=(1, 2), keepdims=True)
    )
    of_both = (rest**2).sum() / ((seeds - 1) * (groups - 1)) / (seeds * groups)
    variance = max(of_seeds - of_both, 0.0) + of_test
    if variance == 0:
        return 0.0
    spread = max(of_seeds - (1 - STAYS) * of_both, 0.0) ** 2 / free + of_test**2 / (groups - 1)
    freedom = min(variance**2 / spread, free + groups - 1)
    return float(special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance))


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
