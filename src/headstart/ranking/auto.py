"""`sort="auto"`: the score that orders the rows is chosen by a written rule, from what the sources give."""

from collections.abc import Collection, Sequence

from headstart.records import Task
from headstart.scores import SCORES

AUTO = "auto"
BY_FEATURES = "ridge_probe"
BY_CLASSIFIER = "leep_calibrated"
REASONS = {
    BY_FEATURES: "every source gives features, and a linear probe judged on left-out examples foretold outcomes best "
    "or nearly so whatever the sources were",
    BY_CLASSIFIER: "not every source gives features, but every one has a classifier, and this score judges it on "
    "examples it was not fitted to",
}


def auto_scores(task: Task) -> tuple[str, ...]:
    """The scores that the rule chooses among on such a target.

    Example:
        >>> auto_scores("classification"), auto_scores("regression")
        (('ridge_probe', 'leep_calibrated'), ('ridge_probe',))
    """
    return tuple(name for name in REASONS if task in SCORES[name].tasks)


def auto_sort(scores: Sequence[str], available: Sequence[Collection[str]]) -> tuple[str, str] | None:
    """The score that orders the rows, and why; None where no score of the rule serves all sources.

    1. Every source gives features: `ridge_probe`, the leave-one-out accuracy of a linear model on them. It is the
       closest there is to the outcome, a head trained on these features, and asks nothing of the source's own classes:
       their number, their kind, or whether there are any.
    2. Else, every source has a classifier: `leep_calibrated`.

    Args:
        scores: The scores computed.
        available: For each source, the scores it has.

    Example:
        >>> auto_sort(["leep", "ridge_probe"], [{"leep", "ridge_probe"}, {"ridge_probe"}])[0]
        'ridge_probe'
    """
    for name, reason in REASONS.items():
        if name in scores and all(name in has for has in available):
            return name, reason
    return None
