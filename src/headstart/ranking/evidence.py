"""What one source's left-out predictions say of a head on its features: the raw material of forecasts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from headstart.data.order import stratified_order
from headstart.errors import InputError
from headstart.records import Extraction, Probe
from headstart.scores import Inputs, association, left_out_answers, left_out_gains, left_out_probs
from headstart.stats import pseudo_values
from headstart.tasks import task_of

ROUNDING = 1e-9  # nats: a gain below it is none
FEWEST, MOST = 20, 5_000  # examples of a half whose confidence is worth its time


@dataclass(frozen=True, eq=False)
class Evidence:
    """A linear probe on the features, judged on examples that it was not fitted to."""

    metric: str
    value: float  # of the metric on the left-out predictions
    parts: Float[np.ndarray, " m"]  # whose mean is `value`: one for each example, or pseudo-values of groups
    ids: tuple[str, ...]  # what the parts belong to; two sources are paired where these agree
    examples: int
    classes: int = 0  # that occur; 0: no classes
    hits: float | None = None  # share of left-out examples whose class is right
    confidence: float | None = None  # mean probability of the class that is chosen, at the best scale
    half: float | None = None  # the same on halves of the examples
    gains: Float[np.ndarray, " n"] | None = None  # log-likelihood of each label minus that of a guess
    chosen: Int[np.ndarray, " n"] | None = None  # the class of each left-out example
    chance: float | None = None  # p-value of features that say nothing of the labels; None where the gains tell

    @property
    def probe(self) -> Probe | None:
        """The same as a record; None where there are no classes."""
        if self.hits is None or self.confidence is None:
            return None
        return Probe(self.examples, self.classes, self.hits, self.confidence, self.half)


def evidence_of(
    inputs: Inputs, extraction: Extraction, task: str, metric: str | None, groups: np.ndarray
) -> Evidence | None:
    """The evidence of one source; None where it has no features or a probe cannot be fitted to them.

    Args:
        inputs: The source's arrays, with whatever the scores computed of them.
        extraction: The same with the names of the examples.
        task: What the labels are.
        metric: Of the task; its first if None.
        groups: (n,) jackknife groups.
    """
    if extraction.features is None:
        return None
    try:
        if task_of(task).single_class:
            return _of_classes(inputs, extraction, task, metric, groups)
        return _of_amounts(inputs, extraction, task, metric, groups)
    except (InputError, np.linalg.LinAlgError, ArithmeticError):
        return None  # the scores that need the same probe give the reason


def _of_classes(inputs: Inputs, extraction: Extraction, task: str, metric: str | None, groups: np.ndarray) -> Evidence:
    probs = left_out_probs(inputs)
    occurring, labels = np.unique(extraction.labels, return_inverse=True)
    right = probs.argmax(axis=1) == labels
    measure = task_of(task).metric(metric)
    gains = left_out_gains(inputs, probs)
    value, parts, ids = float(right.mean()), right.astype(np.float64), extraction.ids
    if measure.name != "accuracy":
        value, parts, ids = _by_groups(lambda kept: measure(labels[kept], probs[kept]), groups)
    return Evidence(
        measure.name,
        value,
        parts,
        ids,
        len(labels),
        probs.shape[1],
        float(right.mean()),
        float(probs.max(axis=1).mean()),
        _on_halves(extraction, labels),
        gains,
        occurring[probs.argmax(axis=1)],
        None if surely_gains(gains) else association(inputs),
    )


def _of_amounts(inputs: Inputs, extraction: Extraction, task: str, metric: str | None, groups: np.ndarray) -> Evidence:
    answers, labels, measure = left_out_answers(inputs), extraction.labels, task_of(task).metric(metric)
    answers = answers.reshape(labels.shape)
    value, parts, ids = _by_groups(lambda kept: measure(labels[kept], answers[kept]), groups)
    return Evidence(measure.name, value, parts, ids, len(labels))


def surely_gains(gains: np.ndarray, level: float = 0.95) -> bool:
    """Whether the mean of gains (n,) is above 0 by a one-sided t test; never with fewer than two."""
    if len(gains) < 2:
        return False
    return above_zero(float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains))), len(gains) - 1, level)


def above_zero(value: float, error: float, degrees: float, level: float) -> bool:
    """Whether a value with this standard error is above 0 by a one-sided t test, and by more than rounding.

    A probe that ignores its features gains 1e-16 nats on every example: a mean with hardly any spread.
    """
    return value > max(float(special.stdtrit(degrees, level)) * error, ROUNDING)


def _by_groups(measure: Callable[[np.ndarray], float], groups: np.ndarray) -> tuple[float, np.ndarray, tuple[str, ...]]:
    """A metric on all examples, and what each group contributes to it."""
    count = int(groups.max()) + 1
    value = measure(np.arange(len(groups)))
    deleted = np.array([measure(np.flatnonzero(groups != group)) for group in range(count)])
    return value, pseudo_values(np.array([value]), deleted[None])[0], tuple(f"{len(groups)} {g}" for g in range(count))


def _on_halves(extraction: Extraction, labels: np.ndarray) -> float | None:
    """Mean confidence on two stratified halves; None where they are too small or not worth the time."""
    order, middle = np.asarray(stratified_order(labels, 0)), len(labels) // 2
    if not max(FEWEST, 2 * int(labels.max() + 1)) <= middle <= MOST:
        return None
    assert extraction.features is not None
    halves: Sequence[np.ndarray] = (order[:middle], order[middle : 2 * middle])
    return float(
        np.mean([left_out_probs(Inputs(labels[h], features=extraction.features[h])).max(1).mean() for h in halves])
    )
