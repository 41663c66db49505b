"""What `stack` leaves: the weights of several sources, and what they reach together."""

from dataclasses import dataclass

from headstart.records.failure import Failure
from headstart.records.files import SavedRecord
from headstart.records.outcome import Verdict
from headstart.records.shown import Shown
from headstart.records.table import Prose, Table, View, table
from headstart.wording import MISSING

GUESS = "class frequencies"  # what stands among the sources for knowing nothing of an example


@dataclass(frozen=True)
class StackedSource:
    """One source: its weight, and what a head on it reaches alone."""

    source: str
    weight: float  # at least 0; all sum to 1
    left_out: float | None = None  # accuracy of a linear probe on left-out labelled examples
    accuracy: float | None = None  # of its head on the test part
    low: float | None = None  # 95 % interval over test examples
    high: float | None = None


@dataclass(frozen=True, repr=False)
class StackRecord(SavedRecord, Shown):
    """Sources with their weights, and the gain of all over the best alone; `print` shows both."""

    FILE, MADE_BY = "stack.json", "`headstart transfer --stack --out FOLDER`"

    target: str
    n_train: int
    sources: tuple[StackedSource, ...]  # the class frequencies last
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    together: StackedSource | None = None  # None without a test part
    best: str = ""  # the source that is best alone by left-out examples
    gain: float | None = None  # over it
    gain_low: float | None = None
    gain_high: float | None = None
    verdict: Verdict | None = None
    frequencies: tuple[float, ...] = ()  # of the classes among the labelled examples
    folders: tuple[str, ...] = ()  # of the heads of the sources that count, below the record's own
    format: int = 1

    def view(self) -> View:
        """One line per source, all together, and the gain."""
        tops = [*sorted(self.sources, key=lambda one: -one.weight), *([self.together] if self.together else [])]
        rows = [
            [
                one.source,
                f"{one.weight:.3f}",
                MISSING if one.left_out is None else f"{one.left_out:.3f}",
                *(
                    [MISSING] * 2
                    if one.accuracy is None
                    else [f"{one.accuracy:.3f}", f"{one.low:.3f} to {one.high:.3f}"]
                ),
            ]
            for one in tops
        ]
        made = table(["source", "weight", "left out", "accuracy", "95 %"], rows)
        parts: list[Table | Prose] = [Prose(title=f"Sources stacked for {self.target}"), made]
        if self.gain is not None:
            ends = "" if self.gain_low is None else f" (95 % interval {self.gain_low:+.3f} to {self.gain_high:+.3f})"
            said = (
                f"Gain over {self.best}, the best alone by left-out examples: {self.gain:+.3f}{ends}: {self.verdict}."
            )
            parts.append(Prose((said, *self.notes)))
        if self.failures:
            parts.append(Prose(tuple(f"{one.source}: {one.reason}" for one in self.failures), "failure", "Failed"))
        return parts
