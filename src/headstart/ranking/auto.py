"""`sort="auto"`: the score that orders the rows is chosen by a written rule, from what the sources give."""

from collections.abc import Collection, Sequence

from headstart.scores import SCORES

AUTO = "auto"
EVIDENCE, PROBE, CLASSIFIER = "logme", "ridge_probe", "leep_gaussian"
FEW = 10  # examples a class, below which the evidence class by class is not trusted
MANY_FEATURES = (
    "every source gives features, and the evidence of a linear model on them foretold heads and fine-tuning best"
)
FEW_FEATURES = (
    f"every source gives features, and with fewer than {FEW} examples a class a linear probe's hits on left-out "
    "examples mislead less than its evidence"
)
NO_FEATURES = (
    "not every source gives features, but every one has a classifier, and of the scores that read no more than its "
    "probabilities this one foretold heads and fine-tuning best over sources of many kinds"
)


def auto_scores(task: str) -> tuple[str, ...]:
    """The scores that the rule chooses among on such a target.

    Example:
        >>> auto_scores("classification"), auto_scores("regression")
        (('logme', 'ridge_probe', 'leep_gaussian'), ('logme', 'ridge_probe'))
    """
    return tuple(name for name in (EVIDENCE, PROBE, CLASSIFIER) if SCORES[name].suits(task))


def auto_sort(
    scores: Sequence[str], available: Sequence[Collection[str]], each: float | None = None
) -> tuple[str, str] | None:
    """The score that orders the rows, and why; None where no score of the rule serves all sources.

    1. Every source gives features: `logme`, the evidence of a linear model on them. Such a model is what a new head
       will be; the evidence is a likelihood, not a count of hits, so it still tells sources apart on few examples; and
       it asks nothing of the source's own classes: their number, their kind, or whether there are any.
    2. The same with fewer than ten examples a class: `ridge_probe`. The evidence is a mean over classes, each against
       the rest; of a class with a handful of examples it says little beyond that the class is rare, and with 81 such
       classes it put first a source whose head was 0.27 in accuracy behind the best one's. That is one data set; on
       the others there was little between the two below ten.
    3. Not every source gives features, every one has a classifier: `leep_gaussian`. How sharp a head is, and which of
       its classes it favours, say nothing of a transfer, and this score heeds neither; `leep_calibrated` has one
       temperature for the first and nothing for the second. It was found on four of the data sets and then judged on
       the others.

    Measured in `benchmarks/foresight.py` on real sources of several architectures and on sources of one architecture
    with different training data (benchmarks/RESULTS.md, "Auto"). Among a few ImageNet classifiers of like quality no
    score says much.

    Args:
        scores: The scores computed.
        available: For each source, the scores it has.
        each: Examples per class, where there are classes.

    Example:
        >>> both = [{"logme", "ridge_probe"}] * 2
        >>> auto_sort(["logme", "ridge_probe"], both, 50)[0], auto_sort(["logme", "ridge_probe"], both, 5)[0]
        ('logme', 'ridge_probe')
    """
    few = each is not None and each < FEW
    by_features = [(PROBE, FEW_FEATURES)] if few else [(EVIDENCE, MANY_FEATURES)]
    for name, reason in (*by_features, (CLASSIFIER, NO_FEATURES)):
        if name in scores and all(name in has for has in available):
            return name, reason
    return None
