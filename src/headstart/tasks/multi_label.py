"""Multi-label: any number of labels per example."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.errors import TargetError
from headstart.tasks.classification import TINY, binned_gap, column_names, mean_area, mean_f1
from headstart.tasks.task import TASKS, Array, Labels, Metric, RawLabels, Task, register
from headstart.tasks.values import is_binary, is_number, is_real, natural_key, span

if TYPE_CHECKING:
    from torch import Tensor

SEPARATORS = ("|", ";", ",")  # between the labels of one example, tried in this order


def accuracy(labels: Array, probs: Array) -> float:
    """Share of correct labels over all examples and labels."""
    return float(_right(labels, probs).mean())


def macro_f1(labels: Array, probs: Array) -> float:
    """Mean F1 over the labels that occur or are predicted."""
    return mean_f1(labels > 0, probs > 0.5)


def log_likelihood(labels: Array, probs: Array) -> float:
    """Mean log probability of the truth over examples and labels, in nats, at most 0."""
    return float(np.log(np.maximum(np.where(labels > 0, probs, 1 - probs), TINY)).mean())


def calibration_error(labels: Array, probs: Array) -> float:
    """Expected calibration error over all labels, in [0, 1]; lower is better."""
    return binned_gap(np.where(probs > 0.5, probs, 1 - probs).ravel(), _right(labels, probs).ravel())


def roc_auc(labels: Array, probs: Array) -> float:
    """Area under the ROC curve, in [0, 1], the mean over labels; chance is 0.5."""
    return mean_area("roc_auc_score", labels > 0, probs)


def pr_auc(labels: Array, probs: Array) -> float:
    """Average precision (area under the precision-recall curve), in [0, 1], the mean over labels."""
    return mean_area("average_precision_score", labels > 0, probs)


def _right(labels: Array, probs: Array) -> Array:
    return np.asarray((probs > 0.5) == (labels > 0))


def _by_class(labels: Array, probs: Array) -> tuple[Array, Array]:
    return labels > 0, _right(labels, probs)


@register
class MultiLabel(Task):
    """Labels are (n, C) int64 of 0/1; a network has one output per label."""

    name = "multi-label"
    link = "sigmoid"
    scored_as = "multi-label"
    takes_sets = True
    metrics = (
        Metric("macro_f1", "macro F1", macro_f1, 0, 1, share=True, by_class=_by_class),
        Metric("accuracy", "accuracy", accuracy, 0, 1, share=True),
        Metric("log_likelihood", "log-likelihood", log_likelihood, -np.inf, 0),
        Metric("calibration_error", "calibration error", calibration_error, 0, 1, lower_is_better=True, share=True),
        Metric("roc_auc", "ROC AUC", roc_auc, 0, 1),
        Metric("pr_auc", "PR AUC", pr_auc, 0, 1),
    )

    def metrics_on(self, labels: Array) -> tuple[Metric, ...]:
        """All, but no areas under curves where no label varies."""
        return self.metrics if (np.ptp(labels, axis=0) > 0).any() else self.metrics[:-2]

    def recognises(self, values: Array) -> bool:
        """Sets of labels, or rows of 0/1 that are neither amounts nor one class each."""
        if values.dtype == object:
            return True
        return values.ndim == 2 and not is_real(values) and not TASKS["classification"].recognises(values)

    def read(self, raw: RawLabels) -> Labels:
        if is_number(raw.values) and raw.values.ndim == 2:
            if not is_binary(raw.values):
                raise TargetError(
                    f"{raw.where}: several columns of labels must hold only 0 and 1; got {span(raw.values)}."
                )
            labels = Labels(raw.values.astype(np.int64), column_names(raw))
        else:
            labels = _from_sets(*_label_sets(raw))
        if not (np.ptp(labels.values, axis=0) > 0).any():
            raise TargetError(f"{raw.where}: all examples hold the same labels; add examples that differ.")
        return labels

    def width(self, labels: Array, classes: Sequence[str]) -> int:
        return int(labels.shape[1])

    def loss(
        self, outputs: "Tensor", labels: "Tensor", *, smoothing: float = 0.0, weights: "Tensor | None" = None
    ) -> "Tensor":
        """Binary cross entropy over the labels."""
        from torch.nn import functional

        return functional.binary_cross_entropy_with_logits(outputs, labels.to(outputs.dtype))

    def quality(self, outputs: "Tensor", labels: "Tensor") -> float:
        return ((outputs > 0) == (labels > 0)).double().mean().item()

    def strata(self, labels: Array) -> Array:
        """One stratum per combination of labels; combinations seen once share one."""
        rows, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)[1:]
        return np.unique(np.where(counts[rows] > 1, rows, -1), return_inverse=True)[1]

    def counts(self, labels: Array, classes: Sequence[str]) -> tuple[int, ...]:
        return tuple(labels.sum(axis=0).tolist())

    def showcase(self, labels: Array, classes: Sequence[str]) -> list[tuple[str, Array]]:
        return [(name, np.flatnonzero(labels[:, column])) for column, name in enumerate(classes)]


def _from_sets(sets: list[set[str]], notes: tuple[str, ...]) -> Labels:
    names = tuple(sorted({name for row in sets for name in row}, key=natural_key))
    column = {name: i for i, name in enumerate(names)}
    coded = np.zeros((len(sets), len(names)), dtype=np.int64)
    for row, held in enumerate(sets):
        coded[row, [column[name] for name in held]] = 1
    return Labels(coded, names, notes)


def _label_sets(raw: RawLabels) -> tuple[list[set[str]], tuple[str, ...]]:
    """The labels of each example as a set of names, from lists or from text with separators."""
    if raw.values.dtype == object:
        return [{str(name).strip() for name in row} for row in raw.values], ()
    texts = [str(value) for value in raw.values]
    separator = next((mark for mark in SEPARATORS if any(mark in text for text in texts)), None)
    if separator is None:
        raise TargetError(
            f"{raw.where}: no example has several labels; put one of {' '.join(SEPARATORS)} between them."
        )
    sets = [{part.strip() for part in text.split(separator)} - {""} for text in texts]
    return sets, (f"{raw.where}: each text is split at `{separator}`",)
