"""One source, from loading to its scores; a failure becomes a reason, and the search continues."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.target import Target
from headstart.errors import CacheError, HeadstartError, InputError, TargetError
from headstart.ranking.cost import gpu_share, seconds_of_pass
from headstart.ranking.inputs import rows_of
from headstart.ranking.measure import Measurement, measure
from headstart.records import Extraction, Failure
from headstart.runner.progress import Event, Progress

if TYPE_CHECKING:
    from headstart.sources import Candidate, Source

LARGE = 10_000_000  # parameters of a model that does not say how many it has
PRECISIONS = ("fp32", "bf16")  # of forward passes
SHARD = 16_384  # rows that one task of a worker computes
SHELF = 250_000_000  # parameters that may stay loaded from one round to the next, about 1 GB


@dataclass(frozen=True, eq=False)
class Course:
    """What all sources of a search have in common."""

    target: Target
    groups: np.ndarray  # (n,) jackknife group of each example
    scores: tuple[str, ...]
    seed: int
    device: str
    batch_size: int | None
    cache: Path | None
    max_bad: float
    trust_pickle: bool
    metric: str | None = None  # to be forecast; the task's first if None
    precision: str = "fp32"  # of the forward passes


@dataclass(frozen=True)
class Entrant:
    """A source in a search: measured on the examples of a course, which are the given rows of all examples."""

    name: str
    measure: Callable[[Course, np.ndarray, Progress], Measurement | Failure]
    fetch: Callable[[], None] | None = None  # downloads its files; None where they are here, or cannot come ahead
    candidate: "Candidate | None" = None  # None for arrays
    early: bool = False  # only makes the passes of the round that follows

    @property
    def cost(self) -> float:
        """Processor-seconds of a forward pass, as estimated from the model's card."""
        return 0.0 if self.candidate is None else seconds_of_pass(self.candidate.card)

    @property
    def gpu(self) -> float:
        """The part of a GPU that it needs."""
        return 0.0 if self.candidate is None else gpu_share(self.candidate.card)

    def ahead(self) -> "Entrant":
        """The passes of the round that follows, which it will find in the cache."""
        assert self.candidate is not None, "arrays need no passes"
        return replace(self, measure=partial(_fill, self.candidate, 0, sys.maxsize), early=True)

    def shards(self, course: Course) -> "list[Entrant]":
        """Parts of the rows, whose forward passes fill the cache; none where one task can do them all."""
        if self.candidate is None or course.cache is None or len(course.target) <= SHARD:
            return []
        starts = range(0, len(course.target), SHARD)
        return [replace(self, measure=partial(_fill, self.candidate, start, start + SHARD)) for start in starts]


def from_arrays(extractions: Sequence[Extraction]) -> list[Entrant]:
    """Extractions made elsewhere: a round takes some of their rows."""
    return [Entrant(extraction.source, partial(_measure_rows, extraction)) for extraction in extractions]


def from_candidates(candidates: "Sequence[Candidate]", *, again: bool) -> list[Entrant]:
    """Models, loaded when their turn comes; with `again`, small ones stay loaded for the next round."""
    shelf = Shelf(SHELF if again else 0)
    held = [replace(candidate, load=partial(shelf.load, candidate)) for candidate in candidates]
    return [Entrant(one.name, partial(_run, one), None if one.card.local else one.fetch, one) for one in held]


def check_precision(precision: str) -> None:
    """Raises InputError where forward passes cannot have this precision."""
    if precision not in PRECISIONS:
        raise InputError(f"`precision` must be {' or '.join(PRECISIONS)}; got {precision!r}.")


class Shelf:
    """Loaded sources that are kept while all of them together have no more than `room` parameters."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.held: dict[str, Source] = {}

    def load(self, candidate: "Candidate", trust_pickle: bool) -> "Source":
        """The source, from the shelf if it is there."""
        if candidate.name in self.held:
            return self.held[candidate.name]
        source = candidate.load(trust_pickle)
        if (size := source.card.parameters or LARGE) <= self.room:
            self.room -= size
            self.held[candidate.name] = source
        return source


def _measure_rows(extraction: Extraction, course: Course, rows: np.ndarray, tell: Progress) -> Measurement:
    whole = len(rows) == len(extraction.labels)
    return _scored(extraction if whole else rows_of(extraction, rows), course)


def _run(candidate: "Candidate", course: Course, rows: np.ndarray, tell: Progress) -> Measurement | Failure:
    """Load, extract, score and release one source.

    Raises:
        TargetError: Too many examples are unreadable, which would fail every source.
        CacheError: The cached rows cannot be used.
        Stopped: `tell` raised it in the middle of the source; rows made so far are in the cache.
    """
    try:
        return _scored(_from_cache(candidate, course, tell) or _attempted(candidate, course, tell), course)
    except (TargetError, CacheError):
        raise
    except HeadstartError as error:
        return Failure.of(candidate.name, error)


def _fill(
    candidate: "Candidate", start: int, stop: int, course: Course, rows: np.ndarray, tell: Progress
) -> Measurement | Failure:
    """Forward passes of some rows, left in the cache; the result only says what they cost."""
    some = course.target.subset(np.arange(start, min(stop, len(course.target))))
    part = replace(course, target=some, max_bad=1.0)  # the whole is judged when it is measured
    try:
        found = _from_cache(candidate, part, tell) or _attempted(candidate, part, tell)
    except HeadstartError as error:
        return Failure.of(candidate.name, error)
    bare = replace(found, features=None, logits=None, labels=found.labels[:0], ids=(), skipped={})
    return Measurement(bare, {}, {})


def _from_cache(candidate: "Candidate", course: Course, tell: Progress) -> Extraction | None:
    """The rows where the cache holds them all: neither the network nor torch is loaded."""
    if course.cache is None:
        return None
    from headstart.extract.cached import from_cache

    found = from_cache(
        course.target,
        candidate,
        cache=course.cache,
        max_bad=course.max_bad,
        trust_pickle=course.trust_pickle,
        precision=course.precision,
    )
    if found is not None:
        tell(Event(candidate.name, len(course.target), len(course.target)))
    return found


def _attempted(candidate: "Candidate", course: Course, tell: Progress) -> Extraction:
    """The rows of a forward pass."""
    from headstart.extract.several import attempt  # imports torch, which ranking arrays does not need

    return attempt(
        course.target,
        candidate,
        cache=course.cache,
        device=course.device,
        batch_size=course.batch_size,
        max_bad=course.max_bad,
        trust_pickle=course.trust_pickle,
        progress=tell,
        precision=course.precision,
    )


def _scored(extraction: Extraction, course: Course) -> Measurement:
    group_of = dict(zip(course.target.ids, course.groups, strict=True))
    groups = np.array([group_of[name] for name in extraction.ids])
    return measure(
        extraction,
        course.scores,
        groups=np.unique(groups, return_inverse=True)[1],  # without gaps, should a whole group be unreadable
        classes=course.target.classes,
        task=course.target.task,
        seed=course.seed,
        metric=course.metric,
    )
