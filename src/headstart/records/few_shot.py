"""How well sources' features serve tasks with a few examples of each class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from headstart.records.failure import Failure, in_prose
from headstart.records.files import SavedRecord
from headstart.records.shown import Shown
from headstart.records.table import Prose, Table, View, table
from headstart.wording import plural


@dataclass(frozen=True)
class ShotAccuracy:
    """Mean accuracy over episodes, with a 95 % interval over classes and episodes."""

    method: str
    shots: int  # examples of each class to learn from
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class FewShotSource:
    """One source: its accuracy by method and number of shots."""

    source: str
    rank: int
    tied: bool  # cannot be told apart from the first source: the interval of their difference holds zero
    curve: tuple[ShotAccuracy, ...]

    def at(self, method: str, shots: int) -> ShotAccuracy:
        """The accuracy of one method at one number of shots."""
        return next(point for point in self.curve if (point.method, point.shots) == (method, shots))

    def leading(self, method: str) -> str:
        """The method itself if the row has it, else the row's own: a learner that adapts in its own way has one."""
        return method if any(point.method == method for point in self.curve) else self.curve[0].method


@dataclass(frozen=True, repr=False)
class FewShot(SavedRecord, Shown):
    """Sources ranked by their accuracy on episodes of few examples."""

    FILE, MADE_BY = "few_shot.json", "`headstart few-shot --out FOLDER`"

    target: str
    classes: int  # that have enough examples
    ways: int | Literal["all"]
    shots: tuple[int, ...]
    queries: int
    episodes: int
    seed: int
    method: str  # that orders the sources, at the largest number of shots: the best one on average
    methods: tuple[str, ...]
    rows: tuple[FewShotSource, ...]  # best first
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> str | None:
        """Name of the first source; None if all failed."""
        return self.rows[0].source if self.rows else None

    def view(self) -> View:
        """Accuracy of every source over the shots, and of every method with the best source."""
        ways = f"all {plural(self.classes, 'class', 'classes')}" if self.ways == "all" else f"{self.ways} classes"
        title = f"Few-shot accuracy on {self.target}: {plural(self.episodes, 'episode')} of {ways}, by {self.method}"
        header = ("", "source", *(f"{plural(few, 'shot')}" for few in self.shots))
        cells = (
            (str(row.rank), row.source, *(_interval(row.at(row.leading(self.method), few)) for few in self.shots))
            for row in self.rows
        )
        parts: list[Table | Prose] = [Prose(title=title), table(header, cells, words=2)] if self.rows else []
        first = next((row for row in self.rows if row.leading(self.method) == self.method), None)
        if len(self.methods) > 1 and first is not None:
            by_method = ((name, *(_interval(first.at(name, few)) for few in self.shots)) for name in self.methods)
            parts += [Prose(title=f"By method, with {first.source}"), table(("method", *header[2:]), by_method)]
        parts += [Prose(tuple(self._sentences()), "quiet")]
        return [*parts, *in_prose(self.failures)]

    def _sentences(self) -> Iterator[str]:
        tied = [row.source for row in self.rows[1:] if row.tied]
        if tied:
            yield f"Cannot be told apart from the first: {', '.join(tied)}."
        over = "fresh examples of these classes" if self.ways == "all" else "other classes like these"
        yield f"95 % intervals are for {over}."
        yield from self.notes

    def to_rows(self) -> list[dict[str, object]]:
        """One flat dictionary per source, method and number of shots."""
        return [
            {"rank": row.rank, "source": row.source, **{name: getattr(point, name) for name in POINT}}
            for row in self.rows
            for point in row.curve
        ]


POINT = ("method", "shots", "accuracy", "low", "high")


def _interval(point: ShotAccuracy) -> str:
    return f"{point.accuracy:.3f} ({point.low:.3f} to {point.high:.3f})"
