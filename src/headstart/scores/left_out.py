"""What a linear probe on the features says of each example, the example itself left out."""

import numpy as np
from jaxtyping import Float

from headstart.scores._inputs import Inputs
from headstart.scores.catalogue.leep_gaussian import frequencies_without_own, of_own_class
from headstart.scores.catalogue.leep_pooled import probe_log_probs
from headstart.scores.catalogue.ridge_probe import shared_left_out


def left_out_answers(inputs: Inputs) -> Float[np.ndarray, "n t"]:
    """The ridge probe's prediction of every target column for each example that it was not fitted to.

    The columns are indicators of classes, or the targets of a regression; rows are in the order in which they were
    given. The largest column of a row is the class that the probe would choose.

    Example:
        >>> features = np.array([[0.0], [0.2], [5.0], [5.1]])
        >>> left_out_answers(Inputs(np.array([0, 0, 1, 1]), features=features)).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    errors, _ = shared_left_out(inputs)
    return inputs.in_callers_order(inputs.targets - errors)


def left_out_gains(inputs: Inputs) -> Float[np.ndarray, " n"]:
    """By how much the probe raises each label's log-likelihood above the class frequencies, the example left out.

    Classification only. Zero throughout where the features say nothing.
    """
    errors, _ = shared_left_out(inputs)
    labels = inputs.classes
    log_probs = probe_log_probs(inputs.targets, errors, labels)
    gains = of_own_class(log_probs - np.log(frequencies_without_own(labels)), labels.codes)
    return inputs.in_callers_order(gains)
