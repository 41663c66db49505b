"""The scores of a task, from the source's cached outputs on its training examples, and baselines without a model."""

import math
from collections.abc import Mapping

import numpy as np

from headstart.scores import evaluate, leep
from headstart_paper.tasks import ClassTask

SCORES = (
    "leep",
    "nce",
    "h_score",
    "leep_loo",
    "leep_calibrated",
    "leep_em",
    "leep_skill",
    "leep_gaussian",
    "leep_pooled",
    "nleep",
    "logme",
    "regularized_h_score",
    "knn",
    "ridge_probe",
    "random",
)
BASELINES = ("minus_log_classes", "minus_entropy", "leep_of_noise")


def measure(
    features: np.ndarray, logits: np.ndarray | None, task: ClassTask, *, names: tuple[str, ...] = SCORES, seed: int = 0
) -> dict[str, float]:
    """Every score by name, and the baselines that know nothing of the source.

    `minus_log_classes` is -log C; `minus_entropy` is -H(Y); `leep_of_noise` is LEEP of the source's own probabilities
    dealt out to the wrong examples: as sharp as the source, and blind.

    Args:
        features: (N, d) of the whole training part.
        logits: (N, z), or None for a source without a classifier.
        seed: Of the noise, and of scores that draw random numbers.
    """
    rows, labels = task.train, task.train_labels
    chosen = None if logits is None else logits[rows]
    found, _ = evaluate(names, labels=labels, features=features[rows], logits=chosen, seed=seed + task.number)
    values = {name: evaluation.value for name, evaluation in found.items()}
    shares = np.bincount(labels) / len(labels)
    values["minus_log_classes"] = -float(np.log(len(task.classes)))
    values["minus_entropy"] = float((shares * np.log(shares)).sum())
    if chosen is not None:
        dealt = np.random.default_rng([seed, task.number]).permutation(len(rows))
        values["leep_of_noise"] = leep(_softmax(chosen)[dealt], labels)
    return values


def as_stored(values: Mapping[str, float]) -> dict[str, float | None]:
    """Values as a row keeps them: six decimals; None for a score that does not apply, which is not one that is lacking.

    Example:
        >>> stored = as_stored({"leep": -0.12345678})
        >>> stored["leep"], stored["nleep"]
        (-0.123457, None)
    """
    return {name: _rounded(values.get(name)) for name in dict.fromkeys((*SCORES, *values))}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
