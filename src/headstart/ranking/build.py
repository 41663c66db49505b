"""Measurements of many sources in, a `Ranking` out."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headstart.ranking.interval import estimate
from headstart.ranking.measure import Measurement
from headstart.ranking.order import choose_sort, examples_each
from headstart.ranking.staged import Staged, ranks_by_stage
from headstart.ranking.verdicts import SCORE as SKILL
from headstart.ranking.verdicts import verdict
from headstart.records import Failure, Provenance, RankedSource, Ranking, ScoreRow, Search, TargetSummary
from headstart.scores import SCORES, Evaluation
from headstart.stats import PairedRanks, jackknife, paired_ranks

NO_SPREAD = "the same value without any group, so the interval has no width; that is not certainty"


def build(
    target: TargetSummary,
    measurements: Sequence[Measurement],
    failures: Sequence[Failure] = (),
    *,
    scores: Sequence[str],
    sort: str | None = None,
    asked: bool = True,
    seed: int = 0,
    provenance: Provenance,
    notes: Sequence[str] = (),
    search: Search | None = None,
    staged: Staged | None = None,
) -> Ranking:
    """Order the sources by one score, with intervals of their ranks; those that lack it come last, without a rank.

    Args:
        target: What was scored on.
        measurements: One per source, in the order the user named them, all on the same examples and groups (unless
            `staged` says otherwise).
        failures: Sources that could not be scored.
        scores: Names of the scores, in the order of display.
        sort: The score that orders the rows; None: see `choose_sort`.
        asked: Whether the user named the scores.
        seed: For the sign flips and draws behind the rank intervals.
        provenance: How to make the same numbers again.
        notes: What the reader should know.
        search: How the sources were searched, for the record.
        staged: What each round of a search found, where sources left at different ones.
    """
    chosen, reason = (
        staged.sort
        if staged
        else choose_sort(
            scores,
            [one.evaluations for one in measurements],
            sort,
            asked=asked,
            each=examples_each(target.n, target.classes),
        )
    )
    scored = [one for one in measurements if chosen in one.evaluations]
    others = [one for one in measurements if chosen not in one.evaluations]
    remarks = list(notes)
    rows: list[RankedSource] = []
    tied = 0
    if scored:
        if staged and SCORES[chosen].needs not in ("card", "nothing"):
            ranks, doubt = ranks_by_stage(staged, [one.source for one in scored], seed), None
        else:
            ranks, doubt = _ranks(chosen, [one.evaluations[chosen] for one in scored], seed)
        remarks += [doubt] if doubt else []
        errors = _behind_errors(scored, chosen, int(ranks.order[0]))
        rows = [replace(_row(scored[s], scores, ranks, s), behind_error=errors[s]) for s in ranks.order]
        tied = ranks.tied
    if len({one.ids for one in measurements if not staged or one.source in staged.rounds[-1]}) > 1:
        remarks.append(
            "not every source could read every example, so the sources are compared on slightly different ones"
        )
    rows += [_row(one, scores) for one in others]
    dropped = staged.dropped if staged else {}
    return Ranking(
        target=target,
        rows=tuple(replace(row, dropped=dropped.get(row.source, "")) for row in rows),
        sort=chosen,
        scores=tuple(scores),
        tied=tied,
        failures=tuple(failures),
        provenance=provenance,
        notes=tuple(remarks),
        sort_reason=reason,
        search=search,
    )


def _ranks(score: str, evaluations: Sequence[Evaluation], seed: int) -> tuple[PairedRanks, str | None]:
    """Ranks by one score, and what stands against trusting them."""
    values = np.array([evaluation.value for evaluation in evaluations])
    deleted = [evaluation.deleted for evaluation in evaluations]
    known = [groups for groups in deleted if groups is not None]
    if len(known) == len(deleted):
        return paired_ranks(values, np.stack(known), seed=seed), None
    exact = paired_ranks(values, None)
    if SCORES[score].needs in ("card", "nothing"):
        return exact, None
    count = len(values)
    everything = PairedRanks(
        exact.rank, np.ones(count, np.int64), np.full(count, count), np.full(count, 1 / count), tied=count
    )
    return everything, f"{score} has no interval on so few examples, so nothing is known of the order beyond the values"


def _behind_errors(scored: Sequence[Measurement], score: str, first: int) -> list[float | None]:
    """Paired standard error of how far each source lies behind the first; None where a left-out group is unknown.

    Nor is it known where the two saw different numbers of examples, because one left a search early.
    """
    best, prefix = scored[first].evaluations[score], _prefix(scored[first])
    errors: list[float | None] = []
    for source in scored:
        one = source.evaluations[score]
        paired = one.deleted is not None and best.deleted is not None and len(one.deleted) == len(best.deleted)
        if not paired or _prefix(source) != prefix:
            errors.append(None)
        else:
            assert one.deleted is not None
            assert best.deleted is not None
            errors.append(jackknife(best.value - one.value, best.deleted - one.deleted).standard_error)
    return errors


def _prefix(measurement: Measurement) -> int:
    """How many examples the source was given, readable or not."""
    return len(measurement.ids) + len(measurement.skipped)


def _row(
    measurement: Measurement,
    scores: Sequence[str],
    ranks: PairedRanks | None = None,
    place: int = 0,
) -> RankedSource:
    words, against = verdict(measurement.evaluations.get(SKILL))
    return RankedSource(
        source=measurement.source,
        rank=None if ranks is None else int(ranks.rank[place]),
        rank_low=None if ranks is None else int(ranks.low[place]),
        rank_high=None if ranks is None else int(ranks.high[place]),
        probability_best=None if ranks is None else float(ranks.probability_best[place]),
        scores={
            name: _score_row(measurement.source, name, measurement.evaluations[name])
            for name in scores
            if name in measurement.evaluations
        },
        unavailable=dict(measurement.unavailable),
        card=measurement.card,
        forward_seconds=measurement.forward_seconds,
        examples_per_second=_speed(measurement),
        computed=measurement.computed,
        layer=measurement.layer,
        verdict=words,
        advised_against=against,
        head=measurement.head,
        engine=measurement.engine,
        notes=measurement.notes,
        examples=len(measurement.ids),
    )


def _speed(measurement: Measurement) -> float | None:
    if not measurement.computed or measurement.forward_seconds <= 0:
        return None
    return measurement.computed / measurement.forward_seconds


def _score_row(source: str, name: str, evaluation: Evaluation) -> ScoreRow:
    """Value, error and interval; the interval stays inside what the score can be."""
    score = SCORES[name]
    found = estimate(evaluation)
    if found is None:
        return ScoreRow(source, name, evaluation.value, None, None, None, evaluation.seconds, evaluation.notes)
    notes = (*evaluation.notes, NO_SPREAD) if found.standard_error == 0 else evaluation.notes
    low = found.low if math.isinf(score.low) else max(found.low, min(score.low, found.value))
    high = found.high if math.isinf(score.high) else min(found.high, max(score.high, found.value))
    return ScoreRow(source, name, found.value, found.standard_error, low, high, evaluation.seconds, notes)
