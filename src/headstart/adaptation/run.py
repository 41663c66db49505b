"""What `adapt` returns: the record, and the run that was chosen, ready to predict."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from headstart import transfers
from headstart.adaptation.method import ADAPTATIONS
from headstart.records.adaptation import AdaptationRecord
from headstart.records.shown import Shown
from headstart.records.table import View
from headstart.sources.source import Source
from headstart.transfers import METHODS, Answers, Run

CHOSEN = "chosen"


@dataclass(frozen=True, eq=False, repr=False)
class Adapted(Shown):
    """The record of an adaptation and the run that was chosen; `print` shows what was gained, how sure, and why."""

    record: AdaptationRecord
    chosen: Run

    def predict(self, examples: object, ids: Sequence[str] | None = None, *, batch_size: int = 64) -> Answers:
        """Probabilities for new inputs by the chosen run; see `Run.predict`."""
        return self.chosen.predict(examples, ids, batch_size=batch_size)

    def view(self) -> View:
        """What was chosen and gained, every method, the criteria, and notes."""
        return self.record.view()

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the record and the chosen run into `folder`, which `headstart.load` reads; returns the folder."""
        place = Path(folder)
        self.chosen.save(place / CHOSEN)
        replace(self.record, folder=CHOSEN).save(place)
        return place


def load(
    folder: str | os.PathLike[str], *, source: Source | nn.Module | None = None, trust_pickle: bool = False
) -> Adapted:
    """Read back what `adapt` saved.

    Raises:
        InputError: The folder holds no adaptation, or a damaged one; ModelError: its source cannot be found.
    """
    record = AdaptationRecord.load(folder)
    return Adapted(record, load_run(folder, source=source, trust_pickle=trust_pickle))


def load_run(
    folder: str | os.PathLike[str], *, source: Source | nn.Module | None = None, trust_pickle: bool = False
) -> Run:
    """Read back a run of `transfer` or of `adapt`: of a folder that `adapt` wrote, the one that was chosen.

    Raises:
        InputError: The folder holds no run, or a damaged one; ModelError: its source cannot be found.
    """
    place = Path(folder)
    if (place / AdaptationRecord.FILE).exists():
        place /= AdaptationRecord.load(place).folder
    return transfers.load(place, source=source, trust_pickle=trust_pickle, methods={**METHODS, **ADAPTATIONS})
