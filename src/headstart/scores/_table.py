"""The table of scores: what each needs, when it applies and how to read it.

The command line, the ranking, the report and the tests loop over `headstart.scores.SCORES`. Adding a score is one file
in `headstart/scores/catalogue/` that defines the function and ends in `SCORES.add(Score(function=...))`; a score in a
module of your own is added the same way.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from headstart.errors import InputError
from headstart.registry import Registry
from headstart.scores._checks import NotApplicableError
from headstart.scores._inputs import Inputs
from headstart.tasks import task_of

# "source" is the source's own labelled examples
Needs = Literal["probs", "logits", "features", "source", "card", "nothing"]

# What may change in the input without changing the value; tests hold every score to what it promises.
Invariance = Literal[
    "order",  # the samples shuffled, labels alongside
    "names",  # the target classes renamed, gaps and strings included
    "unused",  # a source class that no sample uses added (probs), or a constant zero feature (features)
    "scale",  # features multiplied by a positive number
    "shift",  # a constant row added to every row of the features
    "rotation",  # features times an orthogonal matrix
]

CLASSIFICATION: frozenset[str] = frozenset({"classification"})
ANY_TASK: frozenset[str] = frozenset({"classification", "regression", "multi-label"})


@dataclass(frozen=True, eq=False)
class Measured:
    """A score on one source's inputs."""

    value: float
    deleted: np.ndarray | None = None  # (G,) value without each group; None: no sampling error, or none can be given
    notes: tuple[str, ...] = ()  # caveats a reader needs: saturated, too few examples, approximate interval


@dataclass(frozen=True, eq=False, kw_only=True)
class Score:
    """What a caller must know about a score without reading its code. All scores are higher-is-better.

    A function whose `tasks` are more than classification takes the keyword `task`. `measure` is optional: without it
    `evaluate` calls `function` once, and once more for each group left out. With it, the score gives its value and its
    deleted values itself, in closed form or from what `Inputs` shares between scores.
    """

    function: Callable[..., float]  # called as function(probs, labels) or function(features, labels)
    title: str  # "leave-one-out LEEP"
    needs: Needs
    cost: str  # "O(n z)"
    meaning: str  # one sentence a newcomer can use
    invariances: Set[Invariance]
    tasks: frozenset[str] = CLASSIFICATION
    low: float = -np.inf  # smallest possible value
    high: float = np.inf  # largest possible value
    citation: str = ""  # paper, equation and address; by default what the docstring gives after "Reference:"
    default: int = 0  # place among the scores shown when the user names none; 0: not shown
    measure: Callable[[Inputs], Measured] | None = None

    def __post_init__(self) -> None:
        if not self.citation:
            reference = (self.function.__doc__ or "").rpartition("Reference:")[2]
            object.__setattr__(self, "citation", " ".join(reference.split()))

    @property
    def name(self) -> str:
        """The function's name, which is the name in `headstart.scores` and on the command line."""
        return self.function.__name__

    def suits(self, task: str) -> bool:
        """Whether the score applies to labels of this kind of task, or of the built-in kind that it is scored as."""
        return task_of(task).scored_as in self.tasks


SCORES: Registry[Score] = Registry(
    "headstart.scores.catalogue", "score", key=lambda score: (score.default or 1000, score.name)
)


def measured(row: Score, inputs: Inputs) -> Measured:
    """What the row's own way of measuring gives, once for all scores that build on it."""
    assert row.measure is not None, "only asked of rows that measure themselves"
    return inputs.once(f"score {row.name}", partial(row.measure, inputs))


def leave_groups_out(
    inputs: Inputs, value: float, again: Callable[[np.ndarray], float], notes: tuple[str, ...] = ()
) -> Measured:
    """`value` on all examples, and `again(kept rows)` for each group left out."""
    return without_each_group(inputs, value, lambda group: again(inputs.kept(group)), notes)


def without_each_group(
    inputs: Inputs, value: float, again: Callable[[int], float], notes: tuple[str, ...] = ()
) -> Measured:
    """`value` on all examples, and `again(group)` for each group left out.

    When a group cannot be left out (a class would vanish, say) there is no interval, and a note says why.
    """
    if inputs.group_count == 0:
        return Measured(value, None, notes)
    try:
        deleted = np.array([again(group) for group in range(inputs.group_count)])
    except InputError as error:
        reason = str(error).removesuffix(".")  # a note is put into a sentence
        return Measured(value, None, (*notes, f"no interval: with a group left out, {reason}"))
    return Measured(value, deleted, notes)


def subtract_groups(
    inputs: Inputs, value: float, again: Callable[[np.ndarray, np.ndarray], float], notes: tuple[str, ...] = ()
) -> Measured:
    """`value` on all examples, and `again(rows of the group, examples left in each class)` for each group left out."""
    groups, labels = inputs.groups, inputs.classes
    counts = labels.counts_without(groups) if groups is not None else np.empty((0, 0))

    def without(group: int) -> float:
        if np.count_nonzero(counts[group]) < 2:
            raise NotApplicableError("`labels` holds 1 class; a score compares at least two.")
        return again(np.flatnonzero(groups == group), counts[group])

    return without_each_group(inputs, value, without, notes)


def means_without(each: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean of a value per example over the examples outside each group, (G,).

    For the log-likelihood of a model fitted by maximising it, holding the fit is right to first order.
    """
    sums, counts = np.bincount(groups, weights=each), np.bincount(groups)
    return np.asarray((each.sum() - sums) / (len(each) - counts))
