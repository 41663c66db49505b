"""SFDA: how surely a Fisher discriminant tells the classes apart once hard examples are made harder."""

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, NotApplicableError, block_rows, check_features, check_labels
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out

LEAST = 1e-10  # smallest shrinkage, as published


def sfda(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    shrinkage: float | None = None,
    challenge: bool = True,
    log: bool = False,
) -> float:
    """SFDA: mean probability of the true class under a regularised, self-challenging Fisher discriminant.

    A first discriminant gives each example its confidence; every example is then drawn towards the mean of the other
    classes' means by what its confidence lacks, and a second discriminant is scored on these. The caller's array is
    not touched.

    Args:
        shrinkage: Weight of the scaled identity in the covariance, in (0, 1]; None takes the paper's
            exp(-5 largest eigenvalue), which depends on the scale of the features. The scale is the trace over the
            directions that n examples can span, min(d, n - 1).
        challenge: False scores the first discriminant.
        log: True takes the mean of the log probabilities, as the paper's equation; False, as its released code.

    Returns:
        A mean probability in [0, 1], or with `log` a mean log probability, at most 0.

    Example:
        >>> features = np.array([[0.0], [0.1], [5.0], [5.1]])
        >>> sfda(features, np.array([0, 0, 1, 1])) > 0.99
        True

    Reference: Shao et al., ECCV 2022, section 3. https://arxiv.org/abs/2207.03036
    """
    checked = check_labels(labels)
    features = check_features(features, len(checked.codes))
    if shrinkage is not None and not 0 < shrinkage <= 1:
        raise InputError(f"`shrinkage` must lie in (0, 1], or be None for the paper's rule; got {shrinkage}.")
    true = true_probabilities(centred(features), checked, shrinkage, challenge)
    if not log:
        return float(true.mean())
    return float(np.log(np.maximum(true, np.finfo(float).tiny)).mean())


def centred(features: np.ndarray) -> Float[np.ndarray, "n k"]:
    """Features less their mean in float64; constant ones, which tell nothing, dropped.

    Raises:
        NotApplicableError: The features do not vary.
    """
    x = np.asarray(features, dtype=np.float64)
    vary = (x != x[0]).any(axis=0)
    if not vary.any():
        raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
    x = x if vary.all() else x[:, vary]
    return np.asarray(x - x.mean(axis=0))


def true_probabilities(
    x: Float[np.ndarray, "n k"], labels: Labels, shrinkage: float | None = None, challenge: bool = True
) -> Float[np.ndarray, " n"]:
    """Probability of each example's class under the discriminant, or the second one of the challenge; x is centred."""
    codes, counts, width = labels.codes, labels.counts, min(x.shape[1], len(x) - 1)
    if counts.max() == 1:
        raise NotApplicableError("no class has two examples, so there is no spread within classes to compare with.")
    rows = np.arange(len(x))
    means, within = _within_covariance(x, codes, counts)
    strength = _published_shrinkage(within) if shrinkage is None else shrinkage
    posterior = _discriminant_posterior(x, counts, means, within, strength, width)
    if not challenge:
        return np.asarray(posterior[rows, codes])
    raised = np.exp(posterior)  # softened, as published, so that sure examples move too
    sure = (raised[rows, codes] / raised.sum(axis=1))[:, None]
    others = (means.sum(axis=0) - means) / (len(counts) - 1)  # mean of the other classes' means
    pull = others[codes]
    pull *= 1 - sure
    x = x * sure
    x += pull
    del pull
    means, within = _within_covariance(x, codes, counts)
    return np.asarray(_discriminant_posterior(x, counts, means, within, strength, width)[rows, codes])


def _within_covariance(
    x: Float[np.ndarray, "n r"], codes: Int[np.ndarray, " n"], counts: np.ndarray
) -> tuple[Float[np.ndarray, "c r"], Float[np.ndarray, "r r"]]:
    """Class means and the pooled covariance about them, divided by n."""
    means = class_sums(x, codes, len(counts)) / counts[:, None]
    total = np.zeros((x.shape[1], x.shape[1]))
    step = block_rows(x)
    for at in range(0, len(x), step):
        left = x[at : at + step] - means[codes[at : at + step]]
        total += left.T @ left
    return means, total / len(x)


def _published_shrinkage(within: np.ndarray) -> float:
    """exp(-5 times the largest eigenvalue of the within-class covariance), at least 1e-10."""
    last = len(within) - 1
    largest = float(scipy.linalg.eigvalsh(within, subset_by_index=[last, last], check_finite=False)[0])
    return max(float(np.exp(-5 * largest)), LEAST)


def _discriminant_posterior(
    x: Float[np.ndarray, "n r"],
    counts: Int[np.ndarray, " c"],
    means: Float[np.ndarray, "c r"],
    within: Float[np.ndarray, "r r"],
    shrinkage: float,
    width: int,
) -> Float[np.ndarray, "n c"]:
    """P(class given x) of Gaussians that share the shrunk covariance (1 - s) W + s tr(W) / width I.

    `width` is the number of directions in which features can vary, however many coordinates x has.
    """
    shrunk = (1.0 - shrinkage) * within
    shrunk.flat[:: len(within) + 1] += max(shrinkage * np.trace(within) / width, np.finfo(float).tiny)
    # classes without any spread: distances to the means are infinite, which this least spread stands for
    shrunk.flat[:: len(within) + 1] += 1e-14 * max(np.abs(means).max() ** 2, np.finfo(float).tiny)
    weights = scipy.linalg.cho_solve(
        scipy.linalg.cho_factor(shrunk, lower=True, check_finite=False), means.T
    ).T  # (C, r)
    offsets = np.log(counts / counts.sum()) - 0.5 * np.einsum("cr,cr->c", means, weights)
    return np.asarray(scipy.special.softmax(x @ weights.T + offsets, axis=1))


def _measure(inputs: Inputs) -> Measured:
    x = inputs.once("centred features", lambda: centred(inputs.features))
    value = float(true_probabilities(x, inputs.classes).mean())
    notes = () if inputs.n > x.shape[1] else ("saturated: no more examples than features",)
    features, labels = inputs.features, inputs.labels
    return leave_groups_out(inputs, value, lambda kept: sfda(features[kept], labels[kept]), notes)


SCORES.add(
    Score(
        title="SFDA",
        function=sfda,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n d^2 + d^3)",
        meaning="Mean probability that a linear discriminant gives the true class after unsure examples were pushed "
        "towards the other classes.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure,
    )
)
