"""Which scores are shown, which of them orders the rows, and why."""

from collections.abc import Collection, Sequence

from headstart.errors import InputError, did_you_mean
from headstart.scores import SCORES

AUTO, ALL = "auto", "all"  # auto: the order below, also where the user names other scores
# The score that orders the rows unless the user chooses: the first of these that every source has. Measured by
# `benchmarks/foresight.py` and `headstart benchmark`: benchmarks/RESULTS.md, "Which score orders the rows".
PREFERENCE = {
    "leep_pooled": "every source has features, and there this score predicted real transfers best",
    "leep_gaussian": "not every source has features, and of the scores on a source's own classes this one predicted "
    "real transfers best",
    "logme": "it is the default for targets of this kind",
}
FOR_FINE_TUNING = {
    "transferability": "of the scores it predicted recorded fine-tuning best",
    "leep_gaussian": "not every source has features, and of the other scores this one predicted recorded fine-tuning "
    "best",
    "logme": PREFERENCE["logme"],
}
GOALS = {"head": PREFERENCE, "fine-tune": FOR_FINE_TUNING}


def check_goal(goal: str) -> None:
    """Raises InputError unless this is what the models can be ranked for."""
    if goal not in GOALS:
        raise InputError(f"`goal` (`--for`) must be {' or '.join(GOALS)}; got {goal!r}.{did_you_mean(goal, GOALS)}")


def choose_scores(asked: Sequence[str] | None, sort: str | None, task: str, goal: str = "head") -> tuple[str, ...]:
    """The scores to compute and show, in order: those asked for, else the default ones that suit the task.

    "auto" among them, or as `sort`, stands for the scores of the default order; another goal adds its own to the
    default ones.

    Raises:
        InputError: A name is unknown, or none of the scores asked for suits the task.

    Example:
        >>> choose_scores(["nce", "nce"], "logme", "classification")
        ('nce', 'logme')
    """
    if asked is None:
        names = [score.name for score in SCORES.values() if score.default and score.suits(task)]
        names = [*([] if goal == "head" else auto_scores(task, goal)), *names]
    else:
        names = [part for name in asked for part in _named(name, task, goal)]
    names += _named(sort, task, goal) if sort else []
    if not names:
        raise InputError("`scores` is empty. Name at least one score, or leave it out for the default ones.")
    if not any(SCORES[name].suits(task) for name in names):
        raise InputError(
            f"`scores`: {', '.join(names)} cannot score a {task} target. `headstart scores` lists the scores for each "
            "task."
        )
    return tuple(dict.fromkeys(names))


def auto_scores(task: str, goal: str = "head") -> tuple[str, ...]:
    """The scores that "auto" stands for.

    Example:
        >>> auto_scores("classification"), auto_scores("regression")
        (('leep_pooled', 'leep_gaussian', 'logme'), ('logme',))
    """
    return tuple(name for name in GOALS[goal] if SCORES[name].suits(task))


def check_name(name: str, *, several: bool = False) -> None:
    """Raises InputError, with the nearest names, unless this is a score, "auto", or "all" where it may be `several`."""
    if name != AUTO and not (several and name == ALL):
        SCORES.find(name)


def _named(name: str, task: str, goal: str) -> list[str]:
    if name == ALL:
        return [score.name for score in SCORES.values() if score.suits(task) and score.needs != "source"]
    return list(auto_scores(task, goal)) if name == AUTO else [SCORES.find(name).name]


def choose_sort(
    scores: Sequence[str], available: Sequence[Collection[str]], sort: str | None, *, asked: bool, goal: str = "head"
) -> tuple[str, str]:
    """The score that orders the rows, and why.

    The user's choice wins. Otherwise it is the first score that every source has, in the order in which the user named
    them, or with those of the goal (`GOALS`) first if the user named none or "auto"; otherwise the one that most
    sources have. Facts that ignore the target (`source_accuracy`, `random`) order the rows only when nothing else can.

    Args:
        scores: The scores shown, in order.
        available: For each source, the scores it has.
        sort: The user's choice, if any.
        asked: Whether the user named the scores.
        goal: What the models are ranked for, a key of `GOALS`.

    Example:
        >>> both = {"leep", "leep_pooled", "leep_gaussian"}
        >>> choose_sort(sorted(both), [both, both], None, asked=False)[0]
        'leep_pooled'
        >>> choose_sort(sorted(both), [both, both - {"leep_pooled"}], None, asked=False)[0]
        'leep_gaussian'
    """
    if sort and sort != AUTO:
        return sort, "you chose it"
    if len(scores) == 1:
        return scores[0], "it is the only score requested"
    free = sort == AUTO or not asked
    informed = [name for name in scores if SCORES[name].needs in ("probs", "features")]
    preferred = [name for name in GOALS[goal] if name in informed] if free else []
    ranked = list(dict.fromkeys([*preferred, *informed, *scores]))
    counts = {name: sum(name in has for has in available) for name in ranked}
    best = max(ranked, key=counts.__getitem__)  # the first among equals
    if counts[best] < len(available):
        return best, f"{counts[best]} of {len(available)} sources have it, and no score has more"
    if not free:
        return best, "it is the first of the requested scores that every source has"
    return best, GOALS[goal].get(best, "every source has it")
