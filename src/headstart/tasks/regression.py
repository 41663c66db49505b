"""Regression: one or more amounts per example."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.errors import TargetError
from headstart.tasks.task import Array, Labels, Metric, RawLabels, Task, register
from headstart.tasks.values import is_amount_elsewhere, is_number, is_real, number_of

if TYPE_CHECKING:
    from torch import Tensor

BINS = 10  # strata of equal size along the value


def r2(values: Array, answers: Array) -> float:
    """Share of the variance explained, at most 1; mean over the columns of (n, t) values.

    A column whose values are all equal is left out. If every column is, the result is 1 for answers without error and 0
    otherwise: scikit-learn's convention rather than a measure (`Regression.caveats`).

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]))
        0.5
    """
    spread = _spread(values)
    error = (_gaps(values, answers) ** 2).sum(axis=0)
    varies = spread > 0
    if not varies.any():
        return float(not error.any())
    return float((1 - error[varies] / spread[varies]).mean())


def mae(values: Array, answers: Array) -> float:
    """Mean absolute error, in the unit of the values. Lower is better."""
    return float(np.abs(_gaps(values, answers)).mean())


def _gaps(values: Array, answers: Array) -> Array:
    return np.asarray(values.reshape(len(values), -1) - answers.reshape(len(answers), -1))


def _spread(values: Array) -> Array:
    """(t,) sums of squares about the mean."""
    rows = values.reshape(len(values), -1)
    moved = rows - rows[0]  # 0 for equal values, whose mean may be a rounding away
    return np.asarray(((moved - moved.mean(axis=0)) ** 2).sum(axis=0))


@register
class Regression(Task):
    """Labels are (n,) or (n, t) float64; a network has one output per column."""

    name = "regression"
    link = "identity"
    scored_as = "regression"
    amounts = True
    metrics = (Metric("r2", "R2", r2, -np.inf, 1), Metric("mae", "MAE", mae, 0, np.inf, lower_is_better=True))

    def recognises(self, values: Array) -> bool:
        return is_real(values)

    def read(self, raw: RawLabels) -> Labels:
        values = _numbers(raw)
        if not (np.ptp(values, axis=0) > 0).any():
            raise TargetError(f"{raw.where}: all {len(values)} values are equal; add examples that differ.")
        if raw.asked:
            return Labels(values, ())
        note = f"{raw.where} holds numbers with a fraction, read as regression; otherwise pass task='classification'"
        return Labels(values, (), (note,))

    def width(self, labels: Array, classes: Sequence[str]) -> int:
        return int(np.prod(labels.shape[1:], dtype=int))

    def loss(
        self, outputs: "Tensor", labels: "Tensor", *, smoothing: float = 0.0, weights: "Tensor | None" = None
    ) -> "Tensor":
        """Mean squared error."""
        from torch.nn import functional

        return functional.mse_loss(outputs, labels.to(outputs.dtype).reshape(outputs.shape))

    def quality(self, outputs: "Tensor", labels: "Tensor") -> float:
        """R2 over all columns; minus the mean squared error where all labels are equal."""
        labels = labels.reshape(outputs.shape).double()
        error = (outputs.double() - labels) ** 2
        moved = labels - labels[0]  # 0 for equal labels, whose mean may be a rounding away
        spread = ((moved - moved.mean(0)) ** 2).sum()
        return float((1 - error.sum() / spread if spread > 0 else -error.mean()).item())

    def strata(self, labels: Array) -> Array:
        """Ten groups of equal size along the first column."""
        n = len(labels)
        ranks = np.empty(n, dtype=np.int64)
        ranks[np.argsort(labels.reshape(n, -1)[:, 0], kind="stable")] = np.arange(n)
        return np.asarray(ranks * min(BINS, n) // max(n, 1))

    def counts(self, labels: Array, classes: Sequence[str]) -> tuple[int, ...]:
        return ()

    def showcase(self, labels: Array, classes: Sequence[str]) -> list[tuple[str, Array]]:
        values = labels.reshape(len(labels), -1)[:, 0]
        ranked = np.argsort(values, kind="stable")
        picked = dict.fromkeys(ranked[[0, len(ranked) // 2, -1]].tolist()) if len(ranked) else {}
        return [(f"{values[row]:g}", np.array([row])) for row in picked]

    def metrics_on(self, labels: Array) -> tuple[Metric, ...]:
        return tuple(metric for metric in self.metrics if metric.name != "r2" or _spread(labels).any())

    def caveats(self, metric: str, labels: Array) -> list[str]:
        alike = _spread(labels) == 0
        if metric != "r2" or not alike.any():
            return []
        if alike.all():
            return ["R2 is undefined here because all test values are equal; use MAE"]
        return [f"R2 leaves out {alike.sum()} of {len(alike)} targets whose test values are all equal"]


def _numbers(raw: RawLabels) -> Array:
    values = raw.values
    if is_number(values):
        return values.astype(np.float64)
    numbers = [number_of(str(value)) for value in values.ravel()]
    if None in numbers:
        first = numbers.index(None)
        text, row = str(values.ravel()[first]), raw.ids[first * len(values) // len(numbers)]
        elsewhere = is_amount_elsewhere(text)
        step = "write 1.5 for 1,5, 1000 for 1,000 and 10 for 10%" if elsewhere else "correct it or leave it out"
        raise TargetError(f"{raw.where}: regression needs finite numbers; {row} has {text!r}; {step}.")
    return np.array(numbers, dtype=np.float64).reshape(values.shape)
