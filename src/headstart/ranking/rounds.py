"""The search itself: rounds on growing parts of the examples, every source of a round on the same ones."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.data.order import order_of
from headstart.ranking.attempt import Course
from headstart.ranking.budget import Deadline, OutOfTime, Pace, affordable
from headstart.ranking.measure import Measurement
from headstart.ranking.methods import All, Drop, Halving, Race, Round, first_size
from headstart.ranking.staged import Staged
from headstart.records import Ending, Failure, Search
from headstart.records import Round as RoundRecord
from headstart.runner.progress import Event, Progress
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
    """

    def __init__(
        self,
        entrants: Sequence[Entrant],
        method: All | Race | Halving,
        course: Course,
        choose: Callable[[Sequence[Mapping[str, Evaluation]]], tuple[str, str]],
        tell: Progress,
        deadline: Deadline,
    ) -> None:
        self.entrants = {entrant.name: entrant for entrant in entrants}
        self.method, self.course, self.choose, self.tell, self.deadline = method, course, choose, tell, deadline
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
            CacheError: The cache cannot be written.
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
        course = self._course(rows)
        queue = deque(self.alive)
        found: dict[str, Measurement] = {}
        index = 0
        start = f"Round {at + 1}: {plural(len(queue), 'model')} on {plural(size, 'example')}"
        self.tell(Event(MODELS, 0, len(queue), "" if self.plain else start))
        while queue:
            name = queue.popleft()
            started = self.deadline.spent
            try:
                result = self._one(name, course, rows)
            except OutOfTime:
                self.tell(Event(name, 0, 0))
                return (found if at == 0 else {}), False
            if isinstance(result, Failure):
                queue.extend(self._without(result))
            else:
                found[name] = result
            index += 1
            count, how = index + len(queue), "failed" if isinstance(result, Failure) else "done"
            text = f"[{index}/{count}] {name}: {how} in {duration(self.deadline.spent - started)}"
            self.tell(Event(name, size, size))
            self.tell(Event(MODELS, index, count, text))
        return found, True

    def _one(self, name: str, course: Course, rows: np.ndarray) -> Measurement | Failure:
        def heard(event: Event) -> None:
            self.tell(event)
            self.seen[name] = max(self.seen[name], event.done)
            if event.done < event.total and self.deadline.passed:
                raise OutOfTime

        if self.deadline.passed:
            raise OutOfTime
        started = self.deadline.spent
        result = self.entrants[name].measure(course, rows, heard)
        if isinstance(result, Failure):
            return result
        self.seen[name] = len(rows)
        self.paces[name] = _pace(result, self.deadline.spent - started, len(rows), self.paces.get(name))
        return result

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
