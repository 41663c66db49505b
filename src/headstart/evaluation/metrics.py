"""Every metric of a task at once."""

from typing import Any

import numpy as np

from headstart.errors import InputError
from headstart.tasks import task_of

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
