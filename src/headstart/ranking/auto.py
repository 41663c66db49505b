"""`sort="auto"`: the score that orders the rows is chosen by a written rule, from what the sources give."""

from collections.abc import Collection, Sequence

from headstart.records import Task
from headstart.scores import SCORES

AUTO = "auto"
BY_FEATURES = "logme"
BY_CLASSIFIER = "leep_calibrated"
REASONS = {
    BY_FEATURES: "every source gives features, and the evidence of a linear model on them foretold heads best, whether "
    "sources differed in architecture or in training data",
    BY_CLASSIFIER: "not every source gives features, but every one has a classifier, and this score judges it on "
    "examples it was not fitted to",
}


def auto_scores(task: Task) -> tuple[str, ...]:
    """The scores that the rule chooses among on such a target.

    Example:
        >>> auto_scores("classification"), auto_scores("regression")
        (('logme', 'leep_calibrated'), ('logme',))
    """
    return tuple(name for name in REASONS if task in SCORES[name].tasks)


def auto_sort(scores: Sequence[str], available: Sequence[Collection[str]]) -> tuple[str, str] | None:
    """The score that orders the rows, and why; None where no score of the rule serves all sources.

    1. Every source gives features: `logme`, the evidence of a linear model on them. Such a model is what a new head
       will be; the evidence is a likelihood, not a count of hits, so it still tells sources apart on few examples; and
       it asks nothing of the source's own classes: their number, their kind, or whether there are any.
    2. Else, every source has a classifier: `leep_calibrated`.

    The number of examples does not enter: no score was better than `logme` on few examples and worse on many. In
    `benchmarks/foresight.py`, seven data sets with real sources of several architectures and twelve targets with
    sources of one, `logme` is also what a choice on the other data sets picks for each that is left out. Its lead is
    smaller for fine-tuning than for heads, and too small to see among ImageNet classifiers of like quality: there no
    score says much (benchmarks/RESULTS.md, "Auto").

    Args:
        scores: The scores computed.
        available: For each source, the scores it has.

    Example:
        >>> auto_sort(["leep", "logme"], [{"leep", "logme"}, {"logme"}])[0]
        'logme'
    """
    for name, reason in REASONS.items():
        if name in scores and all(name in has for has in available):
            return name, reason
    return None
