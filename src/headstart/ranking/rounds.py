"""The search itself: rounds on growing parts of the examples, all sources of a round on the same ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np

from headstart.data.order import order_of
from headstart.errors import WorkerError
from headstart.ranking import methods
from headstart.ranking.ahead import Ahead
from headstart.ranking.attempt import Course, Entrant
from headstart.ranking.budget import Deadline, Pace, affordable
from headstart.ranking.measure import Measurement
from headstart.ranking.methods import All, Drop, Halving, Race, Round
from headstart.ranking.uncertainty import Staged
from headstart.records import Ending, Extraction, Failure, Search
from headstart.records import Round as RoundRecord
from headstart.runner import Event, Executor, Inline, Progress, Result, map
from headstart.runner.progress import Stopped, silent
from headstart.scores import Evaluation
from headstart.stats import jackknife_groups
from headstart.wording import duration, plural

MODELS = "models"  # the counter of a round


@dataclass(frozen=True, eq=False)
class _Attempt:
    """One source in one round; without a result if the time was up."""

    result: Measurement | Failure | None
    seen: int  # examples that went through it
    seconds: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search leaves for the ranking."""

    measurements: Sequence[Measurement]  # the last of each source
    failures: Sequence[Failure]
    sort: tuple[str, str]  # the score that orders the sources, and why
    search: Search
    staged: Staged | None  # None if there was a single round on everything


class _Queue:
    """The sources of a round, then what `more` lists for workers that would be idle, each once.

    It may have more after it had none.
    """

    def __init__(self, entrants: Sequence[Entrant], more: Callable[[], Sequence[Entrant]]) -> None:
        self.entrants, self.more, self.given = iter(entrants), more, set[str]()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Entrant:
        if (first := next(self.entrants, None)) is not None:
            return first
        one = next((one for one in self.more() if one.name not in self.given), None)
        if one is None:
            raise StopIteration
        self.given.add(one.name)
        return one


class Rounds:
    """One search while it runs.

    Args:
        entrants: The sources.
        method: Which prefixes to score, and which sources to drop.
        course: What all sources have in common, on all examples.
        choose: The score that orders sources, and why, from the scores that they have.
        tell: Called at every step.
        deadline: When to stop.
        on: Where sources are measured. Worker processes give the same numbers and do not report batches.
        seen: Examples that went through sources in a search before this one, by source.
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
        seen: Mapping[str, int] | None = None,
    ) -> None:
        self.entrants = {entrant.name: entrant for entrant in entrants}
        self.method, self.course, self.choose, self.tell, self.deadline = method, course, choose, tell, deadline
        self.on = on or Inline()
        self.whole = len(course.target)
        first = max(methods.FIRST, methods.PER_CLASS * len(course.target.classes))
        self.sizes = method.sizes(len(entrants), self.whole, first)
        smaller = deadline.seconds is not None and not isinstance(method, Halving)  # rounds may have to be cut
        self.most = len(self.sizes) * (2 if smaller else 1)
        self.plain = self.sizes == (self.whole,)  # one round on everything
        self.order = np.arange(self.whole) if self.plain else order_of(course.target, course.seed)
        self.alive = list(self.entrants)
        self.sort: tuple[str, str] | None = None
        self.measured: dict[str, Measurement] = {}
        self.failures: list[Failure] = []
        self.dropped: dict[str, Drop] = {}
        self.seen = dict.fromkeys(self.entrants, 0) | dict(seen or {})  # examples that went through each source
        self.paces: dict[str, Pace] = {}
        self.records: list[RoundRecord] = []
        self.early: dict[str, Measurement] = {}  # what the passes cost that were made for the next round
        self.stages: list[dict[str, Evaluation]] = []

    def search(self) -> Found:
        """All rounds.

        Raises:
            TargetError: Too many examples are unreadable.
            CacheError: The cached rows cannot be used.
        """
        ended = self._all_rounds()
        self.tell(Event(MODELS, 0, 0))
        reached = {*self.measured, *(failure.source for failure in self.failures)}
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
            unreached=tuple(name for name in self.entrants if name not in reached),
        )
        measured = [self.measured[name] for name in self.entrants if name in self.measured]
        return Found(measured, self.failures, self.sort or self.choose([]), search, self._staged())

    def _staged(self) -> Staged | None:
        if self.sort is None or self.plain:
            return None
        reasons = {name: drop.why for name, drop in self.dropped.items() if name in self.measured}
        if not isinstance(self.method, Race):
            return Staged(self.stages, self.most, reasons)
        final = 1 - self.method.error / 2 if self.records[-1].examples == self.whole else None
        return Staged(self.stages, self.most, reasons, surely=True, final=final)

    def _all_rounds(self) -> Ending:
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
        paces = [self.paces[name] for name in self.alive]
        return affordable(paces, seen=seen, planned=planned, left=self.deadline.left)

    def _measure(self, at: int, size: int) -> tuple[dict[str, Measurement], bool]:
        """All sources left on the first `size` examples; False if there was not enough time for all of them.

        A round that is cut short counts only if it is the first, without which nothing would be known.
        """
        rows = np.sort(self.order[:size])
        tell = self.tell if isinstance(self.on, Inline) else silent  # a listener stays in its process
        queue, done, count = list(self.alive), 0, len(self.alive)
        if not isinstance(self.on, Inline):  # the last worker to end should not have begun with the largest model
            queue.sort(key=lambda name: -self.entrants[name].cost)
        ahead = Ahead([self.entrants[name] for name in queue]).after if isinstance(self.on, Inline) else None
        after = self._course(np.sort(self.order[: self.sizes[at + 1]])) if self._may_run_ahead(at) else None
        job = partial(_measured, self._course(rows), after, rows, self.deadline, tell, ahead)
        start = f"Round {at + 1}: {plural(count, 'model')} on {plural(size, 'example')}"
        self.tell(Event(MODELS, 0, count, "" if self.plain else start))
        found: dict[str, Measurement] = {}
        filled, self.early = self.early, {}
        if not isinstance(self.on, Inline):
            filled |= self._filled(job, queue, self._course(rows))
        while queue:
            failures: dict[str, Failure] = {}
            more = partial(self._unbeaten, at, size, {*queue}, found, failures) if after else tuple
            for result in map(job, _Queue([self.entrants[name] for name in queue], more), on=self.on):
                name, one = result.item.name, _answer(result)
                if result.item.early:
                    if isinstance(one.result, Measurement):
                        self.early[name] = one.result
                    continue
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
                found[name] = together(filled.get(name), one.result)
                self.seen[name] = len(rows)
                self.paces[name] = _pace(found[name].extraction, one.seconds, len(rows), self.paces.get(name))
            queue = [back for name in queue if name in failures for back in self._without(failures[name])]
            count += len(queue)
        return found, True

    def _may_run_ahead(self, at: int) -> bool:
        """Whether idle workers can begin the next round of a race; under a time budget its size is not known yet."""
        race = isinstance(self.method, Race) and at + 1 < len(self.sizes) and self.deadline.seconds is None
        return race and self.course.cache is not None and not isinstance(self.on, Inline)

    def _unbeaten(
        self, at: int, size: int, queue: set[str], found: Mapping[str, Measurement], failures: Mapping[str, Failure]
    ) -> list[Entrant]:
        """While others are at work, the sources that none of those that are done beats: those left can only beat more.

        None once all of the queue are done.
        """
        done = [one for name, one in found.items() if name in self.alive]
        if not done or queue <= {*found, *failures}:
            return []
        score = (self.sort or self.choose([one.evaluations for one in done]))[0]
        able = [one for one in done if score in one.evaluations]
        dropped, _ = self.method.decide(Round(able, score, at, self.most, len(self.entrants), size, self.whole))
        return [self.entrants[one.source].ahead() for one in able if one.source not in dropped]

    def _filled(
        self, job: Callable[[Entrant], _Attempt], queue: Sequence[str], course: Course
    ) -> dict[str, Measurement]:
        """What the passes of each source on parts of many rows cost; what fails is said when it is measured."""
        parts = [part for name in queue for part in self.entrants[name].shards(course)]
        cost: dict[str, Measurement] = {}
        for done, result in enumerate(map(job, parts, on=self.on), start=1):
            self.tell(Event("parts of the rows", done, len(parts)))
            if isinstance(part := _answer(result).result, Measurement):
                cost[part.source] = together(cost.get(part.source), part)
        return cost

    def _without(self, failure: Failure) -> list[str]:
        """Take out a source that failed; returns those that were dropped only because of it, which come back."""
        self.failures.append(failure)
        self.alive.remove(failure.source)
        self.measured.pop(failure.source, None)
        back = [name for name, drop in self.dropped.items() if drop.by == failure.source]
        for name in back:
            del self.dropped[name]
        self.alive += back
        return back

    def _course(self, rows: np.ndarray) -> Course:
        """The course on some rows, which may hold as many unreadable examples as all rows may."""
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
            self.measured[name] = together(self.measured.get(name), one)
        if self.sort is None and found:
            self.sort = self.choose([one.evaluations for one in self.measured.values()])

    def _decide(self, at: int, size: int, complete: bool) -> Ending | None:
        """Record the round, and drop sources. A halving drops none after a round that was cut short."""
        if self.sort is None or (not complete and at):
            return None
        score = self.sort[0]
        here = [self.measured[name] for name in self.alive if name in self.measured]
        able = [one for one in here if score in one.evaluations]
        self.stages.append({one.source: one.evaluations[score] for one in able})
        dropped: dict[str, Drop] = {}
        ending: Ending | None = None
        if not isinstance(self.method, All):
            without = f"it has no {score}, which the search sorts by"
            dropped |= {one.source: Drop("", without) for one in here if one not in able}
        if able and (complete or isinstance(self.method, Race)):
            round_ = Round(able, score, at, self.most, len(self.entrants), size, self.whole)
            found, ending = self.method.decide(round_)
            dropped |= found
        self.dropped |= dropped
        self.alive = [name for name in self.alive if name not in dropped]
        self.records.append(RoundRecord(size, len(here), tuple(dropped)))
        return ending


def _measured(
    course: Course,
    after: Course | None,
    rows: np.ndarray,
    deadline: Deadline,
    tell: Progress,
    ahead: Callable[[str], None] | None,
    entrant: Entrant,
) -> _Attempt:
    """One source on some rows, until the time is up; the next one's download begins with its pass."""
    seen = 0

    def heard(event: Event) -> None:
        nonlocal seen
        tell(event)
        seen = max(seen, event.done)
        if event.done < event.total and deadline.passed:
            raise Stopped

    started = deadline.spent
    if ahead is not None:
        ahead(entrant.name)
    result: Measurement | Failure | None = None
    try:
        if not deadline.passed:
            on = after if entrant.early else course
            assert on is not None, "no source runs ahead of the last round"
            result = entrant.measure(on, rows, heard)
    except Stopped:
        pass
    return _Attempt(result, seen, deadline.spent - started)


def _answer(result: Result[Entrant, _Attempt]) -> _Attempt:
    """What a job returned; a worker that died costs only its source, and any other exception ends the search."""
    if isinstance(result.error, WorkerError):
        return _Attempt(Failure.of(result.item.name, result.error), 0, 0.0)
    return result.get()


def together(before: Measurement | None, now: Measurement) -> Measurement:
    """The latest measurement, with the cost of the rounds before it."""
    if before is None:
        return now
    old, new = before.extraction, now.extraction
    return replace(
        now,
        extraction=replace(
            new,
            seconds=old.seconds + new.seconds,
            computed=old.computed + new.computed,
            engine=new.engine or old.engine,
            notes=tuple(dict.fromkeys((*old.notes, *new.notes))),
        ),
    )


def _pace(run: Extraction, seconds: float, size: int, before: Pace | None) -> Pace:
    """Seconds per new example, and for all else; where nothing was computed, each costs what it did before."""
    beside = max(seconds - run.seconds, 0.0)
    if run.computed:
        return Pace(run.seconds / run.computed, beside)
    return Pace(before.each if before else seconds / size, beside)
