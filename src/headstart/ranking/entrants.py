"""The sources of a search: models that have to be run, or arrays that are some model's work already."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from headstart.ranking.attempt import LARGE, Course, attempt, score
from headstart.ranking.inputs import rows_of
from headstart.ranking.measure import Measurement
from headstart.ranking.rounds import Entrant
from headstart.records import Extraction, Failure
from headstart.runner.progress import Progress

if TYPE_CHECKING:
    from headstart.sources import Candidate, Source

SHELF = 250_000_000  # parameters that may stay loaded from one round to the next, about 1 GB


def from_arrays(extractions: Sequence[Extraction]) -> list[Entrant]:
    """Extractions made elsewhere: a round takes some of their rows."""

    return [Entrant(extraction.source, partial(_measure_rows, extraction)) for extraction in extractions]


def from_candidates(candidates: "Sequence[Candidate]", *, again: bool) -> list[Entrant]:
    """Models, loaded when their turn comes.

    Args:
        candidates: The models.
        again: Whether they may be run more than once; then small ones stay loaded.
    """
    shelf = Shelf(SHELF if again else 0)
    held = [replace(candidate, load=partial(shelf.load, candidate)) for candidate in candidates]
    return [Entrant(candidate.name, partial(_run, candidate)) for candidate in held]


def _measure_rows(extraction: Extraction, course: Course, rows: np.ndarray, tell: Progress) -> Measurement:
    whole = len(rows) == len(extraction.labels)
    return score(extraction if whole else rows_of(extraction, rows), course)


def _run(candidate: "Candidate", course: Course, rows: np.ndarray, tell: Progress) -> Measurement | Failure:
    return attempt(candidate, course, tell)


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
        size = source.card.parameters or LARGE
        if size <= self.room:
            self.room -= size
            self.held[candidate.name] = source
        return source
