"""A model that has been found but not loaded: what a list of models is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.records import ModelCard

if TYPE_CHECKING:
    from headstart.sources.source import Source


@dataclass(frozen=True)
class Candidate:
    """A model that can be loaded.

    `load(trust_pickle)` reads the weights. It raises ModelError where that fails, OfflineError where a network is
    missing, and refuses a checkpoint that runs code on loading unless `trust_pickle` is true. A candidate can be
    sent to a worker process if its model can be pickled.
    """

    card: ModelCard
    load: "Callable[[bool], Source]"
    files: Callable[[], tuple[Path, ...]] | None = None  # what decides its numbers, all of it; None: not known

    @property
    def name(self) -> str:
        return self.card.name
