"""From what speaks for each target class to its probability, at the scale that the labels like best."""

import numpy as np
import scipy
from jaxtyping import Float, Int
from scipy.special import log_softmax

from headstart.errors import InputError
from headstart.scores._checks import Labels
from headstart.scores._head_counts import prior_without

SHARPEST = 7.0  # log of the largest scale, the mean size of an exponent being one; beyond, every example is certain
FLATTEST = -12.0  # log of the smallest scale above zero that is looked at


def frequencies_without_own(labels: Labels) -> Float[np.ndarray, "n c"]:
    """Class frequencies as each example sees them, itself left out.

    Example:
        >>> from headstart.scores._checks import check_labels
        >>> frequencies_without_own(check_labels(np.array([0, 0, 1, 1])))[0].tolist()  # 1 and 2 of 3, half a count each
        [0.375, 0.625]
    """
    classes = np.eye(len(labels.classes), dtype=np.int64)
    return np.asarray(np.stack([prior_without(labels.counts, own) for own in classes])[labels.codes])


def at_best_scale(
    exponents: Float[np.ndarray, "n c"], frequencies: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n c"]:
    """Log of probabilities proportional to frequencies * exp(a * exponents), at the a of largest mean log-likelihood.

    The likelihood is concave in the scale a, from zero up, so the place where its slope is zero is the one maximum.
    """
    size, offsets = np.abs(exponents).mean(), np.log(frequencies)
    if not np.isfinite(size):
        raise InputError(
            "the numbers are too large to be squared; divide them by a constant, the score stays the same."
        )
    unit = exponents / size if size > 0 else exponents
    own = of_own_class(unit, codes)

    def slope(log_scale: float) -> float:
        weights = np.exp(log_scale) * unit
        weights += offsets
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        return float((own - np.einsum("ij,ij->i", weights, unit) / weights.sum(axis=1)).mean())

    if slope(FLATTEST) <= 0:
        scale = 0.0
    elif slope(SHARPEST) >= 0:
        scale = np.exp(SHARPEST)
    else:
        scale = np.exp(scipy.optimize.brentq(slope, FLATTEST, SHARPEST, xtol=1e-9))
    return np.asarray(log_softmax(offsets + scale * unit, axis=1))


def mean_of_own(log_probs: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> float:
    """Mean log-likelihood of the labels, at most 0."""
    return min(0.0, float(of_own_class(log_probs, codes).mean())) + 0.0  # + 0.0: no -0.0


def of_own_class(values: Float[np.ndarray, "n c"], codes: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each example's value for its own class."""
    return np.take_along_axis(values, codes[:, None], axis=1)[:, 0]
