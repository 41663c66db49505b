"""Measurements of many sources in, a `Ranking` out."""

import math
from collections.abc import Sequence
from dataclasses import replace

from headstart.ranking.forecasts import Calibration, forecasts, probability_best
from headstart.ranking.measure import SKILL, Measurement
from headstart.ranking.uncertainty import Staged, behind_error, estimate, ranks_of, verdict
from headstart.records import Failure, ModelCard, Provenance, RankedSource, Ranking, ScoreRow, Search, TargetSummary
from headstart.records.outcome import ClassResult
from headstart.scores import SCORES, Evaluation
from headstart.stats import PairedRanks
from headstart.tasks.by_class import by_class

NO_SPREAD = "the value is the same without any one group, so the interval has no width; that is not certainty"
DIFFERENT = "some sources could not read every example, so the sources are compared on slightly different ones"


def build(
    target: TargetSummary,
    measurements: Sequence[Measurement],
    failures: Sequence[Failure] = (),
    *,
    scores: Sequence[str],
    sort: tuple[str, str],
    seed: int = 0,
    provenance: Provenance,
    search: Search | None = None,
    staged: Staged | None = None,
    calibration: Calibration | None = None,
    seen: str = "",
    goal: str = "head",
) -> Ranking:
    """Order the sources by one score, with intervals of their ranks; sources without it come last, unranked.

    Args:
        target: What was scored on.
        measurements: One per source, in the order the user named them, all on the same examples and groups (unless
            `staged` says otherwise).
        failures: Sources that could not be scored.
        scores: Names of the scores, in the order of display.
        sort: The score that orders the rows, and why.
        seed: For the sign flips and draws behind the rank intervals.
        provenance: How to reproduce the numbers.
        search: How the sources were searched, for the record.
        staged: What each round of a search found, where sources left in different rounds.
        seen: Marks of the examples, for the record.
        calibration: What recorded transfers taught about forecasts; those that headstart ships by default.
        goal: What the sources are ranked for: "head" or "fine-tune".
    """
    score, reason = sort
    calibration = calibration or Calibration()
    scored = [one for one in measurements if score in one.evaluations]
    rows: list[RankedSource] = []
    notes: list[str] = []
    tied = 0
    if scored:
        ranks, notes = ranks_of(score, scored, staged, seed)
        first, tied = scored[int(ranks.order[0])], ranks.tied
        evidence = [one.evidence for one in scored if one.evidence]
        if len(evidence) == len(scored):  # the probability of the outcome, not of the score
            ranks = replace(ranks, probability_best=probability_best(evidence, calibration, goal, seed=seed))
        rows = [
            replace(
                _row(scored[s], scores, calibration, goal, target.n, ranks, s),
                behind_error=behind_error(score, scored[s], first),
            )
            for s in ranks.order
        ]
        rows[0] = replace(rows[0], by_class=_by_class(first, target.classes))
    rows += [_row(one, scores, calibration, goal, target.n) for one in measurements if score not in one.evaluations]
    last = measurements if staged is None else [one for one in measurements if one.source in staged.rounds[-1]]
    if len({one.extraction.ids for one in last}) > 1:
        notes.append(DIFFERENT)
    dropped = staged.dropped if staged else {}
    return Ranking(
        target=target,
        rows=tuple(replace(row, dropped=dropped.get(row.source, "")) for row in rows),
        sort=score,
        scores=tuple(scores),
        tied=tied,
        failures=tuple(failures),
        provenance=provenance,
        notes=tuple(notes),
        sort_reason=reason,
        search=search,
        seen=seen,
        goal=goal,
    )


def _by_class(one: Measurement, classes: Sequence[str]) -> tuple[ClassResult, ...]:
    """How each class that occurs fares in left-out predictions from the features; nothing without classes."""
    if one.evidence is None or one.evidence.chosen is None:
        return ()
    return tuple(row for row in by_class(one.extraction.labels, one.evidence.chosen, classes)[0] if row.n)


def _row(
    measurement: Measurement,
    scores: Sequence[str],
    calibration: Calibration,
    goal: str,
    given: int,
    ranks: PairedRanks | None = None,
    place: int = 0,
) -> RankedSource:
    evidence = measurement.evidence
    seen = () if evidence is None else (evidence.gains, evidence.chance)
    words, against = verdict(measurement.evaluations.get(SKILL), *seen)
    found, run = measurement.evaluations, measurement.extraction
    return RankedSource(
        source=run.source,
        rank=None if ranks is None else int(ranks.rank[place]),
        rank_low=None if ranks is None else int(ranks.low[place]),
        rank_high=None if ranks is None else int(ranks.high[place]),
        probability_best=None if ranks is None else float(ranks.probability_best[place]),
        scores={name: _score_row(run.source, name, found[name]) for name in scores if name in found},
        unavailable=dict(measurement.unavailable),
        card=run.card or ModelCard(run.source, "arrays"),
        forward_seconds=run.seconds,
        examples_per_second=run.computed / run.seconds if run.computed and run.seconds > 0 else None,
        computed=run.computed,
        layer=run.layer,
        verdict=words,
        advised_against=against,
        head=measurement.head,
        engine=run.engine,
        notes=run.notes,
        examples=len(run.ids),
        forecasts=forecasts(evidence, calibration, goal, given) if evidence else (),
        probe=evidence.probe if evidence else None,
    )


def _score_row(source: str, name: str, evaluation: Evaluation) -> ScoreRow:
    """Value, error and interval; the interval stays inside the score's range."""
    score = SCORES[name]
    found = estimate(evaluation)
    if found is None:
        return ScoreRow(source, name, evaluation.value, None, None, None, evaluation.seconds, evaluation.notes)
    notes = (*evaluation.notes, NO_SPREAD) if found.standard_error == 0 else evaluation.notes
    low = found.low if math.isinf(score.low) else max(found.low, min(score.low, found.value))
    high = found.high if math.isinf(score.high) else min(found.high, max(score.high, found.value))
    return ScoreRow(source, name, found.value, found.standard_error, low, high, evaluation.seconds, notes)
