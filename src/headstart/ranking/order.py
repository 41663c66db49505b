"""Which scores are shown, which of them orders the rows, and why."""

from collections.abc import Collection, Sequence

from headstart.errors import InputError
from headstart.scores import SCORES

AUTO = "auto"
EVIDENCE, PROBE, CLASSIFIER = "logme", "ridge_probe", "leep_gaussian"  # what "auto" chooses among
FEW = 10  # examples per class, below which class-by-class evidence is not trusted
AUTO_WHY = {
    EVIDENCE: "every source has features, and the evidence of a linear model on them predicted heads and fine-tuning "
    "best",
    PROBE: f"every source has features, and with fewer than {FEW} examples per class the accuracy of a linear probe on "
    "left-out examples misleads less than its evidence",
    CLASSIFIER: "not every source has features but all have a classifier, and among the scores that read only its "
    "probabilities this one predicted heads and fine-tuning best",
}
# The score that orders the rows without a choice by the user: the first of these that every source has.
PREFERENCE = {
    "leep_calibrated": "every source has a classifier, and this score tests it on examples it was not fitted to",
    "knn": "not every source has a classifier, and this score needs features only",
    "logme": "it is the default for features and targets of this kind",
}


def choose_scores(asked: Sequence[str] | None, sort: str | None, task: str) -> tuple[str, ...]:
    """The scores to compute and show, in order: those asked for, else the default ones that suit the task.

    "auto" among them, or as `sort`, stands for the scores that its rule chooses among.

    Raises:
        InputError: A name is unknown, or none of the scores asked for suits the task.

    Example:
        >>> choose_scores(["nce", "nce"], "logme", "classification")
        ('nce', 'logme')
    """
    if asked is None:
        names = [score.name for score in SCORES.values() if score.default and score.suits(task)]
    else:
        names = [part for name in asked for part in _named(name, task)]
    names += _named(sort, task) if sort else []
    if not names:
        raise InputError("`scores` is empty. Name at least one score, or leave it out for the default ones.")
    if not any(SCORES[name].suits(task) for name in names):
        raise InputError(
            f"`scores`: {', '.join(names)} cannot score a {task} target. `headstart scores` lists the scores for each "
            "task."
        )
    return tuple(dict.fromkeys(names))


def auto_scores(task: str) -> tuple[str, ...]:
    """The scores that "auto" chooses among for this task.

    Example:
        >>> auto_scores("classification"), auto_scores("regression")
        (('logme', 'ridge_probe', 'leep_gaussian'), ('logme', 'ridge_probe'))
    """
    return tuple(name for name in (EVIDENCE, PROBE, CLASSIFIER) if SCORES[name].suits(task))


def check_name(name: str) -> None:
    """Raises InputError, with the nearest names, unless this is the name of a score or "auto"."""
    if name != AUTO:
        SCORES.find(name)


def _named(name: str, task: str) -> list[str]:
    return list(auto_scores(task)) if name == AUTO else [SCORES.find(name).name]


def choose_sort(
    scores: Sequence[str],
    available: Sequence[Collection[str]],
    sort: str | None,
    *,
    asked: bool,
    each: float | None = None,
) -> tuple[str, str]:
    """The score that orders the rows, and why.

    The user's choice wins. Otherwise it is the first score that every source has, in the order in which the user named
    them, or with `PREFERENCE` first if the user named none; otherwise the one that most sources have. Facts that ignore
    the target (`source_accuracy`, `random`) order the rows only when nothing else can.

    Args:
        scores: The scores shown, in order.
        available: For each source, the scores it has.
        sort: The user's choice, if any; "auto" applies `auto_sort`.
        asked: Whether the user named the scores.
        each: Examples per class, where there are classes.
    """
    if sort == AUTO:
        if (found := auto_sort(scores, available, each)) is not None:
            return found
    elif sort:
        return sort, "you chose it"
    if len(scores) == 1:
        return scores[0], "it is the only score requested"
    informed = [name for name in scores if SCORES[name].needs in ("probs", "features")]
    preferred = [] if asked else [name for name in PREFERENCE if name in informed]
    ranked = list(dict.fromkeys([*preferred, *informed, *scores]))
    counts = {name: sum(name in has for has in available) for name in ranked}
    best = max(ranked, key=counts.__getitem__)  # the first among equals
    if counts[best] < len(available):
        return best, f"{counts[best]} of {len(available)} sources have it, and no score has more"
    if asked:
        return best, "it is the first of the requested scores that every source has"
    return best, PREFERENCE.get(best, "every source has it")


def auto_sort(
    scores: Sequence[str], available: Sequence[Collection[str]], each: float | None = None
) -> tuple[str, str] | None:
    """The score that `sort="auto"` chooses, and why; None where none of its scores is available for all sources.

    1. Every source has features: `logme`, the evidence of a linear model on them. A new head is such a model, and the
       evidence depends neither on the source's own classes nor on having any.
    2. The same with fewer than ten examples per class: `ridge_probe`. The evidence is a mean over classes, each against
       the rest, and a handful of examples says little about a class.
    3. Some source has no features, but all have a classifier: `leep_gaussian`, which ignores how sharp a head is and
       which of its classes it favours.

    Measured by `benchmarks/foresight.py` on real sources (benchmarks/RESULTS.md, "Auto"). Among a few ImageNet
    classifiers of similar quality no score says much.

    Args:
        scores: The scores computed.
        available: For each source, the scores it has.
        each: Examples per class, where there are classes.

    Example:
        >>> both = [{"logme", "ridge_probe"}] * 2
        >>> auto_sort(["logme", "ridge_probe"], both, 50)[0], auto_sort(["logme", "ridge_probe"], both, 5)[0]
        ('logme', 'ridge_probe')
    """
    by_features = PROBE if each is not None and each < FEW else EVIDENCE
    for name in (by_features, CLASSIFIER):
        if name in scores and all(name in has for has in available):
            return name, AUTO_WHY[name]
    return None
