"""What a ranking is asked for, checked before any work."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headstart.errors import InputError
from headstart.ranking.budget import Deadline, seconds_of
from headstart.ranking.fine_tuned import FORECAST_SHARE
from headstart.ranking.inputs import Inputs
from headstart.ranking.methods import FINE_TUNE, All, Halving, Race, check_scores, method_of
from headstart.ranking.order import AUTO, check_goal, check_name, choose_scores
from headstart.tasks import task_of


@dataclass(frozen=True)
class Wanted:
    """How to rank, as it was asked for and checked."""

    names: list[str] | None  # of scores
    sort: str | None
    goal: str
    method: All | Race | Halving
    seconds: float | None
    whole: Deadline
    deadline: Deadline  # of the scores; fine-tuning follows
    tunes: bool
    costs: bool


def wanted_of(
    scores: str | Sequence[str] | None,
    sort: str | None,
    goal: str,
    search: str | All | Race | Halving,
    time_budget: float | str | None,
    costs: bool,
) -> Wanted:
    """The arguments of `rank` by these names; a wrong one is refused."""
    tunes, seconds = search == FINE_TUNE, seconds_of(time_budget)
    whole = Deadline.after(seconds)
    deadline = Deadline.after(seconds and (FORECAST_SHARE * seconds if tunes else seconds))
    method = method_of(search, timed=seconds is not None)
    names = _names(scores, sort)
    goal = "fine-tune" if tunes else goal
    check_goal(goal)
    sort = sort or (AUTO if AUTO in (names or ()) else None)
    return Wanted(names, sort, goal, method, seconds, whole, deadline, tunes, costs)


def chosen_scores(inputs: Inputs, wanted: Wanted, metric: str | None) -> tuple[str, ...]:
    """The scores to compute; what does not fit the task or the search is refused."""
    task_of(inputs.target.task).metric(metric)  # refuses an unknown one
    shown = choose_scores(wanted.names, wanted.sort, inputs.target.task, wanted.goal)
    check_scores(wanted.method, shown, None if wanted.sort == AUTO else wanted.sort)
    if (wanted.tunes or wanted.costs) and inputs.extractions:
        raise InputError(
            f"`{'costs' if wanted.costs else 'search'}` trains models, and the target holds arrays. Rank examples, or "
            f"{'leave it out' if wanted.costs else 'use a race'}."
        )
    return shown


def _names(scores: str | Sequence[str] | None, sort: str | None) -> list[str] | None:
    """The scores asked for. A wrong name, also of `sort`, is refused before any work."""
    names = None
    if scores is not None:
        parts = (
            scores.split(",") if isinstance(scores, str) else [*scores] if isinstance(scores, Iterable) else [scores]
        )
        if not all(isinstance(part, str) for part in parts):
            raise InputError(f"`scores` must be names of scores; got {scores!r}.")
        names = [part.strip() for part in parts if part.strip()]
    for name in names or ():
        check_name(name, several=True)
    if sort:
        check_name(sort)
    return names
