"""What scoring many sources leaves; a report is rebuilt from it alone."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headstart.errors import InputError, require
from headstart.records import text
from headstart.records.facts import ModelCard, Provenance, TargetSummary
from headstart.records.failure import Failure
from headstart.records.files import SavedRecord
from headstart.records.forecast import Cost, Forecast, Probe
from headstart.records.outcome import ClassResult
from headstart.records.ranking_page import ranking_table
from headstart.records.search import UNREACHED, FineTuned, LeftOut, Search
from headstart.records.shown import Brief, Shown, draw
from headstart.records.table import View, as_html

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ScoreRow:
    """One score of one source, with its uncertainty."""

    source: str
    score: str
    value: float
    standard_error: float | None  # None: the score has no sampling error (a static fact)
    low: float | None  # 95 % interval
    high: float | None
    seconds: float  # spent on the score itself, after the forward pass
    notes: tuple[str, ...] = ()  # e.g. "saturated: n <= d"


@dataclass(frozen=True, repr=False)
class HeadView(Brief):
    """What LEEP sees: where the target's classes fall among the source's, as P(target class given source class)."""

    source_classes: tuple[str, ...]  # the columns shown, most used first
    weights: tuple[float, ...]  # share of the target's probability mass on each column
    conditional: tuple[tuple[float, ...], ...]  # (target classes, columns shown)
    classes: tuple[str, ...]  # the target classes (rows)


@dataclass(frozen=True, repr=False)
class RankedSource(Brief):
    """One line of a ranking. A source that lacks the sorting score has no rank; `unavailable` says why it lacks it."""

    source: str
    rank: int | None  # None: unscored, listed after the ranked ones
    rank_low: int | None  # 95 % interval of the rank, simultaneous over all ranked sources
    rank_high: int | None
    probability_best: float | None  # that its transfer will reach the most; without forecasts, that its score is best
    scores: dict[str, ScoreRow]
    unavailable: dict[str, str]  # score -> why this source has none
    card: ModelCard
    forward_seconds: float  # 0 when every row came from the cache
    examples_per_second: float | None
    computed: int
    layer: str = ""
    verdict: str | None = None  # plain words where a score can say no
    advised_against: bool = False  # the verdict is a no
    head: HeadView | None = None
    engine: str = ""  # what ran the network, as `Extraction.engine`
    notes: tuple[str, ...] = ()  # what the reader should know of this source's forward pass
    behind_error: float | None = None  # paired standard error of how far its sorting score lies behind the first one's
    examples: int | None = None  # that its scores were computed on; None in older records
    dropped: str = ""  # why a search went on without it; "" if it did not
    by_class: tuple[ClassResult, ...] = ()  # of left-out predictions from its features; of the first source only
    forecasts: tuple[Forecast, ...] = ()  # what transfers will reach: first by the goal of the ranking
    probe: Probe | None = None  # what accuracies are forecast from
    costs: tuple[Cost, ...] = ()  # of a head and of fine-tuning on this machine, where they were asked for

    @property
    def forecast(self) -> Forecast | None:
        """What a transfer by the ranking's goal, such as a new head, will reach; None where it has no features."""
        return self.forecasts[0] if self.forecasts else None


@dataclass(frozen=True, repr=False)
class Ranking(SavedRecord, Shown):
    """Sources in order, best first, with how far the order can be trusted. `print(ranking)` shows it as text."""

    FILE, MADE_BY = "ranking.json", "`headstart rank --out FOLDER`"

    target: TargetSummary
    rows: tuple[RankedSource, ...]
    sort: str  # the score that orders the rows
    scores: tuple[str, ...]  # the scores that were asked for, in the order of display
    tied: int  # how many of the first rows cannot be told apart from the best
    failures: tuple[Failure, ...]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    format: int = 1
    sort_reason: str = ""  # why this score orders the rows
    search: Search | None = None  # how the sources were searched; None in older records
    left_out: tuple[LeftOut, ...] = ()  # models that a shortlist, a licence or a pattern kept out
    fine_tuned: tuple[FineTuned, ...] = ()  # a race by fine-tuning, whose results then order the rows
    goal: str = "head"  # what the sources are ranked for: "head" or "fine-tune"
    seen: str = field(default="", repr=False)  # eight hex digits of the content of each example that it saw, joined

    @property
    def sureness(self) -> str:
        """How sure the answer is, in a sentence or two; "" where there is nothing to compare."""
        return " ".join(filter(None, (text.ties(self), text.dissent(self))))

    @property
    def best(self) -> str:
        """Name of the first source.

        Raises:
            InputError: No source could be ranked.
        """
        if not self.rows or self.rows[0].rank is None:
            raise InputError("no source could be ranked, so there is no best one; see `ranking.failures`.")
        return self.rows[0].source

    @property
    def models(self) -> list[str]:
        """Names of the ranked models, with the revisions that were ranked: to repeat the ranking on exactly those."""
        return [
            f"{row.source.partition('@')[0]}@{row.card.revision}" if row.card.revision else row.source
            for row in self.rows
        ]

    def view(self) -> View:
        """What was ranked on, the table, and the sentences that belong to it."""
        return text.view(self)

    def _repr_html_(self) -> str:
        return as_html([text.heading(self), *([ranking_table(self)] if self.rows else []), *text.remarks(self)])

    def plot(self, score: str | None = None) -> "Figure":
        """A figure of one score of every source with its 95 % interval; by default the score that orders the rows.

        Raises:
            InputError: No source has the score.
            MissingExtra: matplotlib is not installed.
        """
        return draw("plot_ranking", self, score)

    def to_rows(self) -> list[dict[str, object]]:
        """One flat dictionary per source, in order, failed and unreached ones last, as a CSV file holds them."""
        return (
            [_flat(row, self.scores) for row in self.rows]
            + [{"source": failure.source, "failed": failure.reason} for failure in self.failures]
            + [{"source": source, "dropped": UNREACHED} for source in (self.search.unreached if self.search else ())]
            + [{"source": source, "dropped": one.why} for one in self.left_out for source in one.sources]
        )

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per source: rank and its interval, probability of being best, every score with error and interval."""
        frame: pandas.DataFrame = require("pandas", "a data frame", "data").DataFrame(self.to_rows())
        return frame


def _flat(row: RankedSource, scores: tuple[str, ...]) -> dict[str, object]:
    cells: dict[str, object] = {
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "source": row.source,
        "probability_best": row.probability_best,
    }
    for name in scores:
        score = row.scores.get(name)
        cells[name] = score and score.value
        cells[f"{name}_standard_error"] = score and score.standard_error
        cells[f"{name}_low"] = score and score.low
        cells[f"{name}_high"] = score and score.high
    return cells | {
        "parameters": row.card.parameters,
        "forward_seconds": row.forward_seconds,
        "examples_per_second": row.examples_per_second,
        "computed": row.computed,
        "examples": row.examples,
        "dropped": row.dropped or None,
        "forecast": row.forecast and row.forecast.value,
        "forecast_low": row.forecast and row.forecast.low,
        "forecast_high": row.forecast and row.forecast.high,
        **{f"{one.method.replace('-', '_')}_seconds": one.seconds for one in row.costs},
        **{f"{one.method.replace('-', '_')}_memory": one.memory for one in row.costs},
        "verdict": row.verdict,
        "unavailable": "; ".join(f"{name}: {why}" for name, why in row.unavailable.items()) or None,
        "failed": None,
    }
