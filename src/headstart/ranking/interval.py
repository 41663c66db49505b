"""The interval of one score of one source: from each example's contribution where that is known, else a jackknife."""

from headstart.scores import Evaluation
from headstart.stats import Estimate, jackknife, t_interval


def estimate(evaluation: Evaluation, level: float = 0.95) -> Estimate | None:
    """Standard error and interval of a score's value; None where nothing is known of either.

    LEEP, its leave-one-out, calibrated and skill forms and NCE know what each example contributes, and their interval
    follows from the variance of the contributions (`scores/_influence.py`; on small data `scores/_deletions.py`).
    Every other score has a jackknife over groups of examples. Comparisons between sources use the groups for all.

    Example:
        >>> import numpy as np
        >>> estimate(Evaluation(2.0, np.array([2.5, 1.5]), 0.0)).standard_error
        0.5
    """
    if evaluation.spread is not None:
        return t_interval(evaluation.value, evaluation.spread.standard_error, evaluation.spread.degrees, level)
    return None if evaluation.deleted is None else jackknife(evaluation.value, evaluation.deleted, level)
