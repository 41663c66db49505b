"""The scores of a task, from the source's cached outputs on its training examples, and baselines without a model."""

import math
from collections.abc import Mapping

import numpy as np

from headstart.scores import evaluate, leep
from headstart.tasks import softmax
from headstart_paper.tasks import ClassTask

SCORES = (
    *("leep", "nce", "h_score", "leep_loo", "leep_calibrated", "leep_em", "leep_skill", "leep_gaussian"),
    *("leep_pooled", "nleep", "logme", "regularized_h_score", "knn", "ridge_probe", "random"),
)

DEAR = 100_000  # examples times classes from which N-LEEP, a mixture of five Gaussians a class, takes minutes


def measure(features: np.ndarray, logits: np.ndarray | None, task: ClassTask, *, seed: int = 0) -> dict[str, float]:
    """Every score by name (N-LEEP on small data alone), and baselines that know nothing of the source.

    `minus_log_classes` is -log C; `minus_entropy` is -H(Y); `leep_of_noise` is LEEP of the source's own probabilities,
    shuffled over the examples: as sharp as the source, and blind.

    Args:
        features: (N, d) of the part that the task's training examples come from.
        logits: (N, z), or None for a source without a classifier.
        seed: Of the noise, and of scores that draw random numbers.
    """
    rows, labels = task.train, task.train_labels
    chosen = None if logits is None else logits[rows]
    names = [name for name in SCORES if name != "nleep" or len(rows) * len(task.classes) < DEAR]
    found, _ = evaluate(names, labels=labels, features=features[rows], logits=chosen, seed=seed + task.number)
    values = {name: evaluation.value for name, evaluation in found.items()}
    shares = np.bincount(labels) / len(labels)
    values["minus_log_classes"] = -float(np.log(len(task.classes)))
    values["minus_entropy"] = float((shares * np.log(shares)).sum())
    if chosen is not None:
        shuffled = np.random.default_rng([seed, task.number]).permutation(len(rows))
        values["leep_of_noise"] = leep(softmax(chosen)[shuffled], labels)
    return values


def as_stored(values: Mapping[str, float]) -> dict[str, float | None]:
    """Values as a row keeps them: six decimals; None for a score that was tried and does not apply.

    Example:
        >>> stored = as_stored({"leep": -0.12345678})
        >>> stored["leep"], stored["nleep"]
        (-0.123457, None)
    """
    found = {name: values.get(name) for name in dict.fromkeys((*SCORES, *values))}
    return {name: round(v, 6) if v is not None and math.isfinite(v) else None for name, v in found.items()}
