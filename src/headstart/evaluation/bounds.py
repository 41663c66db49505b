"""The two bounds of LEEP that its paper states, checked on real numbers."""

import numpy as np

from headstart.records import Bound
from headstart.scores import leep, nce
from headstart.tasks.classification import log_likelihood

SLACK = 1e-9  # rounding


def bounds(probs: np.ndarray, labels: np.ndarray, head_probs: np.ndarray) -> tuple[Bound, ...]:
    """Properties 1 and 2 of Nguyen et al. 2020 on one run, measured on the data that the head was fitted to.

    Property 1: LEEP is at most the average log-likelihood of the optimal re-trained head. It is proven for heads that
    can express the expected empirical predictor. A linear head on features sometimes cannot, and a penalty limits it
    further, so violations are possible. Property 2: LEEP is at least NCE plus the mean log probability of the dummy
    labels. The proof takes NCE's table, counted from dummy labels, for LEEP's, counted from probabilities; on few
    examples they differ, and the bound failed in 134 of 2,000 random worlds of 4 to 11 examples.

    Args:
        probs: (n, z) source probabilities on the training part.
        labels: (n,) codes.
        head_probs: (n, C) the re-trained head's probabilities on the same examples.
    """
    value = leep(probs, labels)
    head = log_likelihood(labels, head_probs)
    with np.errstate(divide="ignore"):
        dummy = float(np.log(probs.max(axis=1)).mean())
    other = nce(probs, labels) + dummy
    first_holds = value <= head + SLACK
    note = "" if first_holds else "a linear head with a penalty does not reach the expected empirical predictor here"
    second = "" if other <= value + SLACK else "with few examples the counts of dummy labels differ from LEEP's table"
    return (
        Bound("LEEP <= log-likelihood of the re-trained head", value, head, first_holds, note),
        Bound("NCE + mean log dummy probability <= LEEP", other, value, other <= value + SLACK, second),
    )
