"""What adapting to a new domain leaves: how far apart the domains are, what each method did, and what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headstart.records.facts import Provenance
from headstart.records.failure import Failure, in_prose
from headstart.records.files import SavedRecord
from headstart.records.outcome import Verdict
from headstart.records.shown import Brief, Shown
from headstart.records.table import Prose, Table, View, table, titled
from headstart.wording import MISSING, listing, plural

CLASSES = 12  # in the table of frequencies
FEW_EFFECTIVE = 0.05  # share of the examples that weights must leave effective
CLEAR = 0.8  # accuracy from which two domains differ clearly
FLAT = 0.01  # spread of weights below which they change nothing
FORGOTTEN = 0.15  # accuracy on held-out labelled examples that a method may lose against the best of its source
SCARCE = 0.2  # of its frequency in the labelled domain: below it a class seems to be lacking
PAIRS = 47  # of domains in benchmarks/adaptation.md
LOST = {
    "source-risk": (5.6, 16.3),
    "importance-weighted": (6.2, 25.5),
    "entropy": (2.3, 22.2),
    "density": (12.3, 52.6),
    "agreement": (5.6, 26.2),
}  # criterion -> points that its choice lost there against the best method: on average, at most
RISK = "source-risk"
EFFECTIVE, SPREAD = "effective_sample_size", "weight_spread"  # facts of a run

MEANS: dict[Verdict | None, str] = {
    "positive": "it helps",
    "negative": "it hurts (negative adaptation)",
    "neutral": "it makes no difference",
    "inconclusive": "the interval includes 0: inconclusive",
}


@dataclass(frozen=True, repr=False)
class AdaptedRow(Brief):
    """One source adapted by one method, over its seeds."""

    source: str
    method: str
    seeds: tuple[int, ...]
    kept: float  # accuracy on held-out examples of the labelled domain
    criteria: dict[str, float]  # criterion -> value; all are larger for what they would choose
    frequencies: tuple[float, ...]  # share of each class among the answers on the new domain
    accuracy: float | None = None  # on the test part of the new domain; None without one
    low: float | None = None  # 95 % interval over test examples
    high: float | None = None
    baseline: str = ""  # the method whose accuracy is the zero of the gain
    gain: float | None = None
    gain_low: float | None = None  # 95 % interval over seeds and test examples
    gain_high: float | None = None
    verdict: Verdict | None = None
    facts: dict[str, float] = field(default_factory=dict)  # what the method measured on its way
    notes: tuple[str, ...] = ()

    @property
    def idle(self) -> str:
        """Why its weights adapted nothing; empty where they did, or there are none."""
        if EFFECTIVE not in self.facts:
            return ""
        if self.facts[EFFECTIVE] < FEW_EFFECTIVE:
            return f"the weights leave {self.facts[EFFECTIVE]:.1%} of the labelled examples effective"
        return "the weights are flat" if self.facts[SPREAD] < FLAT else ""


def forgets(row: AdaptedRow, rows: Sequence[AdaptedRow]) -> bool:
    """Whether a method loses much of what others with the same source know of the labelled domain."""
    best = max(one.criteria[RISK] for one in rows if one.source == row.source)
    return row.criteria[RISK] < best - FORGOTTEN


@dataclass(frozen=True)
class Frequencies:
    """Estimated class frequencies with 95 % intervals, each in the order of the classes."""

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class DomainGap(Brief):
    """How far apart the domains are in a source's features, before any adaptation."""

    source: str
    accuracy: float  # of a classifier that tells held-out examples of the two domains apart
    chance: float  # the largest accuracy that chance alone reaches in 95 of 100 cases
    p: float
    mmd: float  # squared maximum mean discrepancy, unbiased
    mmd_p: float  # of its permutation test
    effective: float  # share of the labelled examples that weights like the new domain leave effective
    labelled: tuple[float, ...]  # class frequencies of the labelled domain
    estimates: dict[str, Frequencies]  # "em" and "confusion": of the new domain

    @property
    def apart(self) -> bool:
        """Whether either test sees a difference at 5 %."""
        return self.p < 0.05 or self.mmd_p < 0.05

    def said(self) -> list[str]:
        """The tests in sentences."""
        differ = "they differ clearly" if self.accuracy > CLEAR else "they differ"
        found = [
            f"A classifier tells the domains apart with accuracy {self.accuracy:.2f} (chance: up to {self.chance:.2f}, "
            f"p {self.p:.2g}); squared MMD {self.mmd:.4f} (permutation p {self.mmd_p:.2g}): "
            f"{differ if self.apart else 'they look alike'}."
        ]
        if self.effective < FEW_EFFECTIVE:
            found.append(
                f"Weights like the new domain would leave {self.effective:.1%} of the labelled examples effective: "
                "weighting (`importance`, `kmm`) has little to go on here; aligning and training have more."
            )
        em = self.estimates["em"]
        moved = [i for i, share in enumerate(self.labelled) if not em.low[i] <= share <= em.high[i]]
        said = f"{len(moved)} of {len(em.values)} classes seem to be more or less frequent than in the labelled domain"
        found.append(f"{said}, if classes look alike in both." if moved else "No change of class frequencies shows.")
        return found


@dataclass(frozen=True, repr=False)
class AdaptationRecord(SavedRecord, Shown):
    """What `headstart.adapt` leaves; `print` shows what was gained over no adaptation, how sure that is, and why."""

    FILE, MADE_BY = "adaptation.json", "`headstart adapt --out FOLDER`"

    labelled: str
    unlabelled: str
    kind: str
    n_labelled: int  # training and validation part
    n_kept: int  # labelled examples held out
    n_new: int  # without labels
    n_test: int
    classes: tuple[str, ...]
    select: str  # the criterion that chose
    choices: dict[str, tuple[str, str]]  # criterion -> (source, method) that it would choose
    rows: tuple[AdaptedRow, ...]
    gaps: tuple[DomainGap, ...]  # one for each source
    failures: tuple[Failure, ...]
    provenance: Provenance
    folder: str = ""  # of the chosen run, below the record's own
    notes: tuple[str, ...] = ()
    format: int = 1

    @property
    def chosen(self) -> AdaptedRow:
        """The row that the criterion `select` chose."""
        return self.row(*self.choices[self.select])

    @property
    def gap(self) -> DomainGap:
        """The distance of the domains in the features of the chosen source."""
        return next(one for one in self.gaps if one.source == self.chosen.source)

    def row(self, source: str, method: str) -> AdaptedRow:
        """The row of a source and a method."""
        return next(one for one in self.rows if (one.source, one.method) == (source, method))

    def view(self) -> View:
        """What was chosen and gained, every method, the criteria, and notes."""
        best = self.chosen
        title = f"{self.labelled} to {self.unlabelled}: {best.method} of {best.source}, chosen by {self.select}"
        sizes = (
            f"{plural(self.n_labelled, 'labelled example')} and {self.n_kept} held out; {self.n_new} of the new domain "
            f"without labels"
        )
        parts: list[Table | Prose] = [Prose((f"{sizes}.", self.gained(best)), title=title), *self.ranked()]
        parts += [self.methods()]
        parts += [Prose(tuple(self.gap.said()), title="How far apart the domains are, before adaptation")]
        parts += titled("How the choice was made, without labels of the new domain", *self._criteria())
        parts += titled(*self._frequencies())
        said = [*self._better(), *self._disagreement(), *self._absent()]
        said += [f"{row.method}: no adaptation took place: {row.idle}." for row in self.rows if row.idle]
        said += [
            f"{row.method} is not chosen: it reaches {row.criteria[RISK]:.3f} on held-out labelled examples, more than "
            f"{100 * FORGOTTEN:.0f} points below the best."
            for row in self.rows
            if row is not self.chosen and forgets(row, self.rows)
        ]
        parts += [Prose((*said, *self.notes))] if said or self.notes else []
        return [*parts, *in_prose(self.failures)]

    def gained(self, row: AdaptedRow) -> str:
        """What a row gained over no adaptation, in a sentence."""
        if row.accuracy is None:
            return "Without labelled test data of the new domain (`test`) nobody knows what was gained."
        reached = f"ccuracy {row.accuracy:.3f} on {plural(self.n_test, 'test example')}"
        if row.gain is None:
            return f"Without adaptation: a{reached}."
        text = f"A{reached}; gain over {row.baseline} {row.gain:+.3f}"
        if row.gain_low is None:
            return f"{text}, without an interval: one seed proves nothing; repeat with `seeds=3`."
        return f"{text} (95 % interval {row.gain_low:+.3f} to {row.gain_high:+.3f}): {MEANS[row.verdict]}."

    def ranked(self) -> View:
        """The starts (models, labelled domains), best first by the criterion, each with the method that it prefers."""
        by = {row.source: [one for one in self.rows if one.source == row.source] for row in self.rows}
        if len(by) < 2:
            return []
        best = [
            max(own, key=lambda row: (not row.idle and not forgets(row, own), row.criteria[self.select]))
            for own in by.values()
        ]
        best.sort(key=lambda row: -row.criteria[self.select])
        tested = ["accuracy", "95 %"] if self.n_test else []
        rows = [
            [row.source, row.method, f"{row.criteria[self.select]:.3f}", *(self._tested(row)[:2] if tested else [])]
            for row in best
        ]
        return [table(["start", "method", self.select, *tested], rows, words=2)]

    def methods(self) -> Table:
        """One line per source and method; the chosen one stands out."""
        several = len({row.source for row in self.rows}) > 1
        tested = self.n_test > 0
        header = ["source"] if several else []
        header += ["method", *(["accuracy", "95 %", "gain", "95 %", "verdict"] if tested else []), "kept", "effective"]
        rows = [
            [
                *([row.source] if several else []),
                row.method,
                *(self._tested(row) if tested else []),
                f"{row.kept:.3f}",
                f"{row.facts[EFFECTIVE]:.0%}" if EFFECTIVE in row.facts else MISSING,
            ]
            for row in self.rows
        ]
        made = table(header, rows, words=2 if several else 1)
        best = self.chosen
        return replace(made, tones=tuple("good" if row is best else "plain" for row in self.rows))

    def _tested(self, row: AdaptedRow) -> list[str]:
        interval = MISSING if row.low is None else f"{row.low:.3f} to {row.high:.3f}"
        gain = MISSING if row.gain is None else f"{row.gain:+.3f}"
        reach = MISSING if row.gain_low is None else f"{row.gain_low:+.3f} to {row.gain_high:+.3f}"
        return [f"{row.accuracy:.3f}", interval, gain, reach, row.verdict or MISSING]

    def _criteria(self) -> tuple[list[str], list[list[str]], list[str]]:
        names = list(self.choices)
        several = len({row.source for row in self.rows}) > 1
        rows = [
            [
                f"{row.source} {row.method}" if several else row.method,
                *(
                    f"{row.criteria[name]:.3f}{' *' if self.choices[name] == (row.source, row.method) else '  '}"
                    for name in names
                ),
            ]
            for row in self.rows
        ]
        told = ["*: what the criterion would choose among the methods that were asked for."]
        if self.select in LOST:
            mean, most = LOST[self.select]
            told.append(
                f"On {PAIRS} pairs of domains of benchmarks/adaptation.md, {self.select} lost {mean:.0f} points of "
                f"accuracy against the best method on average, and {most:.0f} at most."
            )
        return ["method", *names], rows, told

    def _frequencies(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        gap, answered = self.gap, self.chosen.frequencies
        order = sorted(range(len(self.classes)), key=lambda code: -abs(answered[code] - gap.labelled[code]))[:CLASSES]
        em = gap.estimates["em"]
        rows = [
            [
                self.classes[code],
                f"{gap.labelled[code]:.3f}",
                *(f"{one.values[code]:.3f}" for one in gap.estimates.values()),
                f"{em.low[code]:.3f} to {em.high[code]:.3f}",
                f"{answered[code]:.3f}",
            ]
            for code in sorted(order)
        ]
        left = len(self.classes) - len(rows)
        notes = [f"{plural(left, 'class', 'classes')} whose frequencies change less are in the record."] if left else []
        return "Class frequencies", ["class", "labelled", *gap.estimates, "95 % of em", "answered"], rows, notes

    def _better(self) -> list[str]:
        """A sentence where the criterion prefers a baseline that was not to be chosen."""
        mine, best = self.chosen.criteria[self.select], max(self.rows, key=lambda row: row.criteria[self.select])
        if best.idle or forgets(best, self.rows) or best.criteria[self.select] <= mine:
            return []
        value = best.criteria[self.select]
        return [
            f"By {self.select} `{best.method}`, which was not asked for, is better ({value:.3f} against {mine:.3f})."
        ]

    def _absent(self) -> list[str]:
        """A sentence on classes that the new domain seems to lack; those that only it has cannot be seen."""
        shares = zip(self.classes, self.gap.labelled, self.gap.estimates["em"].high, strict=True)
        names = [name for name, share, high in shares if high < SCARCE * share]
        if not names:
            return []
        return [
            f"By the estimate of the class frequencies the new domain holds few examples of {listing(names)}, or none. "
            "Where it lacks a class, methods that align whole domains can hurt: compare with `none` and `label-shift`."
        ]

    def _disagreement(self) -> list[str]:
        by: dict[tuple[str, str], list[str]] = {}
        for name, choice in self.choices.items():
            by.setdefault(choice, []).append(name)
        if len(by) < 2:
            return []
        several = len({row.source for row in self.rows}) > 1
        said = (
            f"{listing(names)} would choose {f'{method} of {source}' if several else method}"
            for (source, method), names in by.items()
        )
        return [f"The criteria disagree: {'; '.join(said)}."]

    def to_rows(self) -> list[dict[str, object]]:
        """One flat dictionary per source and method."""
        names = ("source", "method", "accuracy", "low", "high", "gain", "gain_low", "gain_high", "verdict", "kept")
        return [{name: getattr(row, name) for name in names} | row.criteria for row in self.rows]
