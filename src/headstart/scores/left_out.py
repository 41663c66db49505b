"""What a linear probe on the features says of each example, the example itself left out."""

import numpy as np
from jaxtyping import Float

from headstart.scores._inputs import Inputs
from headstart.scores.catalogue.leep_gaussian import frequencies_without_own, of_own_class
from headstart.scores.catalogue.leep_pooled import probe_log_probs
from headstart.scores.catalogue.ridge_probe import shared_left_out


def left_out_answers(inputs: Inputs) -> Float[np.ndarray, "n t"]:
    """The ridge probe's prediction of every target column for each example that it was not fitted to.

    Rows are in the order in which they were given. The columns are the targets of a regression, or the indicators of
    the labels that occur, in sorted order.

    Example:
        >>> features = np.array([[0.0], [0.2], [5.0], [5.1]])
        >>> left_out_answers(Inputs(np.array([0, 0, 1, 1]), features=features)).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    errors, _ = shared_left_out(inputs)
    return inputs.in_callers_order(inputs.targets - errors)


def left_out_probs(inputs: Inputs) -> Float[np.ndarray, "n c"]:
    """Probabilities of the classes that occur, from the same probe at the scale of largest left-out likelihood."""
    errors, _ = shared_left_out(inputs)
    return inputs.in_callers_order(np.exp(probe_log_probs(inputs.targets, errors, inputs.classes)))


def association(inputs: Inputs, *, permutations: int = 399, seed: int = 0) -> float:
    """p-value of the hypothesis that the features say nothing of the labels, by permuting the labels.

    The statistic is y' K (K + t)^-1 y, summed over the classes: what a ridge regression with a small penalty explains
    of their indicators y, centred and of length 1; K is the Gram matrix of the centred features and t a hundredth of
    its mean eigenvalue that is not 0. It sees more than left-out predictions do, and does not say how much it is worth.

    Example:
        >>> features, labels = np.arange(40.0)[:, None], np.arange(40) // 20
        >>> association(Inputs(labels, features=features)), association(Inputs(labels % 1 + features[:, 0] % 2 > 0,
        ...     features=features)) > 0.05
        (0.0025, True)

    Reference: Phipson and Smyth, 2010 (p-values of permutations). https://doi.org/10.2202/1544-6115.1585
    """
    parts = inputs.decomposition
    weights = parts.squares / (parts.squares + parts.squares.sum() / (100 * max(len(parts.squares), 1)))
    targets = inputs.targets - inputs.targets.mean(axis=0)
    targets = targets / np.maximum(np.linalg.norm(targets, axis=0), np.finfo(float).tiny)
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(targets)) for _ in range(permutations))
    first = _explained(parts.left, weights, targets)
    others = sum(_explained(parts.left, weights, targets[order]) >= first - 1e-12 for order in orders)
    return float((1 + others) / (1 + permutations))


def _explained(left: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> float:
    return float(weights @ ((left.T @ targets) ** 2).sum(axis=1))


def left_out_gains(inputs: Inputs, probs: Float[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
    """By how much `left_out_probs` raise each label's log-likelihood above the frequencies, the example left out.

    Zero throughout where the features say nothing.
    """
    guess = inputs.in_callers_order(frequencies_without_own(inputs.classes))
    codes = inputs.in_callers_order(inputs.classes.codes)
    own = np.maximum(of_own_class(probs, codes), np.finfo(float).tiny)
    return np.asarray(np.log(own) - np.log(of_own_class(guess, codes)))
