"""The records of a transfer: what was planned, how it went, what it reached and what that gained."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from headstart.records import results
from headstart.records.facts import Provenance
from headstart.records.files import JsonRecord
from headstart.records.shown import Brief, Shown, draw
from headstart.records.table import Prose, View

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CurvePoint:
    """One epoch of a training."""

    epoch: int  # counted from 1
    seconds: float  # since the training began, pauses between resumed runs left out
    rate: float  # the highest learning rate of the epoch's last step
    train_loss: float
    valid_loss: float | None  # None: there is no validation part
    valid_quality: float | None  # accuracy; R2 for regression; share of right labels for multi-label
    trained: int  # numbers that trained in this epoch
    parts: dict[str, float] = field(default_factory=dict)  # means of the other parts of the loss, by name


@dataclass(frozen=True)
class PlanRow:
    """One block of a transfer plan: does it train, how fast, how much of it, and from which epoch."""

    block: str
    trains: bool
    rate: float  # peak learning rate; 0 where it never trains
    parameters: int  # in the block
    trained: int  # of them, how many train
    thaw: int = 0  # the first epoch (from 0) in which it trains


@dataclass(frozen=True)
class Bound:
    """An inequality that a paper states, checked on a real run: `low` <= `high`."""

    name: str
    low: float
    high: float
    holds: bool
    note: str = ""


@dataclass(frozen=True)
class ClassResult:
    """How one class came out on the test part."""

    name: str
    n: int  # test examples
    precision: float | None  # None: never predicted
    recall: float | None  # None: no test example
    f1: float | None


@dataclass(frozen=True)
class Trial:
    """A short training with one setting of the options that were tuned."""

    options: dict[str, float]
    loss: float | None  # the lowest on the validation part; None: it did not stay finite
    quality: float | None = None  # the best on the validation part: accuracy, R2, ...


@dataclass(frozen=True, repr=False)
class Outcome(JsonRecord, Shown):
    """What one real transfer reached."""

    method: str
    source: str  # "scratch" keeps the name of the source whose network it trained anew
    target: str
    task: str
    seed: int
    metric: str  # the one by which outcomes are compared
    metrics: dict[str, float]  # on the test part; empty where there is none
    n_train: int
    n_valid: int
    n_test: int
    parameters: int
    trained: int  # the most that trained at a time
    epochs: int  # run
    best_epoch: int | None
    stopped: str  # why the training ended
    seconds: float
    curve: tuple[CurvePoint, ...]
    plan: tuple[PlanRow, ...]
    classes: tuple[str, ...]
    split: str  # hash of the three parts, contents included: equal hashes may be compared
    provenance: Provenance
    options: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    notes: tuple[str, ...] = ()
    format: int = 1
    by_class: tuple[ClassResult, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # [true class][predicted class]: test examples; up to 100 classes
    trials: tuple[Trial, ...] = ()  # by which options that were not given were chosen; all equally long
    adapted_from: str | None = None  # the source whose network this one has, where another training changed its weights
    white_level: float | None = None  # what was white in images of more than 8 bits, and is when the run predicts
    facts: dict[str, float] = field(default_factory=dict)  # what the method measured on its way, by name

    @property
    def network(self) -> str:
        """Name of the source whose network was trained."""
        return self.adapted_from or self.source

    def view(self) -> View:
        """The metrics on the test part as a table, also by class, and the notes."""
        return [*results.view([self]), *results.by_class(self)]


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Brief):
    """A transferred model's answers on labelled examples."""

    ids: tuple[str, ...]
    labels: np.ndarray  # as in `Extraction`
    outputs: np.ndarray  # (n, C) probabilities, or (n, t) values for regression


Verdict = Literal["positive", "neutral", "negative", "inconclusive"]


@dataclass(frozen=True)
class Convergence:
    """How fast a transfer learns beside training from scratch, on the validation part."""

    reference: float  # the scratch model's final quality
    epochs: int | None  # first epoch at which the transfer reaches it; None: never
    seconds: float | None
    scratch_epochs: int  # first epoch at which scratch itself reaches it
    scratch_seconds: float
    area: float  # mean of the transfer's quality over the shared epochs
    scratch_area: float
    difference: tuple[float, ...]  # transfer minus scratch, epoch by epoch


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """What a method gained over training the same network from scratch, on the same test examples."""

    method: str
    source: str
    metric: str
    transfer: float  # mean over the seeds
    scratch: float
    gain: float
    low: float | None  # interval at `level`; None: no verdict, the advice says why
    high: float | None
    level: float
    seeds: tuple[int, ...]
    verdict: Verdict
    advice: str  # what to try next
    convergence: Convergence | None = None
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        """The verdict with its numbers, the advice and the notes."""
        return results.gains(self)

    def plot(self) -> "Figure":
        """A figure of the gain and, where both were trained by epochs, of the lead epoch by epoch.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        return draw("plot_comparison", self)


@dataclass(frozen=True, repr=False)
class Evaluation(JsonRecord, Shown):
    """What transfers reached and gained over training from scratch; a sequence of its comparisons."""

    outcomes: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    missing: str = ""  # what it takes to compare, where nothing could be

    def __len__(self) -> int:
        return len(self.comparisons)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.comparisons)

    def __getitem__(self, place: int) -> Comparison:
        return self.comparisons[place]

    def view(self) -> View:
        """Results run by run, and what each method gained."""
        missing = [Prose((self.missing,), "warning")] if self.missing else []
        return [*results.view(self.outcomes, self.comparisons), *missing]
