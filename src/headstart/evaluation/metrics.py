"""How good answers are. Higher is better for every metric but `calibration_error` and `mae`."""

from collections.abc import Callable

import numpy as np

from headstart.errors import InputError
from headstart.records import Task

Metric = Callable[[np.ndarray, np.ndarray], float]
TINY = 1e-12  # the smallest probability that a logarithm is taken of


def accuracy(labels: np.ndarray, probs: np.ndarray) -> float:
    """Share of examples whose most probable class is the right one; for multi-label, share of right labels."""
    if labels.ndim == 2:
        return float(((probs > 0.5) == (labels > 0)).mean())
    return float((probs.argmax(axis=1) == labels).mean())


def balanced_accuracy(labels: np.ndarray, probs: np.ndarray) -> float:
    """Mean over the classes present of the share recognised: chance is 1 / classes however unequal they are.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([[1.0, 0.0]] * 4))
        0.5
    """
    right = probs.argmax(axis=1) == labels
    return float(np.mean([right[labels == c].mean() for c in np.unique(labels)]))


def macro_f1(labels: np.ndarray, probs: np.ndarray) -> float:
    """Mean F1 over the classes that occur or are predicted; for multi-label, over the labels.

    A class without any true or predicted example counts in neither form of it.
    """
    if labels.ndim == 2:
        truth, said = labels > 0, probs > 0.5
    else:
        columns = np.arange(probs.shape[1])
        truth, said = labels[:, None] == columns, probs.argmax(axis=1)[:, None] == columns
    both, either = (truth & said).sum(axis=0), truth.sum(axis=0) + said.sum(axis=0)
    seen = either > 0
    return float((2 * both[seen] / either[seen]).mean()) if seen.any() else 0.0


def log_likelihood(labels: np.ndarray, probs: np.ndarray) -> float:
    """Mean log probability of the truth, in nats, at most 0; probabilities count as at least 1e-12."""
    if labels.ndim == 2:
        right = np.where(labels > 0, probs, 1 - probs)
        return float(np.log(np.maximum(right, TINY)).mean())
    return float(np.log(np.maximum(probs[np.arange(len(labels)), labels], TINY)).mean())


def calibration_error(labels: np.ndarray, probs: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over equal bins of confidence, in [0, 1].

    Lower is better. Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    https://arxiv.org/abs/1706.04599

    Example:
        >>> calibration_error(np.array([0, 0]), np.array([[0.75, 0.25], [0.75, 0.25]]))
        0.25
    """
    if labels.ndim == 2:
        said = probs > 0.5
        confidence, right = np.where(said, probs, 1 - probs).ravel(), (said == (labels > 0)).ravel()
    else:
        confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    place = np.minimum((np.ceil(confidence * bins) - 1).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def r2(values: np.ndarray, outputs: np.ndarray) -> float:
    """Share of the variance explained, at most 1; mean over the targets (n, t) of a regression on several.

    A target whose values are all alike has no variance to explain and is left out. Where every target is like that, it
    is 1 for outputs without error, else 0: a convention of scikit-learn, not a measure (`r2_note` says so).
    """
    spread = _spread(values)
    error = ((values.reshape(len(values), -1) - outputs.reshape(len(outputs), -1)) ** 2).sum(axis=0)
    varies = spread > 0
    if not varies.any():
        return float(not error.any())
    return float((1 - error[varies] / spread[varies]).mean())


def r2_note(values: np.ndarray) -> list[str]:
    """What to say beside an R2 on these values; nothing where every target varies."""
    alike = _spread(values) == 0
    if alike.all():
        return ["r2 has no meaning where all test values are alike; go by mae"]
    if alike.any():
        return [f"r2 leaves out {alike.sum()} of {len(alike)} targets: all test values of such a target are alike"]
    return []


def _spread(values: np.ndarray) -> np.ndarray:
    """(t,) sums of squares about the mean."""
    rows = values.reshape(len(values), -1)
    moved = rows - rows[0]  # 0 for equal values, whose mean may be a rounding away
    return ((moved - moved.mean(axis=0)) ** 2).sum(axis=0)


def mae(values: np.ndarray, outputs: np.ndarray) -> float:
    """Mean absolute error, in the unit of the values. Lower is better."""
    return float(np.abs(values.reshape(len(values), -1) - outputs.reshape(len(outputs), -1)).mean())


METRICS: dict[Task, dict[str, Metric]] = {
    "classification": {
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "log_likelihood": log_likelihood,
        "calibration_error": calibration_error,
    },
    "multi-label": {
        "macro_f1": macro_f1,
        "accuracy": accuracy,
        "log_likelihood": log_likelihood,
        "calibration_error": calibration_error,
    },
    "regression": {"r2": r2, "mae": mae},
}
MAIN: dict[Task, str] = {task: next(iter(named)) for task, named in METRICS.items()}  # outcomes are compared by it
LOWER_IS_BETTER = frozenset({"calibration_error", "mae"})
SHARES = frozenset({"accuracy", "balanced_accuracy", "macro_f1", "calibration_error"})  # of examples, from 0 to 1
CLASS_MEANS = frozenset({"balanced_accuracy", "macro_f1"})  # shares too, but an example weighs by the size of its class


def metrics(labels: np.ndarray, outputs: np.ndarray, task: Task) -> dict[str, float]:
    """Every metric of the task; for a regression without R2 where no value of any target differs from another.

    Args:
        labels: (n,) codes; (n, C) of 0/1 for multi-label; (n,) or (n, t) values for regression.
        outputs: (n, C) probabilities, or values.

    Raises:
        InputError: There are no examples, lengths differ, or outputs are not finite.

    Example:
        >>> metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]), "regression")
        {'r2': 0.5, 'mae': 0.3333333333333333}
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs, dtype=np.float64)
    if len(labels) == 0 or len(labels) != len(outputs):
        raise InputError(f"`outputs` must have one row per label; there are {len(labels)} and {len(outputs)} rows.")
    if not np.isfinite(outputs).all():
        raise InputError(f"`outputs` must be finite; {int((~np.isfinite(outputs)).sum())} numbers are not.")
    found = {name: function(labels, outputs) for name, function in METRICS[task].items()}
    if task == "regression" and not _spread(labels).any():
        del found["r2"]
    return found
