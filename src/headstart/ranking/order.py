"""Which scores are shown and which of them orders the rows: a written rule, and the sentence that says so."""

from collections.abc import Collection, Sequence

from headstart.errors import InputError
from headstart.ranking.auto import AUTO, auto_scores, auto_sort
from headstart.scores import SCORES

# The score that orders the rows where nobody named any: the first of these that every source has.
PREFERENCE = ("leep_calibrated", "knn", "logme")
WHY = {
    "leep_calibrated": "every source has a classifier, and this score judges it on examples it was not fitted to",
    "knn": "not every source has a classifier, and this score needs features only",
    "logme": "it is the usual one for features and targets of this kind",
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
        raise InputError("`scores` is empty; name at least one, or leave it out for the default ones.")
    if not any(SCORES[name].suits(task) for name in names):
        raise InputError(
            f"none of `scores` ({', '.join(names)}) is for a {task} target; `headstart scores` lists what each is for."
        )
    return tuple(dict.fromkeys(names))


def examples_each(n: int, classes: Sequence[str]) -> float | None:
    """Examples per class; None where there are no classes.

    Example:
        >>> examples_each(30, ("cat", "dog")), examples_each(30, ())
        (15.0, None)
    """
    return n / len(classes) if classes else None


def check_name(name: str) -> None:
    """A score's name, or "auto".

    Raises:
        InputError: It is neither; the nearest names are suggested.
    """
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

    Args:
        scores: The scores shown, in order.
        available: For each source, the scores it has.
        sort: The user's choice, if any; "auto" leaves it to `headstart.ranking.auto`.
        asked: Whether the user named the scores.
        each: Examples per class, where there are classes; "auto" goes by it.

    The rule: what the user chose; else the first score that every source has, in the order in which the user named
    them, or with `PREFERENCE` first where nobody did; else the one that most sources have. Facts that never look at the
    target (`source_accuracy`, `random`) order the rows only when nothing else can.
    """
    if sort == AUTO:
        found = auto_sort(scores, available, each)
        if found is not None:
            return found
    elif sort:
        return sort, "you chose it"
    if len(scores) == 1:
        return scores[0], "it is the only score asked for"
    informed = [name for name in scores if SCORES[name].needs in ("probs", "features")]
    preferred = [] if asked else [name for name in PREFERENCE if name in informed]
    ranked = list(dict.fromkeys([*preferred, *informed, *scores]))
    counts = {name: sum(name in has for has in available) for name in ranked}
    best = max(ranked, key=counts.__getitem__)  # the first among equals
    if counts[best] < len(available):
        return best, f"{counts[best]} of {len(available)} sources have it, more than have any score before it"
    if asked:
        return best, "of the scores asked for, it is the first that every source has"
    return best, WHY.get(best, "every source has it")
