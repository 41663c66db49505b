"""`run`: rank models, transfer the promising ones while the budget lasts, and prove the gain on one untouched part."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

from headstart.data import Reading
from headstart.data.media import MEDIA
from headstart.data.provenance import marked, marks
from headstart.data.reading import ReadingOptions, reading_of
from headstart.errors import InputError
from headstart.project.attempts import Attempt, Attempts
from headstart.ranking import rank
from headstart.ranking.budget import Deadline, seconds_of
from headstart.records import Project, RankedSource, Ranking, check_destination
from headstart.runner import Progress, listener
from headstart.sources import candidates
from headstart.transfers.parts import Parts, split_target

if TYPE_CHECKING:
    from headstart.sources import Candidate
    from headstart.sources.lookup import Model

LOOKING = 0.4  # share of the budget for ranking
FEWEST, ENOUGH = 2, 200  # models and examples that are ranked however short the time
RIVALS = 3  # heads at most, beside the first
HOPE = 0.05  # probability of being the best from which a source that ties with the first is transferred too


def run(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    out: str | os.PathLike[str] | None = None,
    budget: float | str | None = None,
    metric: str | None = None,
    test: object = None,
    limit: int | None = None,
    seed: int = 0,
    device: str = "auto",
    cache: str | os.PathLike[str] | bool | None = True,
    trust_pickle: bool = False,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
    history: str | os.PathLike[str] | None = None,
    **options: Unpack[ReadingOptions],
) -> Project:
    """Choose a model for labelled data, transfer it, and prove on untouched examples what that gained.

    A test part is set aside first and takes part in nothing. The rest ranks the models by a race, whose forecasts say
    what each will reach. Then, while the budget lasts, in this order: a head on the model that is most likely to be the
    best, heads on those that may be, fine-tuning of the first where that is forecast to reach more, and training of its
    network from scratch. The best on the validation part is kept; the test part only reports. Where the time allows,
    two more seeds of it and of training from scratch give a verdict on the gain.

    Args:
        target: Whatever `rank` reads. Its own test part is used if it has one.
        models: As in `rank`; the bundled zoo for images if None.
        out: A folder for everything: the ranking, each run, `model` (the best so far, for `predict`), `project.json`
            and `report.html`. The same call resumes.
        budget: Time, such as "30m"; what no longer fits is left out and listed. Without one everything runs.
        metric: What is forecast; the task's first metric if None.
        test: A test part that lies elsewhere.
        limit: Use this many training examples, stratified.
        seed: Of every random choice.
        command: What to record as the command.
        history: Keep the rankings and outcomes in this folder, and forecast by what `headstart calibrate` learnt there.
        device, cache, trust_pickle, reading, progress, options: As in `headstart.rank`.

    Raises:
        InputError: There is nothing to test on, no model could be ranked, an option cannot be used, or `out` holds a
            project on other examples.
    """
    deadline = Deadline.after(seconds_of(budget))
    check_destination(None if out is None else Path(out), folder=True)
    tell = listener(progress)
    parts = split_target(target, test=test, most=limit, split_seed=seed, reading=reading_of(reading, options, run))
    if parts.test is None:
        raise InputError(f"{parts.train.name} has too few examples to set a test part aside: every class needs three.")
    if models is None and not MEDIA[parts.train.kind].pictures:
        raise InputError(
            f"`models` is missing: name models for {parts.train.kind} data, for example "
            f"`{MEDIA[parts.train.kind].model}`."
        )
    if out is not None:
        _check_same_data(Path(out), parts)
    found = candidates("zoo" if models is None else models, kind=parts.train.kind)
    shared = {"seed": seed, "device": device, "cache": cache, "trust_pickle": trust_pickle, "command": command}
    shared["history"] = history
    with TemporaryDirectory() as spare:
        place = Path(out) if out is not None else Path(spare)
        ranking = _ranked(parts, found, deadline, shared | {"metric": metric, "progress": tell})
        ranking.save(place)
        by_name = {one.name: one for one in found}
        attempts = Attempts(parts, ranking, by_name, place, deadline, tell, shared)
        for one in plan(ranking):
            attempts.make(one)
        attempts.repeat()
        return attempts.project(final=True)


def _check_same_data(place: Path, parts: Parts) -> None:
    if not (place / "ranking.json").exists():
        return
    there = Ranking.load(place)
    if not marked(there.seen) <= marked(marks(parts.together)):
        raise InputError(
            f"{place} holds a ranking of other examples ({there.target.name}, {there.target.n} of them), which would "
            "be lost. Choose another folder, or repeat the call that made it to resume it."
        )


def _ranked(parts: Parts, models: "Sequence[Candidate]", deadline: Deadline, how: Mapping[str, Any]) -> Ranking:
    """A race over all models, then those that may be the best on all examples, so that forecasts are of what follows.

    Raises:
        InputError: No model could be ranked.
    """
    whole = parts.together
    raced = rank(whole, list(models), search="race", time_budget=_share(deadline), **how)
    if not raced.rows and not raced.failures:  # the time was up before the first model was loaded
        raced = rank(whole, list(models[:FEWEST]), limit=min(len(whole), ENOUGH), **how)
    if not raced.rows or raced.rows[0].rank is None:
        reasons = "; ".join(f"{one.source}: {one.reason}" for one in raced.failures[:3])
        raise InputError(f"none of the models could be ranked on {whole.name}. {reasons}")
    hopes = {row.source for row in contenders(raced)}
    if all(row.examples == len(whole) for row in raced.rows if row.source in hopes) or deadline.passed:
        return raced
    again = rank(whole, [one for one in models if one.name in hopes], time_budget=_share(deadline), **how)
    later = {row.source: row for row in again.rows if row.rank is not None}
    rows = [later.get(row.source, replace(row, probability_best=0.0)) for row in raced.rows]
    merged = [
        replace(row, rank=one.rank, rank_low=one.rank_low, rank_high=one.rank_high) for row, one in _placed(rows, raced)
    ]
    return replace(raced, rows=tuple(merged), tied=again.tied if again.rows else raced.tied)


def _share(deadline: Deadline) -> float | None:
    return None if deadline.seconds is None else max(1.0, LOOKING * deadline.left)


def _placed(rows: Sequence[RankedSource], raced: Ranking) -> list[tuple[RankedSource, RankedSource]]:
    """The rows, those scored again first and best first, beside the rows whose places they take."""
    order = sorted(rows, key=lambda row: -(row.probability_best or 0.0))
    return list(zip(order, raced.rows, strict=True))


def contenders(ranking: Ranking) -> list[RankedSource]:
    """The sources worth a transfer, the likeliest first: the first and the second, and those that may be the best."""
    ranked = [row for row in ranking.rows if row.rank is not None]
    hopes = sorted(ranked, key=lambda row: -(row.probability_best or 0.0))
    may = [row for row in hopes[2:] if row.rank_low == 1 and (row.probability_best or 0.0) >= HOPE]
    return [*hopes[:2], *may[: RIVALS - 1]]


def plan(ranking: Ranking) -> Iterator[Attempt]:
    """What to transfer, in order: what is most worth having comes first."""
    first, *rivals = contenders(ranking)
    yield Attempt(first.source, "head")
    for row in rivals[:1]:
        yield Attempt(row.source, "head")
    if promises(first):
        yield Attempt(first.source, "fine-tune")
    yield Attempt(first.source, "scratch")
    for row in rivals[1:]:
        yield Attempt(row.source, "head")


def promises(row: RankedSource) -> bool:
    """Whether fine-tuning is forecast to reach more than a head; also where nothing is forecast."""
    found = {one.method: one.value for one in reversed(row.forecasts)}
    return "fine-tune" not in found or found["fine-tune"] > found["head"]
