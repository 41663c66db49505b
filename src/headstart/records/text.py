"""A ranking as a table and sentences: what `print`, the command line, a notebook and the report say of it."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from headstart.records.failure import told
from headstart.records.search import cost, departures, spared, sureness, unreached
from headstart.records.table import Column, Prose, Table, Tone, View
from headstart.wording import (
    MISSING,
    NOUNS,
    decimals_for,
    duration,
    listing,
    magnitude,
    plural,
    probability,
    rate,
    spelled,
)

if TYPE_CHECKING:
    from headstart.records.ranking import RankedSource, Ranking, ScoreRow

MEANS = {"head": "a new head", "fine-tune": "fine-tuning"}  # of a goal
CLEAR = 0.95  # probability of being the best above which the first source is called clearly the best
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
SPEEDS = {"image": "img/s", "text": "text/s"}  # arrays pass through no network


def view(ranking: "Ranking") -> View:
    """The whole ranking: what was ranked on, the table, and the sentences that belong to it."""
    return [heading(ranking), *([table(ranking)] if ranking.rows else []), *remarks(ranking)]


def table(ranking: "Ranking") -> Table:
    """One row per source: rank, sorting score, probability of being the best, cost, and the other scores."""
    columns = [_rank(ranking), _source(ranking), _score(ranking, ranking.sort)]
    columns += [_forecast(ranking)] if any(row.forecasts for row in ranking.rows) else []
    columns += [_best(ranking)] if any(row.probability_best is not None for row in ranking.rows[1:]) else []
    columns += [_seen(ranking)] if ranking.search and ranking.search.partial else []
    tones = tuple(_tone(row.rank, place < ranking.tied) for place, row in enumerate(ranking.rows))
    return Table((*columns, *_cost(ranking), *_other_scores(ranking)), tones, lead=2)


def _tone(rank: int | None, leads: bool) -> Tone:
    return "quiet" if rank is None else "good" if leads else "plain"


def _rank(ranking: "Ranking") -> Column:
    """The rank and, where it is more than one place, its interval."""
    cells = []
    for row in ranking.rows:
        if row.rank is None:
            cells.append(MISSING)
        elif row.rank_low == row.rank_high:
            cells.append(str(row.rank))
        else:
            cells.append(f"{row.rank} ({row.rank_low}-{row.rank_high})")
    return Column("rank", tuple(cells), right=False)


def _source(ranking: "Ranking") -> Column:
    return Column("source", tuple(row.source for row in ranking.rows), right=False)


def _forecast(ranking: "Ranking") -> Column:
    """What a transfer by the ranking's goal will reach, and half its interval."""
    cells = []
    for row in ranking.rows:
        one = row.forecast
        cells.append(f"{one.value:.2f} ±{(one.high - one.low) / 2:.2f}" if one else MISSING)
    return Column("forecast", tuple(cells))


def _best(ranking: "Ranking") -> Column:
    return Column("best", tuple(probability(row.probability_best) for row in ranking.rows))


def _seen(ranking: "Ranking") -> Column:
    """How many examples each source's scores rest on, where these differ."""
    cells = tuple(MISSING if row.examples is None else f"{row.examples:,}" for row in ranking.rows)
    return Column(f"{NOUNS[ranking.target.kind]}s", cells)


def _score(ranking: "Ranking", score: str) -> Column:
    rows = [row.scores.get(score) for row in ranking.rows]
    places = decimals_for(row.standard_error for row in rows if row)
    return Column(score, tuple(MISSING if row is None else with_interval(row, places) for row in rows))


def with_interval(row: "ScoreRow", places: int) -> str:
    """A value and half its 95 % interval (the longer half, where a bound of the score cuts one short)."""
    text = f"{row.value:.{places}f}"
    if row.low is None or row.high is None:
        return text
    return f"{text} ±{max(row.value - row.low, row.high - row.value):.{places}f}"


def _other_scores(ranking: "Ranking") -> list[Column]:
    """All scores but the sorting one; one that no source has is left to the sentence that says why."""
    columns = [_score(ranking, score) for score in ranking.scores if score != ranking.sort]
    return [column for column in columns if set(column.cells) != {MISSING}]


def _cost(ranking: "Ranking") -> list[Column]:
    """What running the sources took; a column that would be empty is left out, as for arrays made elsewhere."""
    columns = [Column("params", tuple(magnitude(row.card.parameters) for row in ranking.rows))]
    if speed := SPEEDS.get(ranking.target.kind):
        columns.append(Column(speed, tuple(rate(row.examples_per_second) for row in ranking.rows)))
        columns.append(Column("forward", tuple(_forward(row) for row in ranking.rows)))
    columns += [Column(f"{method}, memory", cells) for method, cells in costs(ranking.rows).items()]
    return [column for column in columns if set(column.cells) != {MISSING}]


def costs(rows: "Sequence[RankedSource]") -> dict[str, tuple[str, ...]]:
    """Time and memory of the transfers whose cost was measured, by method: a text for each row."""
    methods = list(dict.fromkeys(one.method for row in rows for one in row.costs))
    known = [{one.method: str(one) for one in row.costs} for row in rows]
    return {method: tuple(one.get(method, MISSING) for one in known) for method in methods}


def _forward(row: "RankedSource") -> str:
    if not row.computed:
        return "cached"
    whole = 99.95 < row.forward_seconds < 999.5
    return f"{row.forward_seconds:.0f} s" if whole else duration(row.forward_seconds)


def ties(ranking: "Ranking") -> str | None:
    """Which sources might be the best; None where there is nothing to compare."""
    if ranking.search and ranking.search.partial:
        return sureness(ranking, ranking.search)
    ranked = [row for row in ranking.rows if row.rank is not None]
    if len(ranked) < 2:
        return None
    n = plural(ranking.target.n, NOUNS[ranking.target.kind])
    by = "fine-tuning" if ranking.fine_tuned else ranking.sort
    if is_clear(ranking):
        sentence = f"{ranked[0].source} is clearly the best of {spelled(len(ranked))} on {n}."
    elif ranking.tied == 1:
        sentence = f"{ranked[0].source} comes first of {spelled(len(ranked))} by {by} on {n}."
    elif ranking.tied == len(ranked):
        sentence = f"The {spelled(ranking.tied)} cannot be told apart on {n}."
    else:
        sentence = f"The first {spelled(ranking.tied)} cannot be told apart on {n}."
    also = [row.source for row in ranked[ranking.tied :] if row.rank_low == 1]
    return f"{sentence} {listing(also)} may also be the best." if also else sentence


def is_clear(ranking: "Ranking") -> bool:
    """Whether the first source is the best beyond doubt: alone at the top by score, and likely to stay so as a head."""
    chance = ranking.rows[0].probability_best
    return ranking.tied == 1 and not ranking.fine_tuned and (chance is None or chance > CLEAR)


def outlook(ranking: "Ranking") -> list[str]:
    """What transfers of the first source will reach, and which source is likely to reach most if not the first."""
    ranked = [row for row in ranking.rows if row.rank is not None and row.forecasts]
    if not ranked:
        return []
    best, first = max(ranked, key=lambda row: row.probability_best or 0.0), ranked[0]
    said = []
    if best is not first and (best.probability_best or 0) > 0.5:
        said.append(
            f"{MEANS[ranking.goal].capitalize()} will most likely reach most on {best.source} "
            f"({probability(best.probability_best)})."
        )
    noun = NOUNS[ranking.target.kind]
    for one in first.forecasts[1:]:
        how = MEANS["fine-tune"] if one.method == "fine-tune" else f"a head with {plural(one.examples, noun)}"
        said.append(f"{how}: {one.value:.2f} ({one.low:.2f} to {one.high:.2f})")
    if first.forecasts[1:]:
        said = [*said[: -len(first.forecasts[1:])], f"Forecast for {first.source}: {'; '.join(said[-3:])}."]
    return said


def dissent(ranking: "Ranking") -> str:
    """Which other sources the scores beside the sorting one put first, in a sentence; "" where they agree."""
    rows = [row for row in ranking.rows if row.rank is not None and row.examples == ranking.rows[0].examples]
    others: dict[str, list[str]] = {}
    for score in ranking.scores:
        values = {row.source: row.scores[score].value for row in rows if score in row.scores}
        measured = any(row.scores[score].standard_error is not None for row in rows if score in row.scores)
        if measured and len(values) == len(rows) > 1 and values[rows[0].source] < max(values.values()):
            others.setdefault(max(values, key=values.__getitem__), []).append(score)
    parts = [
        f"{listing(scores)} {'puts' if len(scores) == 1 else 'put'} {source} first" for source, scores in others.items()
    ]
    return f"The scores disagree: {'; '.join(parts)}." if parts else ""


def verdicts(ranking: "Ranking") -> list[str]:
    """One sentence for each source that a score advises against."""
    return [f"{row.source}: {row.verdict}." for row in ranking.rows if row.advised_against and row.verdict]


def unscored(ranking: "Ranking") -> list[str]:
    """One sentence for each source that lacks the score which orders the rows."""
    return [
        f"{row.source} is not ranked: {row.unavailable.get(ranking.sort, 'it has no value for this score')}."
        for row in ranking.rows
        if row.rank is None
    ]


def gaps(ranking: "Ranking") -> list[str]:
    """Why scores other than the sorting one are missing, one sentence a reason."""
    missing: dict[tuple[str, str], list[str]] = {}
    for row in ranking.rows:
        for score, reason in row.unavailable.items():
            if score != ranking.sort and score in ranking.scores:
                missing.setdefault((row.source, reason), []).append(score)
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (source, reason), scores in missing.items():
        by_reason.setdefault((listing(scores, most=6), reason), []).append(source)
    return [f"No {scores} for {listing(sources)}: {reason}." for (scores, reason), sources in by_reason.items()]


def course(ranking: "Ranking") -> list[str]:
    """What a search that spared passes cost, and who was dropped when; nothing where every source saw everything."""
    if ranking.search is None or not ranking.search.partial:
        return []
    noun = NOUNS[ranking.target.kind]
    return [cost(ranking.search, noun), *departures(ranking.search, noun)]


def fine_tunings(ranking: "Ranking") -> list[str]:
    """What the trainings of a race reached, the best of each source, in a sentence."""
    best = {one.source: one for one in reversed(ranking.fine_tuned)}
    parts = [f"{name} {one.quality:.3f} ({plural(one.epochs, 'epoch')})" for name, one in reversed(best.items())]
    if not parts:
        return []
    judged = plural(ranking.fine_tuned[0].judged, NOUNS[ranking.target.kind])
    spent = duration(sum(one.seconds for one in ranking.fine_tuned))
    return [f"Fine-tuned, judged on {judged} set aside: {', '.join(parts)}. The trainings took {spent}."]


def passes(ranking: "Ranking") -> list[str]:
    """What there is to know of the forward passes, each note once, with the sources it holds for."""
    found: dict[str, list[str]] = {}
    for row in ranking.rows:
        for note in row.notes:
            found.setdefault(note, []).append(row.source)
    return [f"{listing(sources)}: {note.rstrip('.')}." for note, sources in found.items()]


def caveats(ranking: "Ranking") -> list[str]:
    """The scores' own notes, one sentence a score; notes that differ only in numbers are merged."""
    sentences = []
    for score in ranking.scores:
        alike: dict[tuple[str, ...], list[tuple[str, str]]] = {}  # the words of a note -> (source, note)
        rows = [row for row in ranking.rows if score in row.scores]
        for row in rows:
            for note in row.scores[score].notes:
                alike.setdefault(tuple(NUMBER.split(note)), []).append((row.source, note))
        parts = []
        for held in alike.values():
            part = _span([note for _, note in held])
            parts.append(part if len(held) == len(rows) else f"{part} ({listing([source for source, _ in held])})")
        sentences += [f"{score}: {'; '.join(parts)}."] if parts else []
    return sentences


def _span(notes: Sequence[str]) -> str:
    """Notes of the same words as one: each number that differs becomes a range."""
    words = NUMBER.split(notes[0])
    numbers = zip(*(NUMBER.findall(note) for note in notes), strict=True)
    ranges = []
    for held in numbers:
        low, high = min(held, key=float), max(held, key=float)
        ranges.append(low if low == high else f"{low} to {high}")
    return "".join(part for pair in zip_longest(words, ranges, fillvalue="") for part in pair)


def legend(ranking: "Ranking") -> str:
    """How to read the table."""
    parts = ["Higher is better."]
    if any(row.low is not None for row in _shown(ranking.rows, ranking.scores)):
        parts.append("± is half the 95 % interval.")
    if any(row.rank_low != row.rank_high for row in ranking.rows):
        parts.append("Brackets hold the 95 % intervals of the ranks, all at once.")
    if sum(row.rank is not None for row in ranking.rows) > 1:
        shown = [row.forecast for row in ranking.rows if row.forecast]
        if shown:
            metric = shown[0].metric.replace("_", " ")
            means = MEANS[ranking.goal]
            parts.append(f"forecast is the {metric} of {means} on fresh data, ± half its 90 % interval.")
        whose = {"head": "that its head will be", "fine-tune": "that it will be, fine-tuned,"}[ranking.goal]
        parts.append(f"best is the probability {whose if shown else 'of being'} the best.")
    if ranking.search and ranking.search.partial:
        parts.append("Rows with fewer examples come later; their scores do not compare with those above.")
    return " ".join(parts)


def _shown(rows: Sequence["RankedSource"], scores: Sequence[str]) -> list["ScoreRow"]:
    return [row.scores[score] for row in rows for score in scores if score in row.scores]


def heading(ranking: "Ranking") -> Prose:
    """What was ranked on, and below it what was guessed, skipped or set aside."""
    skipped = len(ranking.target.skipped)
    notes = [*ranking.target.notes, *ranking.notes]
    notes += (
        [f"{plural(skipped, 'unreadable example')} skipped: {listing(list(ranking.target.skipped))}"] if skipped else []
    )
    return Prose(tuple(notes), "quiet", f"{ranking.target.name}: {description(ranking)}")


def remarks(ranking: "Ranking") -> list[Prose]:
    """The sentences below the table; empty groups are left out."""
    search = ranking.search
    groups: list[tuple[Tone, list[str]]] = [
        ("title", [ties(ranking) or "", dissent(ranking)] if ranking.rows else ["No model could be ranked."]),
        ("plain", [*fine_tunings(ranking), *outlook(ranking)]),
        ("warning", [*(unreached(search) if search else []), *verdicts(ranking), *unscored(ranking)]),
        ("quiet", [f"Sorted by {ranking.sort}: {ranking.sort_reason}. {legend(ranking)}"] if ranking.rows else []),
        ("quiet", [*spared(ranking.left_out), *course(ranking), *gaps(ranking), *caveats(ranking), *passes(ranking)]),
        ("failure", told(ranking.failures)),
    ]
    return [Prose(said, tone) for tone, sentences in groups if (said := tuple(filter(None, sentences)))]


def description(ranking: "Ranking") -> str:
    """What was ranked on: "1,000 images in 10 classes, train split"."""
    target = ranking.target
    return size(target.n, target.kind, target.classes, target.split)


def size(n: int, kind: str, classes: Sequence[str], split: str | None) -> str:
    """How much labelled data there is, as in `description`."""
    text = plural(n, NOUNS[kind])
    if classes:
        text += f" in {plural(len(classes), 'class', 'classes')}"
    return text + (f", {split} split" if split else "")
