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

    def entrant(extraction: Extraction) -> Entrant:
        def measure(course: Course, rows: np.ndarray, report: Progress) -> Measurement | Failure:
            whole = len(rows) == len(extraction.labels)
            return score(extraction if whole else rows_of(extraction, rows), course)

        return Entrant(extraction.source, measure)

    return [entrant(extraction) for extraction in extractions]


def from_candidates(candidates: "Sequence[Candidate]", *, again: bool) -> list[Entrant]:
    """Models, loaded when their turn comes.

    Args:
        candidates: The models.
        again: Whether they may be run more than once; then small ones stay loaded.
    """
    shelf = Shelf(SHELF if again else 0)

    def entrant(candidate: "Candidate") -> Entrant:
        held = replace(candidate, load=partial(shelf.load, candidate))

        def measure(course: Course, rows: np.ndarray, report: Progress) -> Measurement | Failure:
            return attempt(held, course, report)

        return Entrant(candidate.name, measure)

    return [entrant(candidate) for candidate in candidates]


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
