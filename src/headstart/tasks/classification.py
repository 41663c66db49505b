"""Classification: one class per example."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.errors import TargetError
from headstart.tasks.task import Array, Labels, Metric, RawLabels, Task, register
from headstart.tasks.values import (
    is_amount_elsewhere,
    is_binary,
    is_float,
    is_real,
    is_text,
    is_whole,
    natural_key,
    number_of,
    span,
)

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12  # smaller probabilities count as this in a logarithm
BINS = 15  # of confidence, for the calibration error
MANY_NUMBERS = 50  # more distinct whole numbers than this may be amounts
MISSING = {"nan", "none", "null", "n/a", "na", "-1", "unknown", "?"}  # what often stands for a missing label


def accuracy(labels: Array, probs: Array) -> float:
    """Share of examples whose most probable class is the right one."""
    return float((probs.argmax(axis=1) == labels).mean())


def balanced_accuracy(labels: Array, probs: Array) -> float:
    """Mean over the classes present of the share recognised: chance is 1 / classes however unequal they are.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([[1.0, 0.0]] * 4))
        0.5
    """
    right = probs.argmax(axis=1) == labels
    return float(np.mean([right[labels == c].mean() for c in np.unique(labels)]))


def macro_f1(labels: Array, probs: Array) -> float:
    """Mean F1 over the classes that occur or are predicted.

    Example:
        >>> macro_f1(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
        1.0
    """
    columns = np.arange(probs.shape[1])
    return mean_f1(labels[:, None] == columns, probs.argmax(axis=1)[:, None] == columns)


def roc_auc(labels: Array, probs: Array) -> float:
    """Area under the ROC curve, in [0, 1]: each class against the others, the mean over classes; chance is 0.5.

    Example:
        >>> roc_auc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
        1.0
    """
    return mean_area("roc_auc_score", labels[:, None] == np.arange(probs.shape[1]), probs)


def pr_auc(labels: Array, probs: Array) -> float:
    """Average precision, in [0, 1]: each class against the others, the mean over the classes that occur.

    It is the area under the precision-recall curve; chance is the share of each class.

    Example:
        >>> pr_auc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
        1.0
    """
    return mean_area("average_precision_score", labels[:, None] == np.arange(probs.shape[1]), probs)


def mean_area(curve: str, truth: Array, probs: Array) -> float:
    """The mean of one of scikit-learn's areas over the columns of a (n, C) bool array that hold both values."""
    from sklearn import metrics

    both = truth.any(axis=0) & ~truth.all(axis=0)
    assert both.any(), "`metrics_on` leaves the metric out where no column holds both values"
    return float(np.mean([getattr(metrics, curve)(truth[:, c], probs[:, c]) for c in np.flatnonzero(both)]))


def log_likelihood(labels: Array, probs: Array) -> float:
    """Mean log probability of the true class, in nats, at most 0; probabilities count as at least 1e-12."""
    return float(np.log(np.maximum(probs[np.arange(len(labels)), labels], TINY)).mean())


def calibration_error(labels: Array, probs: Array) -> float:
    """Expected calibration error, the gap between confidence and accuracy, in [0, 1]; lower is better."""
    return binned_gap(probs.max(axis=1), probs.argmax(axis=1) == labels)


def mean_f1(truth: Array, predicted: Array) -> float:
    """Mean F1 over the columns of two (n, C) bool arrays; empty columns are left out."""
    both, either = (truth & predicted).sum(axis=0), truth.sum(axis=0) + predicted.sum(axis=0)
    seen = either > 0
    return float((2 * both[seen] / either[seen]).mean()) if seen.any() else 0.0


def binned_gap(confidence: Array, right: Array) -> float:
    """Expected calibration error over equal bins of confidence.

    Example:
        >>> binned_gap(np.array([0.75, 0.75]), np.array([True, True]))
        0.25

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017. https://arxiv.org/abs/1706.04599
    """
    place = np.minimum((np.ceil(confidence * BINS) - 1).astype(int), BINS - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _by_class(labels: Array, probs: Array) -> tuple[Array, Array]:
    return labels[:, None] == np.unique(labels), (probs.argmax(axis=1) == labels)[:, None]


@register
class Classification(Task):
    """Labels are codes (n,) int64 into the classes; a network has one output per class."""

    name = "classification"
    link = "softmax"
    scored_as = "classification"
    single_class = True
    metrics = (
        Metric("accuracy", "accuracy", accuracy, 0, 1, share=True),
        Metric("balanced_accuracy", "balanced accuracy", balanced_accuracy, 0, 1, share=True, by_class=_by_class),
        Metric("macro_f1", "macro F1", macro_f1, 0, 1, share=True, by_class=_by_class),
        Metric("log_likelihood", "log-likelihood", log_likelihood, -np.inf, 0),
        Metric("calibration_error", "calibration error", calibration_error, 0, 1, lower_is_better=True, share=True),
        Metric("roc_auc", "ROC AUC", roc_auc, 0, 1),
        Metric("pr_auc", "PR AUC", pr_auc, 0, 1),
    )

    def metrics_on(self, labels: Array) -> tuple[Metric, ...]:
        """All, but no areas under curves where only one class occurs."""
        return self.metrics if len(np.unique(labels)) > 1 else self.metrics[:-2]

    def recognises(self, values: Array) -> bool:
        return values.dtype != object and not is_real(values) and (values.ndim == 1 or _is_one_hot(values))

    def read(self, raw: RawLabels) -> Labels:
        if raw.values.ndim == 2:
            labels = _from_one_hot(raw)
        elif raw.classes is not None:
            labels = _by_name(raw, raw.classes)
        else:
            labels = _as_found(raw)
        if len(labels.classes) < 2:
            raise TargetError(
                f"{raw.where}: all {len(labels.values)} examples are of the one class `{labels.classes[0]}`; "
                "add examples of at least one other class."
            )
        return labels

    def width(self, labels: Array, classes: Sequence[str]) -> int:
        return len(classes)

    def loss(
        self, outputs: "Tensor", labels: "Tensor", *, smoothing: float = 0.0, weights: "Tensor | None" = None
    ) -> "Tensor":
        """Cross entropy; `labels` may also be (b, C) class probabilities. With `weights` (C,), of each class."""
        from torch.nn import functional

        if weights is None:
            return functional.cross_entropy(outputs, labels, label_smoothing=smoothing)
        losses = functional.cross_entropy(outputs, labels, weights, label_smoothing=smoothing, reduction="none")
        return losses.mean()  # torch's own mean would divide by the weights of the batch

    def quality(self, outputs: "Tensor", labels: "Tensor") -> float:
        return (outputs.argmax(1) == labels).double().mean().item()

    def strata(self, labels: Array) -> Array:
        return np.unique(labels, return_inverse=True)[1]

    def counts(self, labels: Array, classes: Sequence[str]) -> tuple[int, ...]:
        return tuple(np.bincount(labels, minlength=len(classes)).tolist())

    def showcase(self, labels: Array, classes: Sequence[str]) -> list[tuple[str, Array]]:
        return [(name, np.flatnonzero(labels == code)) for code, name in enumerate(classes)]

    def names(self, labels: Array, classes: Sequence[str]) -> list[object]:
        return [classes[code] for code in labels]


def _as_found(raw: RawLabels) -> Labels:
    values = np.char.strip(raw.values) if is_text(raw.values) else raw.values
    if is_float(values) and is_whole(values):  # 1.0 and 1 are one class
        values = values.astype(np.int64)
    found, codes = np.unique(values, return_inverse=True)
    names = [str(name) for name in found]
    order = sorted(range(len(names)), key=lambda i: natural_key(names[i]))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    notes = class_notes(names, place[codes], raw.where, order, asked=raw.asked)
    return Labels(place[codes], tuple(names[i] for i in order), notes)


def _by_name(raw: RawLabels, classes: Sequence[str]) -> Labels:
    """Whole numbers that index class names, or the names themselves; classes without examples are left out."""
    values = np.char.strip(raw.values) if is_text(raw.values) else raw.values
    if is_text(values) and set(values.tolist()) <= set(classes):
        found, inverse = np.unique(values, return_inverse=True)
        values = np.array([list(classes).index(name) for name in found])[inverse]
    if not is_whole(values) or values.min() < 0 or values.max() >= len(classes):
        raise TargetError(
            f"{raw.where}: labels must be 0 to {len(classes) - 1}, one per class name, or those names; "
            f"got {span(values)}."
        )
    used, codes = np.unique(values.astype(np.int64), return_inverse=True)
    names = [str(classes[code]) for code in used]
    if len(set(names)) < len(names):
        names = [f"{name} ({code})" for name, code in zip(names, used, strict=True)]
    lonely = [names[code] for code in np.flatnonzero(np.bincount(codes) == 1)]
    unused = len(classes) - len(used)
    notes = (f"{unused} of {len(classes)} classes have no example and are left out",) if unused else ()
    return Labels(codes.astype(np.int64), tuple(names), (*notes, *lonely_note(lonely)))


def _is_one_hot(values: Array) -> bool:
    return is_binary(values) and bool((values.sum(axis=1) == 1).all())


def _from_one_hot(raw: RawLabels) -> Labels:
    """A row of 0/1 per example with exactly one 1."""
    if not _is_one_hot(raw.values):
        raise TargetError(f"{raw.where}: classification needs one label per example; got shape {raw.values.shape}.")
    names = column_names(raw)
    coded = RawLabels(raw.values.argmax(axis=1), raw.where, raw.ids, names, raw.asked)
    labels = _by_name(coded, names)
    note = f"{raw.where}: every row holds exactly one 1, read as one class each; otherwise pass task='multi-label'"
    return Labels(labels.values, labels.classes, (note, *labels.notes))


def column_names(raw: RawLabels) -> tuple[str, ...]:
    """The names of the columns of 0/1; TargetError if there are more or fewer names than columns."""
    columns = raw.values.shape[1]
    if raw.classes is None:
        return tuple(str(column) for column in range(columns))
    if len(raw.classes) != columns:
        raise TargetError(
            f"{raw.where}: {columns} columns of labels but {len(raw.classes)} class names; name each column."
        )
    return tuple(str(name) for name in raw.classes)


def class_notes(names: list[str], codes: Array, where: str, order: list[int], *, asked: bool) -> tuple[str, ...]:
    """Notes on class names that may be a mistake; `codes` are places in `order`, `asked`: the user named the task."""
    notes = [] if asked else list(_other_tasks(names, where))
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            notes.append(f"the classes `{other}` and `{name}` differ only in case and stay separate")
    notes += [
        f"one class is called `{name}`; if that stands for a missing label, leave those examples out"
        for name in names
        if name.casefold() in MISSING
    ]
    notes += _equal_numbers(names)
    lonely = [names[order[code]] for code in np.flatnonzero(np.bincount(codes) == 1)]
    return (*notes, *lonely_note(lonely))


def _other_tasks(names: list[str], where: str) -> Iterator[str]:
    """Signs of amounts, or of several labels per example."""
    if len(names) > MANY_NUMBERS and all(number_of(name) is not None for name in names):
        yield (
            f"{where} holds {len(names)} distinct whole numbers, read as classes; if they are amounts, "
            "pass task='regression'"
        )
    elsewhere = [name for name in names if is_amount_elsewhere(name)]
    if elsewhere and len(elsewhere) + sum(number_of(name) is not None for name in names) > len(names) / 2:
        yield (
            f"{where} holds labels such as `{elsewhere[0]}`, read as class names; if they are amounts, write 1.5 "
            "for 1,5, 1000 for 1,000 and 10 for 10%"
        )
    for mark in "|;":
        held = [name for name in names if mark in name.strip(mark)]
        if len(held) > len(names) / 4:
            yield (
                f"{where} holds labels such as `{held[0]}`, each read as one class; if `{mark}` separates several, "
                "pass task='multi-label'"
            )


def _equal_numbers(names: list[str]) -> Iterator[str]:
    first: dict[float, str] = {}
    pairs = []
    for name in names:
        number = number_of(name)
        if number is not None and (other := first.setdefault(number, name)) != name:
            pairs.append(f"`{other}` and `{name}`")
    if pairs:
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        yield f"classes that are equal as numbers stay separate: {', '.join(pairs[:3])}{more}"


def lonely_note(lonely: list[str]) -> tuple[str, ...]:
    """A note on the classes with a single example, if there are any."""
    if not lonely:
        return ()
    named = ", ".join(f"`{name}`" for name in lonely[:5]) + (", ..." if len(lonely) > 5 else "")
    few = "one class has a single example" if len(lonely) == 1 else f"{len(lonely)} classes have a single example each"
    return (f"{few} ({named}): too few both to train and to validate on",)
