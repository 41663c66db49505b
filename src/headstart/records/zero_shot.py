"""What zero-shot classification leaves: prompts, accuracies of each template set, and the answers."""

from dataclasses import dataclass

from headstart.records.facts import Provenance
from headstart.records.failure import Failure, in_prose
from headstart.records.files import SavedRecord
from headstart.records.shown import Brief, Shown
from headstart.records.table import Prose, Table, View, table
from headstart.wording import MISSING, listing, plural


@dataclass(frozen=True)
class Share:
    """An accuracy with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, repr=False)
class ZeroShotSource(Brief):
    """One image-text pair, with the accuracy of each template set and of all of them together."""

    source: str
    accuracy: dict[str, Share]  # template set -> accuracy; empty without labels
    log_likelihood: float | None  # of the best set's answers, as they are
    calibrated: float | None  # the same after `temperature`
    temperature: float | None  # that divides the logits to fit the labels best
    templates: str  # the set whose answers are given


@dataclass(frozen=True, repr=False)
class ZeroShot(SavedRecord, Shown):
    """Answers of image-text pairs for classes that have names only; `print` shows them as tables."""

    FILE, MADE_BY = "zero-shot.json", "`headstart zero-shot --out FOLDER`"

    data: str
    n: int
    classes: tuple[str, ...]
    names: tuple[str, ...]  # what each class was called in the prompts
    prompts: dict[str, tuple[str, ...]]  # template set -> the first class in each of its templates
    rows: tuple[ZeroShotSource, ...]  # best first where there are labels
    ids: tuple[str, ...]
    answers: tuple[int, ...]  # of the first source: a class for each example
    probabilities: tuple[float, ...]  # of that class
    labelled: bool
    chance: float | None  # accuracy of always naming the commonest class
    failures: tuple[Failure, ...]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    format: int = 1

    @property
    def best(self) -> str:
        """Name of the source whose answers are given."""
        return self.rows[0].source

    def view(self) -> View:
        """Accuracies, prompts and notes."""
        head = (
            f"{self.data}: {plural(self.n, 'example')}, {plural(len(self.classes), 'class', 'classes')} by name alone"
        )
        said = [
            f"Prompts of `{name}`: {listing([repr(one) for one in shown], 3)}." for name, shown in self.prompts.items()
        ]
        said += [f"Classes are called {listing(self.names, 6)}."]
        said += [f"Always naming the commonest class reaches {self.chance:.3f}."] if self.chance is not None else []
        parts: list[Table | Prose] = [Prose(title=head), self.sources(), Prose((*said, *self.notes))]
        return [*parts, *in_prose(self.failures)]

    def sources(self) -> Table:
        """One row per source; without labels, how its answers spread over the classes."""
        if not self.labelled:
            counts = [self.answers.count(code) for code in range(len(self.classes))]
            order = sorted(range(len(counts)), key=lambda code: -counts[code])
            return table(
                ["class", "called", "answers"],
                [(self.classes[code], self.names[code], str(counts[code])) for code in order],
                words=2,
            )
        sets = list(dict.fromkeys(name for row in self.rows for name in row.accuracy))
        return table(
            ["source", *sets, "temperature", "log-likelihood"],
            [
                (
                    row.source,
                    *(str(row.accuracy.get(name, MISSING)) for name in sets),
                    MISSING if row.temperature is None else f"{row.temperature:.2f}",
                    MISSING if row.calibrated is None else f"{row.log_likelihood:.3f} to {row.calibrated:.3f}",
                )
                for row in self.rows
            ],
        )

    def to_rows(self) -> list[dict[str, object]]:
        """One flat dictionary per example: id, class and probability."""
        return [
            {"id": name, "class": self.classes[code], "probability": round(share, 4)}
            for name, code, share in zip(self.ids, self.answers, self.probabilities, strict=True)
        ]
