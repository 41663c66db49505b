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


def left_out_gains(inputs: Inputs, probs: Float[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
    """By how much `left_out_probs` raise each label's log-likelihood above the frequencies, the example left out.

    Zero throughout where the features say nothing.
    """
    guess = inputs.in_callers_order(frequencies_without_own(inputs.classes))
    codes = inputs.in_callers_order(inputs.classes.codes)
    own = np.maximum(of_own_class(probs, codes), np.finfo(float).tiny)
    return np.asarray(np.log(own) - np.log(of_own_class(guess, codes)))
