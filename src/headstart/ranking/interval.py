"""The interval of one score of one source: a jackknife over groups of examples."""

from headstart.scores import Evaluation
from headstart.stats import Estimate, jackknife


def estimate(evaluation: Evaluation, level: float = 0.95) -> Estimate | None:
    """Standard error and interval of a score's value; None where the score has no sampling error or none is known.

    Example:
        >>> import numpy as np
        >>> estimate(Evaluation(2.0, np.array([2.5, 1.5]), 0.0)).standard_error
        0.5
    """
    return None if evaluation.deleted is None else jackknife(evaluation.value, evaluation.deleted, level)
