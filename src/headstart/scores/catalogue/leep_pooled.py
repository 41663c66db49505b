"""Pooled LEEP: a left-out example's label as predicted by the source's head and features together."""

import numpy as np
from jaxtyping import Float, Shaped

from headstart.scores._checks import Labels, check_features, check_labels, check_logits, check_targets
from headstart.scores._decomposition import decompose
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._residual_maker import ResidualMaker
from headstart.scores._table import SCORES, Measured, Score, without_each_group
from headstart.scores.catalogue.leep_gaussian import (
    at_best_scale,
    gaussian_log_probs,
    log_probs_without,
    log_softmax,
    mean_of_own,
    shared_log_probs,
)
from headstart.scores.catalogue.ridge_probe import errors_without, left_out, shared_left_out

HEADLESS = "the source has no classifier: features only"


def leep_pooled(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    logits: Float[np.ndarray, "n z"] | None = None,
) -> float:
    """Pooled LEEP: mean leave-one-out log-likelihood of the labels, by head and features (higher is better).

    Two experts give the label of each example a probability without having seen it. One is `leep_gaussian`, by the
    source's log probabilities. The other is the ridge probe: its left-out predictions less the class frequencies, times
    the scale of largest likelihood, are the logarithms of factors on those frequencies. They are pooled as equals: the
    root of the product of their probabilities, normalised to sum to one. With few examples the
    head, which is already trained, predicts better; with many, the features do.

    Args:
        logits: Of the source's head; log probabilities work too. None: features only.

    Returns:
        The score in nats, at most 0.

    Example:
        >>> features = np.array([[0.0], [0.5], [1.0], [1.5], [3.0], [2.5], [4.0], [5.0], [4.5], [6.0]])
        >>> labels = np.arange(10) // 5
        >>> round(leep_pooled(features, labels), 4)  # by the features alone; a guess has -0.7985
        -0.3426
        >>> round(leep_pooled(features, labels, logits=np.zeros((10, 3))), 4)  # pooled with a head that only guesses
        -0.4086

    Reference: headstart's own; pooling by the geometric mean from Genest and Zidek, Combining Probability
    Distributions, Statistical Science 1986. https://doi.org/10.1214/ss/1177013825
    """
    checked = check_labels(labels)
    n = len(checked.codes)
    maker = ResidualMaker(decompose(check_features(features, n)), check_targets(labels, "classification"))
    probe = probe_log_probs(maker.targets, left_out(maker)[0], checked)
    if logits is None:
        return mean_of_own(probe, checked.codes)
    head = gaussian_log_probs(ProbRows(check_logits(logits, n), logits=True), checked)
    return mean_of_own(_pooled(head, probe), checked.codes)


def _pooled(one: Float[np.ndarray, "n c"], other: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    return log_softmax((one + other) / 2)


def probe_log_probs(
    targets: Float[np.ndarray, "n c"], errors: Float[np.ndarray, "n c"], labels: Labels
) -> Float[np.ndarray, "n c"]:
    """Log probability of every class from the left-out errors of a linear probe on the indicators of the classes."""
    exponents = targets - errors - targets.mean(axis=0)
    return at_best_scale(exponents, labels)[0]


def _measure(inputs: Inputs) -> Measured:
    headless = inputs.missing("probs") is not None
    labels = inputs.classes
    exponents = inputs.targets - shared_left_out(inputs)[0] - inputs.targets.mean(axis=0)
    log_probs, scale = at_best_scale(exponents, labels)
    value = mean_of_own(log_probs if headless else _pooled(shared_log_probs(inputs), log_probs), labels.codes)
    notes = (HEADLESS,) if headless else ()

    def again(group: int) -> float:
        kept = inputs.kept(group)
        others = check_labels(inputs.labels[kept])
        there = np.isin(labels.classes, others.classes)
        targets = inputs.targets[kept][:, there]
        exponents = targets - errors_without(inputs, group)[:, there] - targets.mean(axis=0)
        probe = at_best_scale(exponents, others, near=scale)[0]
        return mean_of_own(probe if headless else _pooled(log_probs_without(inputs, group), probe), others.codes)

    return without_each_group(inputs, value, again, notes)


SCORES.add(
    Score(
        title="pooled LEEP",
        function=leep_pooled,
        needs="features",
        high=0.0,
        cost="O(n d min(n, d) + n z C)",
        meaning="Log-likelihood of left-out labels by the source's head and a linear probe on its features together.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        default=1,
        measure=_measure,
    )
)
