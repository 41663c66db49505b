"""The shape of the one table of scores: what each needs, when it applies and how to read it.

The command line, the ranking, the report, the docs and the tests loop over `headstart.scores.SCORES`. Adding a score is
one file and one row: the file defines the function and `ROWS`, and `_rows.py` lists the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from headstart.errors import InputError
from headstart.scores._inputs import Inputs


class NotApplicableError(InputError):
    """This score cannot be had on these inputs (the others may be); the text says why."""


# "source" is the source's own labelled examples
Needs = Literal["probs", "logits", "features", "source", "card", "nothing"]

# What may change in the input without changing the value; tests hold every row to what it promises.
Invariance = Literal[
    "order",  # the samples shuffled (labels alongside)
    "names",  # the target classes renamed, gaps and strings included
    "unused",  # a source class that no sample uses added (probs), or a constant zero feature (features)
    "scale",  # features multiplied by a positive number
    "shift",  # a constant row added to every row of the features
    "rotation",  # features times an orthogonal matrix
]


@dataclass(frozen=True, eq=False)
class Measured:
    """A score on one source's inputs."""

    value: float
    deleted: np.ndarray | None = None  # (G,) value without each group; None: no sampling error, or not to be had
    notes: tuple[str, ...] = ()  # caveats a reader needs: saturated, too few examples, approximate interval


@dataclass(frozen=True)
class Score:
    """One row: what a caller must know about a score without reading its code. All scores are higher-is-better.

    A function whose `tasks` are more than classification takes the keyword `task`.

    `measure` is optional. Without it `evaluate` calls `function` once, and once more for each group left out. With it,
    the row gives value and deleted values itself, in closed form or from what `Inputs` shares between scores.
    """

    name: str  # "leep_loo": the function's name in `headstart.scores`
    title: str  # "leave-one-out LEEP"
    function: Callable[..., float]  # called as function(probs, labels) or function(features, labels)
    needs: Needs
    tasks: frozenset[str]
    low: float  # smallest possible value, -inf if unbounded
    high: float  # largest possible value, inf if unbounded
    cost: str  # "O(n z)"
    citation: str  # paper, year, equation, URL
    meaning: str  # one sentence a newcomer can use
    invariances: frozenset[Invariance]
    default: bool = False  # shown when the user names no score
    measure: Callable[[Inputs], Measured] | None = None


CLASSIFICATION: frozenset[str] = frozenset({"classification"})
ANY_TASK: frozenset[str] = frozenset({"classification", "regression", "multi-label"})
