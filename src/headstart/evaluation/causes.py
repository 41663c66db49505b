"""Why a transfer may have hurt: the known causes of negative transfer for which the records hold measured evidence."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtri

from headstart.evaluation.convergence import Curve
from headstart.records import Outcome
from headstart.tasks import task_of

SKILL = "skill"  # a fact of a run: see `leep_skill`
ERROR = 0.05  # of the tests of a whole training
IN_A_ROW = 3  # epochs surely behind after which a training is stopped: see benchmarks/RESULTS.md
RISE = 1.2  # times the lowest validation loss: above it the training learnt its examples by heart


def stop_behind(scratch: Curve, examples: int, epochs: int) -> Callable[[Curve], str | None]:
    """A rule that ends a training of so many epochs once it is surely behind; asked after each epoch.

    Surely behind: as in `surely_behind`, in each of the last `IN_A_ROW` epochs. A transfer may start slowly.

    Args:
        scratch: The curve of training from scratch; an empty one stops nothing.
        examples: Validation examples.
        epochs: Of the whole training.
    """

    def why(curve: Curve) -> str | None:
        below = _below([curve], [scratch], examples, error=ERROR / epochs)
        if len(curve) < IN_A_ROW or len(below) < len(curve) or not below[-IN_A_ROW:].all():
            return None
        mine, theirs = curve[-1].valid_quality, scratch[len(curve) - 1].valid_quality
        return f"surely behind training from scratch: validation accuracy {mine:.3f} against {theirs:.3f}"

    return why


def surely_behind(transfer: Sequence[Curve], scratch: Sequence[Curve], examples: int) -> int | None:
    """First epoch, counted from 1, in which a transfer's validation accuracy is surely below that from scratch.

    Surely: the difference of the curves, averaged over the seeds, is below 0 by a one-sided test whose error over all
    epochs is 5 % (Bonferroni). Its standard error is that of two accuracies on separate examples, which is at least the
    true one where both saw the same examples and agree more often than by chance.

    Args:
        transfer: One curve per seed, of a metric that is a share of right answers.
        scratch: As many curves of training from scratch.
        examples: Validation examples.

    Returns:
        None where the transfer never is surely behind, or a curve has no validation quality.

    Example:
        >>> from headstart.records import CurvePoint
        >>> def curve(*values):
        ...     return [CurvePoint(i + 1, float(i), 0.1, 1.0, 1.0, v, 1) for i, v in enumerate(values)]
        >>> surely_behind([curve(0.5, 0.5, 0.6)], [curve(0.5, 0.7, 0.9)], 100)
        2
    """
    epochs = min((len(curve) for curve in (*transfer, *scratch)), default=0)
    below = np.flatnonzero(_below(transfer, scratch, examples, error=ERROR / max(epochs, 1)))
    return int(below[0]) + 1 if below.size else None


def _below(transfer: Sequence[Curve], scratch: Sequence[Curve], examples: int, *, error: float) -> np.ndarray:
    """Whether the transfer is below by a test with that error, for each epoch that all curves have; () if unknown."""
    epochs = min((len(curve) for curve in (*transfer, *scratch)), default=0)
    arms = [[[point.valid_quality for point in curve[:epochs]] for curve in curves] for curves in (transfer, scratch)]
    unknown = any(value is None for arm in arms for curve in arm for value in curve)
    if unknown or not (transfer and scratch and epochs and examples):
        return np.zeros(0, dtype=bool)
    mine, theirs = (np.array(arm, dtype=np.float64).mean(axis=0) for arm in arms)
    least = 1 / examples  # an accuracy of 0 or 1 is not known to have no spread
    spread = np.sqrt(sum(np.maximum(p * (1 - p), least) for p in (mine, theirs)) / examples)
    return np.asarray(theirs - mine > ndtri(1 - error) * spread)


def causes(
    members: Sequence[Outcome], scratch: Sequence[Outcome], others: Sequence[Outcome], *, margin: float = 0.01
) -> tuple[str, ...]:
    """Causes that fit a transfer that seems to hurt, each with the numbers that speak for it.

    Args:
        members: The transfer's runs, one per seed.
        scratch: The trainings from scratch with the same seeds.
        others: All other runs on the same data.
        margin: The smallest difference that matters.
    """
    first = members[0]
    found = [_conflicting(first), _frozen(members, others, margin), _too_large(members, others, margin)]
    found += [_by_heart(members)]
    if task_of(first.task).single_class and first.metric == "accuracy":
        epoch = surely_behind([one.curve for one in members], [one.curve for one in scratch], first.n_valid)
        found += [f"the validation accuracy was surely below that from scratch from epoch {epoch} on" if epoch else ""]
    return tuple(f"possible cause: {text}" for text in found if text)


def _conflicting(one: Outcome) -> str:
    skill = one.facts.get(SKILL)
    if skill is None or skill > 0:
        return ""
    return (
        f"conflicting task: the source's classes say no more of the labels than their frequencies (leave-one-out skill "
        f"{skill:.3f} nats)"
    )


def _reached(runs: Sequence[Outcome]) -> float:
    metric = task_of(runs[0].task).metric(runs[0].metric)
    return metric.sign * float(np.mean([one.metrics[metric.name] for one in runs]))


def _groups(others: Sequence[Outcome]) -> list[list[Outcome]]:
    named: dict[tuple[str, str], list[Outcome]] = {}
    for one in others:
        if one.method != "scratch" and one.metrics:
            named.setdefault((one.method, one.source), []).append(one)
    return list(named.values())


def _better(members: Sequence[Outcome], rivals: list[list[Outcome]], margin: float) -> list[Outcome]:
    """The best of some groups of runs, where it is better by more than the margin and than a standard error.

    The error is that of two shares on separate test examples, which is more than that of two runs on the same.
    """
    best = max(rivals, key=_reached, default=[])
    if not best or not members[0].metrics:
        return []
    mine, theirs, n = _reached(members), _reached(best), members[0].n_test
    error = np.sqrt(sum(max(p * (1 - p), 0.0) for p in (mine, theirs)) / n) if n and min(mine, theirs) >= 0 else 0.0
    return best if theirs > mine + max(margin, error) else []


def _frozen(members: Sequence[Outcome], others: Sequence[Outcome], margin: float) -> str:
    first = members[0]
    rivals = [one for one in _groups(others) if one[0].source == first.source and one[0].trained > first.trained]
    best = _better(members, rivals, margin)
    if not best:
        return ""
    return (
        f"frozen too much: {first.method} trains {first.trained / first.parameters:.1%} of the parameters and reaches "
        f"{abs(_reached(members)):.3f}, {best[0].method} trains {best[0].trained / best[0].parameters:.1%} and reaches "
        f"{abs(_reached(best)):.3f}"
    )


def _too_large(members: Sequence[Outcome], others: Sequence[Outcome], margin: float) -> str:
    first = members[0]
    rivals = [one for one in _groups(others) if one[0].method == first.method and one[0].parameters < first.parameters]
    best = _better(members, rivals, margin)
    if not best:
        return ""
    return (
        f"too large a model: {best[0].source} has {best[0].parameters / first.parameters:.0%} of the parameters and "
        f"reaches {abs(_reached(best)):.3f}, {first.source} {abs(_reached(members)):.3f}"
    )


def _by_heart(members: Sequence[Outcome]) -> str:
    points = [point for point in members[0].curve if point.valid_loss is not None]
    if not points:
        return ""
    lowest, last = min(points, key=lambda point: point.valid_loss or 0.0), points[-1]
    assert lowest.valid_loss is not None, "those without one are left out"
    assert last.valid_loss is not None, "those without one are left out"
    if last.valid_loss < RISE * lowest.valid_loss or last.train_loss > lowest.train_loss:
        return ""
    return (
        f"too few labels for the method: on {members[0].n_train} examples the training loss fell from "
        f"{lowest.train_loss:.3f} to {last.train_loss:.3f} after epoch {lowest.epoch}, and the validation loss rose "
        f"from {lowest.valid_loss:.3f} to {last.valid_loss:.3f}"
    )
