"""The ranking's table on a page and in a notebook: every source on one common axis, with its facts."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from headstart.records.axis import Axis, Mark, axis_over, axis_svg, bar_svg, interval_svg
from headstart.records.table import Column, Table, Tone, breakable
from headstart.records.text import costs
from headstart.wording import (
    DASH,
    NOUNS,
    decimals_for,
    duration,
    magnitude,
    number,
    percentage,
    plural,
    probability,
    rate,
    typeset,
)

if TYPE_CHECKING:
    from headstart.records.facts import ModelCard
    from headstart.records.ranking import RankedSource, Ranking, ScoreRow

TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"


def ranking_table(ranking: "Ranking", title: str = "", grid: str = "grid-ranking") -> Table:
    """One row per source, in the order of the record.

    Args:
        ranking: The record.
        title: The name of the sorting score, for readers who cannot see the axis.
        grid: Identifies the axis among the drawings of one page.
    """
    rows, noun = ranking.rows, NOUNS[ranking.target.kind]
    axis, places = score_axis(rows, ranking.sort), places_for(rows, ranking.sort)
    marks = [mark(row, ranking.sort, axis, places) for row in rows]
    about = 2 if any(row.forecasts for row in rows) else 4  # the column of forecasts leaves less room for labels
    first, early = leaders(ranking), left_early(ranking)
    plots = [_plot(row, placed, ranking.sort, grid) for row, placed in zip(rows, marks, strict=True)]
    place = [DASH if row.rank is None else str(row.rank) for row in rows]
    source = [_source(row, early.get(row.source)) for row in rows]
    speeds = [typeset(rate(row.examples_per_second)) for row in rows]
    sizes = [typeset(magnitude(row.card.parameters)) for row in rows]
    columns = (
        _column("#", place, css="place"),
        _column("source", source, css="source", right=False),
        _column("", plots, axis_svg(axis, grid, title or ranking.sort, about), "plot-cell", right=False),
        _column("value", map(_value, marks), _two("value", "95 % interval"), "number value"),
        *_forecasts(rows, grid),
        _column("rank, 95 %", map(_ranks, rows), _two("rank", "95 %"), "number rank"),
        _column("P(best)", map(_probability, rows), _two("probability", "of being best")),
        _column("parameters", sizes),
        _column("forward pass", map(_forward, rows), _two("forward", "pass"), "number time"),
        _column(f"{noun}s/s", speeds, _two(f"{noun}s", "per second"), "number rate"),
        *(_column(f"{method}, memory", map(typeset, cells)) for method, cells in costs(rows).items()),
    )
    tones: tuple[Tone, ...] = tuple("good" if row.source in first else "plain" for row in rows)
    return Table(columns, tones)


def _forecasts(rows: "Sequence[RankedSource]", grid: str) -> list[Column]:
    """What a transfer will reach: a dot with its interval on an axis of its own; nothing without forecasts."""
    found = [row.forecast for row in rows]
    if not any(found):
        return []
    axis, grid = axis_over(v for one in found if one for v in (one.low, one.value, one.high)), f"{grid}-forecast"
    cells = []
    for one in found:
        text = DASH if one is None else number(one.value, 2)
        bounds = "" if one is None else f"{number(one.low, 2)} to {number(one.high, 2)}"
        placed = (
            Mark(text) if one is None else Mark(text, bounds, axis.at(one.value), axis.at(one.low), axis.at(one.high))
        )
        cells.append(_value(placed) if placed.at is None else interval_svg(placed, grid, 24, 4) + _value(placed))
    means = next("a new head" if one.method == "head" else one.method for one in found if one)
    title = f"forecast of {means}, 90 % interval"
    return [_column(title, cells, _two("forecast", "90 % interval") + axis_svg(axis, grid, title, 4), "plot-cell")]


def _column(title: str, cells: Iterable[str], head: str = "", css: str = "number", *, right: bool = True) -> Column:
    """A column whose cells are HTML already."""
    return Column(title, (), right, tuple(cells), head, css)


def _two(head: str, below: str) -> str:
    return f"{head}<br><small>{below}</small>"


def _source(row: "RankedSource", early: str | None) -> str:
    name, url = f'<bdi class="name">{breakable(row.source)}</bdi>', _web_address(row.card.url)
    parts = [f'<a href="{escape(url)}" rel="noopener noreferrer">{name}</a>' if url else name]
    about = " · ".join(_about(row.card))
    parts += [f'<small class="about">{escape(text)}</small>' for text in (about, early) if text]
    parts += [f'<small class="warning">{escape(row.verdict)}</small>'] if row.advised_against and row.verdict else []
    return "".join(parts)


def _plot(row: "RankedSource", placed: Mark, sort: str, grid: str) -> str:
    if placed.at is None:
        return f'<small class="reason">{escape(row.unavailable.get(sort, "no finite value"))}</small>'
    return interval_svg(placed, grid, 24, 4)


def _value(placed: Mark) -> str:
    return f"<strong>{placed.text}</strong>" + (f"<small>{placed.interval}</small>" if placed.interval else "")


def _probability(row: "RankedSource") -> str:
    text = escape(typeset(probability(row.probability_best)))
    return text if row.probability_best is None else text + bar_svg(100 * row.probability_best, 4)


def _forward(row: "RankedSource") -> str:
    return escape(duration(row.forward_seconds)) if row.computed else "cached"


def ranked(ranking: "Ranking") -> "tuple[RankedSource, ...]":
    """The sources that the sorting score could put in order, best first."""
    return tuple(row for row in ranking.rows if row.rank is not None)


def leaders(ranking: "Ranking") -> frozenset[str]:
    """Names of the sources that cannot be told apart from the best."""
    return frozenset(row.source for row in ranked(ranking)[: ranking.tied])


def places_for(rows: "Sequence[RankedSource]", score: str) -> int:
    """Decimals that suit the values of one score: two significant digits of the typical standard error."""
    return decimals_for(row.scores[score].standard_error for row in rows if score in row.scores)


def interval(row: "ScoreRow", places: int) -> str | None:
    """A 95 % interval as text; None for a score that has no sampling error."""
    if row.low is None or row.high is None:
        return None
    return f"{number(row.low, places)} to {number(row.high, places)}"


def score_axis(rows: "tuple[RankedSource, ...]", score: str) -> Axis:
    """The axis that holds every source's value and interval of one score."""
    return axis_over(v for row in rows if (s := row.scores.get(score)) for v in (s.low, s.value, s.high))


def mark(row: "RankedSource", score: str, axis: Axis, places: int) -> Mark:
    """Where a source's value and interval fall on an axis; a dash without a place where there is no value."""
    found = row.scores.get(score)
    text = number(found.value, places) if found else DASH
    if found is None or text == DASH:
        return Mark(DASH)
    bounds = interval(found, places)
    if bounds is None or found.low is None or found.high is None:
        return Mark(text, at=axis.at(found.value))
    return Mark(text, bounds, axis.at(found.value), axis.at(found.low), axis.at(found.high))


def left_early(ranking: "Ranking") -> dict[str, str]:
    """For each source that did not see every example: how many it saw, and why no more."""
    if ranking.search is None or not ranking.search.partial:
        return {}
    noun = NOUNS[ranking.target.kind]
    return {
        row.source: f"scored on {plural(row.examples, noun)}" + (f"; dropped: {row.dropped}" if row.dropped else "")
        for row in ranking.rows
        if row.examples is not None and (row.dropped or row.examples < ranking.target.n)
    }


def _ranks(row: "RankedSource") -> str:
    if row.rank_low is None or row.rank_high is None:
        return DASH
    return str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low} to {row.rank_high}"


def _about(card: "ModelCard") -> tuple[str, ...]:
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
