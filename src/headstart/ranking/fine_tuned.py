"""What trainings add to a ranking: the order after a race by fine-tuning, and the cost of transfers."""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from headstart.errors import HeadstartError
from headstart.ranking.attempt import Course
from headstart.ranking.budget import Deadline
from headstart.records import Failure, FineTuned, Ranking
from headstart.runner import Event, Progress
from headstart.runner.progress import Stopped

if TYPE_CHECKING:
    from headstart.sources import Candidate

FORECAST_SHARE = 0.3  # of a time budget, for the forecasts that decide who begins
ERRORS = 2.0  # standard errors of a difference within which two sources count as tied
REASON = "it decided which models began the race by fine-tuning, whose results order the rows; ties keep its order"


def raced(
    ranking: Ranking,
    course: Course,
    models: "Sequence[Candidate]",
    deadline: Deadline,
    tell: Progress,
    out: Path | None,
) -> Ranking:
    """The ranking in the order that a race by fine-tuning gives; checkpoints stay in `out`, so that it can go on."""
    from headstart.transfers.search import race  # imports torch, which ranking arrays does not need

    by_name = {model.name: model for model in models}
    entering = [by_name[row.source] for row in ranking.rows if row.rank is not None]

    def stop(event: Event) -> None:
        tell(event)
        if deadline.passed:
            raise Stopped

    with TemporaryDirectory() if out is None else nullcontext(out / "fine-tuning") as place:
        trained, failures = race(
            course.target,
            entering,
            Path(place),
            stop=stop,
            tell=tell,
            seed=course.seed,
            device=course.device,
            trust_pickle=course.trust_pickle,
        )
    return reordered(ranking, trained, failures)


def priced(ranking: Ranking, course: Course, models: "Sequence[Candidate]", tell: Progress) -> Ranking:
    """The ranking with the cost of a head and of fine-tuning for each ranked source that can be trained."""
    from headstart.transfers.costs import costs_of

    by_name, rows = {model.name: model for model in models}, []
    for number, row in enumerate(ranking.rows):
        if row.rank is not None:
            with suppress(HeadstartError):  # a source that cannot be trained has no cost
                source = by_name[row.source].load(course.trust_pickle)
                row = replace(row, costs=costs_of(course.target, source, device=course.device, cache=course.cache))
            tell(Event("costs", number + 1, len(ranking.rows), f"{row.source}: cost measured"))
        rows.append(row)
    return replace(ranking, rows=tuple(rows))


def reordered(ranking: Ranking, trained: Sequence[FineTuned], failures: Mapping[str, Failure]) -> Ranking:
    """The rows as the race ended, those that tie in the order before it; those that did not begin come last."""
    best: dict[str, FineTuned] = {}
    for one in trained:
        best.setdefault(one.source, one)
    rows = {row.source: row for row in ranking.rows if row.source not in failures}
    order = [*best, *(name for name in rows if name not in best)]
    ranked = sum(rows[name].rank is not None for name in order)
    tied = _tied(list(best.values()))
    order[:tied] = sorted(order[:tied], key=list(rows).index)
    placed = []
    for place, name in enumerate(order):
        row, reached = rows[name], best.get(name)
        if row.rank is not None:
            low = 1 if place < tied else 2
            row = replace(row, rank=place + 1, rank_low=low, rank_high=ranked, probability_best=None)
        if reached and reached.epochs < trained[0].epochs:
            row = replace(row, dropped=f"stopped after {reached.epochs} epochs at {reached.quality:.3f}")
        placed.append(row)
    failed = (*ranking.failures, *failures.values())
    found = replace(ranking, rows=tuple(placed), failures=failed, fine_tuned=tuple(trained))
    return replace(found, tied=tied or ranking.tied, sort_reason=REASON if best else ranking.sort_reason)


def _tied(best: Sequence[FineTuned]) -> int:
    """How many of the first, trained as long, are within two standard errors of the first."""
    if not best:
        return 0
    first = best[0]
    error = math.sqrt(2 * max(first.quality * (1 - first.quality), 1 / first.judged) / first.judged)
    near = [one.epochs == first.epochs and first.quality - one.quality <= ERRORS * error for one in best]
    return next((place for place, close in enumerate(near) if not close), len(near))
