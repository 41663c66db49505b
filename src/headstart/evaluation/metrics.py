"""Every metric of a task at once, and the two bounds of LEEP that its paper states, checked on real numbers."""

from typing import Any

import numpy as np

from headstart.errors import InputError
from headstart.records import Bound
from headstart.scores import leep, nce
from headstart.tasks import task_of
from headstart.tasks.classification import log_likelihood

Array = np.ndarray[Any, np.dtype[Any]]


def metrics(labels: Array, outputs: Array, task: str) -> dict[str, float]:
    """Every metric of the task by name, the default one first; metrics without a meaning on these labels are left out.

    Args:
        labels: (n,) codes; (n, C) of 0/1 for multi-label; (n,) or (n, t) values for regression.
        outputs: (n, C) probabilities, or values.
        task: A name in `headstart.tasks.TASKS`.

    Raises:
        InputError: There are no examples, lengths differ, or outputs are not finite.

    Example:
        >>> metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]), "regression")
        {'r2': 0.5, 'mae': 0.3333333333333333}
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs, dtype=np.float64)
    if len(labels) == 0 or len(labels) != len(outputs):
        raise InputError(f"`outputs` must have one row per label; there are {len(labels)} and {len(outputs)} rows.")
    if not np.isfinite(outputs).all():
        raise InputError(f"`outputs` must be finite; {int((~np.isfinite(outputs)).sum())} numbers are not.")
    return {metric.name: metric(labels, outputs) for metric in task_of(task).metrics_on(labels)}


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
