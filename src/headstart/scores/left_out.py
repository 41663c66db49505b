"""What a linear probe on the features says of each example, the example itself left out."""

import numpy as np
from jaxtyping import Float, Int

from headstart.scores._head_counts import prior_without
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import residual_maker
from headstart.scores.catalogue.leep_gaussian import at_best_scale, frequencies_without_own, of_own_class
from headstart.scores.catalogue.leep_pooled import probe_log_probs
from headstart.scores.catalogue.ridge_probe import shared_left_out

FEW = 100  # examples a class from which one example less hardly makes its class rarer than the others


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
    """Probabilities of the classes that occur, from the same probe at the scale of largest left-out likelihood.

    Without one example, its own class is rarer than the others, and the probe prefers those: with 4 examples of each
    of 100 classes it is hardly ever right. So where classes have fewer than `FEW` examples on average, one of each
    class is left out at a time (an even share, where classes differ in size).

    Example:
        >>> labels, noise = np.arange(400) // 4, np.random.default_rng(0).standard_normal((400, 50))
        >>> int((left_out_probs(Inputs(labels, features=noise)).argmax(axis=1) == labels).sum())  # 4 by chance
        3
    """
    (errors, penalty), folds = shared_left_out(inputs), _folds(inputs)
    if folds is None:
        return inputs.in_callers_order(np.exp(probe_log_probs(inputs.targets, errors, inputs.classes)))
    if np.isinf(penalty):  # the probe is the mean alone, and rounding must not decide
        return inputs.in_callers_order(_frequencies(inputs))
    outside = inputs.classes.counts_without(folds)
    means = outside / outside.sum(axis=1, keepdims=True)
    exponents = inputs.targets - _errors_of_folds(inputs, folds) - means[folds]
    return inputs.in_callers_order(np.exp(at_best_scale(exponents, inputs.classes, None, _frequencies(inputs))[0]))


def _folds(inputs: Inputs) -> Int[np.ndarray, " n"] | None:
    """Folds with an even share of every class, the same for all sources; None where single examples are left out."""
    count = round(inputs.n / len(inputs.classes.counts))
    if count >= FEW:
        return None
    codes = inputs.in_callers_order(inputs.classes.codes)
    order = np.random.default_rng(0).permutation(inputs.n)
    order = order[np.argsort(codes[order], kind="stable")]  # class after class, each in random order
    folds = np.empty(inputs.n, dtype=np.int64)
    folds[order] = np.arange(inputs.n) % max(count, 2)
    return folds if inputs.order is None else folds[inputs.order]


def _errors_of_folds(inputs: Inputs, folds: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n c"]:
    """Errors of the probe on each fold when fitted to the others, at the penalty that leave-one-out chooses."""
    maker, spectrum = residual_maker(inputs), residual_maker(inputs).centred(shared_left_out(inputs)[1])
    errors = np.empty_like(inputs.targets)
    for fold in range(folds.max() + 1):
        rows = np.flatnonzero(folds == fold)
        block = maker.block(spectrum, rows, maker.outside_block(rows))
        errors[rows] = np.linalg.solve(block, maker.residuals(spectrum, rows))
    return errors


def _frequencies(inputs: Inputs) -> Float[np.ndarray, "n c"]:
    """Class frequencies as the probe sees them that judges each example."""
    folds, counts = _folds(inputs), inputs.classes.counts
    if folds is None:
        return frequencies_without_own(inputs.classes)
    outside = inputs.classes.counts_without(folds)
    return np.asarray(np.stack([prior_without(counts, counts - kept) for kept in outside])[folds])


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
    guess = inputs.in_callers_order(_frequencies(inputs))
    codes = inputs.in_callers_order(inputs.classes.codes)
    own = np.maximum(of_own_class(probs, codes), np.finfo(float).tiny)
    return np.asarray(np.log(own) - np.log(of_own_class(guess, codes)))
