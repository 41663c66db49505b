"""The search itself: rounds on growing parts of the examples, every source of a round on the same ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from headstart.data.order import order_of
from headstart.errors import WorkerError
from headstart.ranking.attempt import Course, one_line
from headstart.ranking.budget import Deadline, OutOfTime, Pace, affordable
from headstart.ranking.measure import Measurement
from headstart.ranking.methods import All, Drop, Halving, Race, Round, first_size
from headstart.ranking.staged import Staged
from headstart.records import Ending, Failure, Search
from headstart.records import Round as RoundRecord
from headstart.runner import Event, Executor, Inline, Progress, Result, map
from headstart.runner.progress import silent
from headstart.scores import Evaluation
from headstart.stats import jackknife_groups
from headstart.wording import duration, plural

MODELS = "models"  # the counter of a round


@dataclass(frozen=True)
class Entrant:
    """A source in a search: measured on the examples of a course, which are the rows given of the whole."""

    name: str
    measure: Callable[[Course, np.ndarray, Progress], Measurement | Failure]


@dataclass(frozen=True, eq=False)
class _Attempt:
    """One source in one round; no result where the time was up."""

    result: Measurement | Failure | None
    seen: int  # examples that went through it
    seconds: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search leaves for the ranking."""

    measurements: Sequence[Measurement]  # the last of each source
    failures: Sequence[Failure]
    search: Search
    staged: Staged | None  # None where one round was all


class Rounds:
    """One search while it runs.

    Args:
        entrants: The sources.
        method: Which prefixes, and whom to drop.
        course: What all of them go through, on all examples.
        choose: The score that orders sources, and why, from the scores that they have.
        tell: Hears of every step.
        deadline: When to stop.
        on: Where sources are measured. In worker processes the numbers are the same and there is no news of batches.
    """

    def __init__(
        self,
        entrants: Sequence[Entrant],
        method: All | Race | Halving,
        course: Course,
        choose: Callable[[Sequence[Mapping[str, Evaluation]]], tuple[str, str]],
        tell: Progress,
        deadline: Deadline,
        on: Executor | None = None,
    ) -> None:
        self.entrants = {entrant.name: entrant for entrant in entrants}
        self.method, self.course, self.choose, self.tell, self.deadline = method, course, choose, tell, deadline
        self.on = on or Inline()
        self.whole = len(course.target)
        self.sizes = method.sizes(len(entrants), self.whole, first_size(len(course.target.classes)))
        smaller = deadline.seconds is not None and not isinstance(method, Halving)  # short of time, rounds are
        self.most = len(self.sizes) * (2 if smaller else 1)
        self.plain = self.sizes == (self.whole,)  # one round on everything
        self.order = np.arange(self.whole) if self.plain else order_of(course.target, course.seed)
        self.alive = list(self.entrants)
        self.sort: tuple[str, str] | None = None
        self.measured: dict[str, Measurement] = {}
        self.failures: list[Failure] = []
        self.dropped: dict[str, Drop] = {}
        self.seen = dict.fromkeys(self.entrants, 0)  # examples that each source went through
        self.paces: dict[str, Pace] = {}
        self.records: list[RoundRecord] = []
        self.stages: list[dict[str, Evaluation]] = []

    def run(self) -> Found:
        """All rounds.

        Raises:
            TargetError: Too many examples are unreadable.
            CacheError: The cached rows cannot be used.
        """
        ended = self._go()
        self.tell(Event(MODELS, 0, 0))
        search = Search(
            method=self.method.name,
            whole=self.whole,
            passes=sum(self.seen.values()),
            full=len(self.entrants) * self.whole,
            rounds=tuple(self.records),
            ended=ended,
            error=getattr(self.method, "error", None),
            margin=getattr(self.method, "margin", None),
            time_budget=self.deadline.seconds,
            seconds=self.deadline.spent,
            unreached=tuple(name for name in self.entrants if not self._known(name)),
        )
        measured = [self.measured[name] for name in self.entrants if name in self.measured]
        return Found(measured, self.failures, search, self._staged())

    def _known(self, name: str) -> bool:
        return name in self.measured or any(failure.source == name for failure in self.failures)

    def _staged(self) -> Staged | None:
        if self.sort is None or self.plain:
            return None
        reasons = {name: drop.why for name, drop in self.dropped.items() if name in self.measured}
        if not isinstance(self.method, Race):
            return Staged(self.sort, self.stages, self.most, reasons)
        final = 1 - self.method.error / 2 if self.records[-1].examples == self.whole else None
        return Staged(self.sort, self.stages, self.most, reasons, surely=True, final=final)

    def _go(self) -> Ending:
        size = 0
        for at in range(self.most):
            planned = self.sizes[min(at, len(self.sizes) - 1)]
            before, size = size, self._affordable(size, planned) if at else planned
            if size < planned and size == before:
                return "time"
            found, complete = self._measure(at, size)
            self._keep(found)
            ending = self._decide(at, size, complete)
            if not complete:
                return "time"
            if size == self.whole:
                return "whole"
            if ending or not self.alive:
                return ending or "one left"
        return "budget" if isinstance(self.method, Halving) else "time"

    def _affordable(self, seen: int, planned: int) -> int:
        return affordable(
            [self.paces[name] for name in self.alive], seen=seen, planned=planned, left=self.deadline.left
        )

    def _measure(self, at: int, size: int) -> tuple[dict[str, Measurement], bool]:
        """All sources left on the first `size` examples; False if the time did not suffice for all of them.

        A round cut short is as if it had not been, but for the first, without which nothing would be known.
        """
        rows = np.sort(self.order[:size])
        heard = self.tell if isinstance(self.on, Inline) else silent  # a listener stays in its process
        job = partial(_measured, self._course(rows), rows, self.deadline, heard)
        queue, done, count = list(self.alive), 0, len(self.alive)
        start = f"Round {at + 1}: {plural(count, 'model')} on {plural(size, 'example')}"
        self.tell(Event(MODELS, 0, count, "" if self.plain else start))
        found: dict[str, Measurement] = {}
        while queue:
            failures: dict[str, Failure] = {}
            for attempted in map(job, [self.entrants[name] for name in queue], on=self.on):
                name = attempted.item.name
                one = _answer(attempted)
                self.seen[name] = max(self.seen[name], one.seen)
                self.tell(Event(name, 0, 0))
                if one.result is None:
                    return (found if at == 0 else {}), False
                done += 1
                how = "failed" if isinstance(one.result, Failure) else "done"
                self.tell(Event(MODELS, done, count, f"[{done}/{count}] {name}: {how} in {duration(one.seconds)}"))
                if isinstance(one.result, Failure):
                    failures[name] = one.result
                    continue
                found[name] = one.result
                self.seen[name] = len(rows)
                self.paces[name] = _pace(one.result, one.seconds, len(rows), self.paces.get(name))
            queue = [back for name in queue if name in failures for back in self._without(failures[name])]
            count += len(queue)
        return found, True

    def _without(self, failure: Failure) -> list[str]:
        """Take a source out; those that were dropped because of it alone come back, and are returned."""
        self.failures.append(failure)
        self.alive.remove(failure.source)
        self.measured.pop(failure.source, None)
        back = [name for name, drop in self.dropped.items() if drop.by == failure.source]
        for name in back:
            del self.dropped[name]
        self.alive += back
        return back

    def _course(self, rows: np.ndarray) -> Course:
        """The course on some rows; as many unreadable examples are allowed as on all of them."""
        if len(rows) == self.whole:
            return self.course
        target = self.course.target.subset(rows)
        return replace(
            self.course,
            target=target,
            groups=jackknife_groups(len(target.labels), seed=self.course.seed),
            max_bad=min(1.0, self.course.max_bad * self.whole / len(rows)),
        )

    def _keep(self, found: Mapping[str, Measurement]) -> None:
        for name, one in found.items():
            self.measured[name] = _together(self.measured.get(name), one)
        if self.sort is None and found:
            self.sort = self.choose([one.evaluations for one in self.measured.values()])

    def _decide(self, at: int, size: int, complete: bool) -> Ending | None:
        """Note the round, and drop whom the method drops. A round cut short is no ground for halving."""
        if self.sort is None or (not complete and at):
            return None
        score = self.sort[0]
        here = [self.measured[name] for name in self.alive if name in self.measured]
        able = [one for one in here if score in one.evaluations]
        self.stages.append({one.source: one.evaluations[score] for one in able})
        dropped: dict[str, Drop] = {}
        ending: Ending | None = None
        if not isinstance(self.method, All):
            without = f"it has no {score}, which the search goes by"
            dropped |= {one.source: Drop("", without) for one in here if one not in able}
        if able and (complete or isinstance(self.method, Race)):
            round_ = Round(able, score, at, self.most, len(self.entrants), size, self.whole)
            found, ending = self.method.decide(round_)
            dropped |= found
        self.dropped |= dropped
        self.alive = [name for name in self.alive if name not in dropped]
        self.records.append(RoundRecord(size, len(here), tuple(dropped)))
        return ending


def _measured(course: Course, rows: np.ndarray, deadline: Deadline, tell: Progress, entrant: Entrant) -> _Attempt:
    """One source on some rows, until the time is up."""
    seen = 0

    def heard(event: Event) -> None:
        nonlocal seen
        tell(event)
        seen = max(seen, event.done)
        if event.done < event.total and deadline.passed:
            raise OutOfTime

    started = deadline.spent
    try:
        if deadline.passed:
            raise OutOfTime
        result: Measurement | Failure | None = entrant.measure(course, rows, heard)
    except OutOfTime:
        result = None
    return _Attempt(result, seen, deadline.spent - started)


def _answer(attempted: Result[Entrant, _Attempt]) -> _Attempt:
    """What a job returned; a worker that died costs its source only, every other exception ends the search."""
    if isinstance(attempted.error, WorkerError):
        return _Attempt(Failure(attempted.item.name, one_line(str(attempted.error))), 0, 0.0)
    return attempted.get()


def _together(before: Measurement | None, now: Measurement) -> Measurement:
    """The latest measurement, with what the rounds before it cost."""
    if before is None:
        return now
    return replace(
        now,
        forward_seconds=before.forward_seconds + now.forward_seconds,
        computed=before.computed + now.computed,
        engine=now.engine or before.engine,
        notes=tuple(dict.fromkeys((*before.notes, *now.notes))),
    )


def _pace(one: Measurement, seconds: float, size: int, before: Pace | None) -> Pace:
    """Seconds for each new example, and for all else; where nothing was computed, each costs what it did before."""
    beside = max(seconds - one.forward_seconds, 0.0)
    if one.computed:
        return Pace(one.forward_seconds / one.computed, beside)
    return Pace(before.each if before else seconds / size, beside)
