"""Every labelled domain (a language, a camera) as a start for every other."""

from collections.abc import Sequence
from dataclasses import dataclass

from headstart.records.files import JsonRecord
from headstart.records.shown import Shown
from headstart.records.table import Prose, View, table
from headstart.wording import MISSING


@dataclass(frozen=True)
class Crossing:
    """A head trained in one domain and tested in another, or in its own."""

    trained_on: str
    tested_on: str
    n: int  # test examples
    accuracy: float
    low: float  # 95 % interval over test examples
    high: float
    gap: float | None = None  # to the head trained in the tested domain itself, on the same examples
    gap_low: float | None = None
    gap_high: float | None = None


@dataclass(frozen=True, repr=False)
class Across(JsonRecord, Shown):
    """Accuracies from each labelled domain to each other; `print` shows them with intervals and gaps."""

    source: str  # the model
    crossings: tuple[Crossing, ...]
    notes: tuple[str, ...] = ()
    format: int = 1

    def ranked(self, tested_on: str) -> Sequence[Crossing]:
        """The other domains as starts for this one, best first."""
        found = [one for one in self.crossings if one.tested_on == tested_on != one.trained_on]
        return sorted(found, key=lambda one: -one.accuracy)

    def view(self) -> View:
        """One line for each pair of domains, the best start of each first, and the order of the starts on average."""
        targets = list(dict.fromkeys(one.tested_on for one in self.crossings))
        own = {one.tested_on: one for one in self.crossings if one.trained_on == one.tested_on}
        lines = [one for target in targets for one in [*([own[target]] if target in own else []), *self.ranked(target)]]
        rows = [
            [
                one.tested_on,
                one.trained_on,
                f"{one.accuracy:.3f}",
                f"{one.low:.3f} to {one.high:.3f}",
                MISSING if one.gap is None else f"{one.gap:+.3f}",
                MISSING if one.gap_low is None else f"{one.gap_low:+.3f} to {one.gap_high:+.3f}",
            ]
            for one in lines
        ]
        starts = list(dict.fromkeys(one.trained_on for one in self.crossings))
        mean = {name: self._mean(name) for name in starts}
        order = sorted(starts, key=lambda name: -mean[name])
        said = ", ".join(f"{name} {mean[name]:.3f}" for name in order)
        header = ["tested on", "trained on", "accuracy", "95 %", "gap", "95 %"]
        told = (f"On average over the other domains: {said}.", "gap: to training in the tested domain itself.")
        return [Prose(title=f"From domain to domain with {self.source}"), table(header, rows, words=2),
                Prose((*told, *self.notes))]  # fmt: skip

    def _mean(self, trained_on: str) -> float:
        found = [one.accuracy for one in self.crossings if one.trained_on == trained_on != one.tested_on]
        return sum(found) / max(len(found), 1)
