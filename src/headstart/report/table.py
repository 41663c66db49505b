"""The ranking as a table: every source on one common axis, with its facts."""

from collections.abc import Mapping
from dataclasses import dataclass

from headstart.records import ModelCard, RankedSource, Ranking
from headstart.report.answer import interval, leaders, places_for
from headstart.report.axis import Axis, axis_over
from headstart.wording import DASH, NOUNS, duration, magnitude, number, percentage, plural, probability, rate, typeset

TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Mark:
    """A value with its interval, placed on an axis (all in percent of the width)."""

    text: str
    interval: str | None = None
    at: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One source of the ranking, ready to print."""

    place: str
    source: str
    about: tuple[str, ...]
    url: str | None
    leads: bool  # cannot be told apart from the best
    mark: Mark
    reason: str | None  # why there is no value
    ranks: str
    probability_text: str
    probability_share: float | None
    parameters: str
    seconds: str
    rate: str
    warning: str | None  # the verdict, where it is a no
    early: str | None  # on how many examples, and why a search went on without it


@dataclass(frozen=True)
class Table:
    """The ranking's lines and the axis they share."""

    axis: Axis
    lines: tuple[Line, ...]


def ranking_table(ranking: Ranking) -> Table:
    """Lines in the order of the record."""
    axis = score_axis(ranking.rows, ranking.sort)
    places = places_for(ranking.rows, ranking.sort)
    first = leaders(ranking)
    early = left_early(ranking)
    lines = (_line(row, row.source in first, ranking.sort, axis, places, early) for row in ranking.rows)
    return Table(axis, tuple(lines))


def score_axis(rows: tuple[RankedSource, ...], score: str) -> Axis:
    """The axis that holds every source's value and interval of one score."""
    return axis_over(v for row in rows if (s := row.scores.get(score)) for v in (s.low, s.value, s.high))


def mark(row: RankedSource, score: str, axis: Axis, places: int) -> Mark:
    """Where a source's value and interval fall on an axis; a dash without a place where there is no value."""
    found = row.scores.get(score)
    text = number(found.value, places) if found else DASH
    if found is None or text == DASH:
        return Mark(DASH)
    bounds = interval(found, places)
    if bounds is None or found.low is None or found.high is None:
        return Mark(text, at=axis.at(found.value))
    return Mark(text, bounds, axis.at(found.value), axis.at(found.low), axis.at(found.high))


def left_early(ranking: Ranking) -> dict[str, str]:
    """For each source that did not see every example: how many it saw, and why no more."""
    if ranking.search is None or not ranking.search.partial:
        return {}
    noun = NOUNS[ranking.target.kind]
    return {
        row.source: f"scored on {plural(row.examples, noun)}" + (f"; dropped: {row.dropped}" if row.dropped else "")
        for row in ranking.rows
        if row.examples is not None and (row.dropped or row.examples < ranking.target.n)
    }


def _line(row: RankedSource, leads: bool, sort: str, axis: Axis, places: int, early: Mapping[str, str]) -> Line:
    placed = mark(row, sort, axis, places)
    return Line(
        place=DASH if row.rank is None else str(row.rank),
        source=row.source,
        about=_about(row.card),
        url=_web_address(row.card.url),
        leads=leads,
        mark=placed,
        reason=None if placed.at is not None else row.unavailable.get(sort, "no finite value"),
        ranks=_ranks(row),
        probability_text=typeset(probability(row.probability_best)),
        probability_share=row.probability_best,
        parameters=typeset(magnitude(row.card.parameters)),
        seconds=duration(row.forward_seconds) if row.computed else "cached",
        rate=typeset(rate(row.examples_per_second)),
        warning=row.verdict if row.advised_against else None,
        early=early.get(row.source),
    )


def _ranks(row: RankedSource) -> str:
    if row.rank_low is None or row.rank_high is None:
        return DASH
    return str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low} to {row.rank_high}"


def _about(card: ModelCard) -> tuple[str, ...]:
    """What the source is: the facts that are known."""
    facts = [
        card.trained_on,
        card.num_classes and f"{card.num_classes:,} classes",
        card.input_size and f"{card.input_size[1]}{TIMES}{card.input_size[2]} px",
        card.imagenet_top1 and f"top-1 {percentage(card.imagenet_top1)}",
        card.license,
    ]
    return tuple(str(fact) for fact in facts if fact)


def _web_address(url: str | None) -> str | None:
    """Only an ordinary web address becomes a link: `javascript:` and its kin do not."""
    return url if url and url.startswith(("https://", "http://")) else None
