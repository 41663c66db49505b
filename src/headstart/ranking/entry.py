"""`rank`: from labelled data and a list of models to a ranking with intervals."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Unpack

from headstart.data import summarize
from headstart.data.provenance import marks, provenance, target_hash
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.errors import InputError, check_whole
from headstart.ranking.attempt import SHARD, Course, check_precision, from_arrays, from_candidates
from headstart.ranking.build import build
from headstart.ranking.fine_tuned import priced, raced
from headstart.ranking.forecasts import Calibration
from headstart.ranking.history import calibration_of
from headstart.ranking.inputs import Inputs, open_inputs
from headstart.ranking.measure import Measurement
from headstart.ranking.methods import All, Halving, Race
from headstart.ranking.order import ALL, choose_sort
from headstart.ranking.rounds import Found, Rounds, together
from headstart.ranking.shortlist import Names, Shortlist, Wishes, shortlist_of
from headstart.ranking.wanted import Wanted, chosen_scores, wanted_of
from headstart.records import History, LeftOut, Ranking, check_destination
from headstart.runner import Progress, Workers, listener, on_workers, workers_of
from headstart.stats import jackknife_groups
from headstart.store import folder_of

if TYPE_CHECKING:
    from headstart.sources import Candidate
    from headstart.sources.lookup import Model

StrPath = str | os.PathLike[str]


def rank(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    scores: str | Sequence[str] | None = None,
    sort: str | None = None,
    goal: str = "head",
    metric: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    search: str | All | Race | Halving = "all",
    time_budget: float | str | None = None,
    shortlist: int | None = None,
    exclude: Names = None,
    licence: Names = None,
    device: str = "auto",
    batch_size: int | None = None,
    precision: str = "fp32",
    workers: Workers = 1,
    cache: StrPath | bool | None = True,
    trust_pickle: bool = False,
    out: StrPath | None = None,
    report: StrPath | None = None,
    costs: bool = False,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
    history: StrPath | None = None,
    **options: Unpack[ReadingOptions],
) -> Ranking:
    """Rank source models on labelled data: one forward pass each, no training.

    Args:
        target: Whatever `headstart.open_target` reads, or a target that it opened. Arrays of features and probabilities
            (a `.npz`, several of them, a folder of them, or a mapping of arrays) are ranked without models.
        models: Names (`zoo`, `timm/resnet*`, `local-dir:PATH`, ...), modules or sources. None, or "auto", stands for
            the models on this machine and, with a network, the best of timm for their size; at most 24 of them.
        scores: Names of scores, as a list or one text with commas, or "all"; the default ones if None.
        sort: The score that orders the rows. If None, `leep_pooled` where every source has features, otherwise
            `leep_gaussian`, or the first of `scores` that every source has; "auto" ignores `scores` in this.
        goal: "head" (on frozen features) or "fine-tune": decides order, first forecast and probability of being best.
        metric: What the forecasts are of: accuracy by default; balanced_accuracy, macro_f1; R2 for amounts.
        limit: Use this many examples, stratified by class.
        seed: For the examples kept, the jackknife groups and the draws behind rank intervals.
        search: "all"; "race" or "halving": score growing parts and drop what is surely below another or the worse half;
            "fine-tune" trains the first eight too, of which the worse half stops after 2, 5 and 10 of 20 epochs.
            `Race(...)` and `Halving(...)` set other values.
        time_budget: Stop after this time (90 seconds, "60s", "5m", "1h") with the best answer so far.
        shortlist: Rank at most this many: the likeliest of each family, then the winner's family; see `left_out`.
        exclude, licence: Leave out models whose names fit these globs, or whose licence is known and none of these.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: Examples per forward pass; as many as fit in memory if None.
        precision: "fp32", or "bf16": forward passes that are faster on many GPUs, and cached apart.
        workers: Processes, "ray" or "ray://HOST:PORT". In a script, call `rank` under `if __name__ == "__main__":`.
        cache: True keeps forward passes in the default folder, a path keeps them there, False or None keeps none.
        trust_pickle: Load checkpoints that can run code.
        out, report: Write the records into this folder, and a self-contained HTML page to this path.
        costs: Measure on a few steps how long a head and fine-tuning take, and how much memory.
        reading: How the target is read: columns, split, task and so on.
        progress: None shows it in a terminal or notebook, True everywhere, False nowhere; a function gets each `Event`.
        command: What to record as the command; this call if None.
        history: Keep the ranking in this folder, and forecast by what `headstart calibrate` learnt there.
        options: The fields of `reading` as keywords.

    Returns:
        The ranking. Sources that fail are its `failures`; if all fail, there are no rows and nothing is written.

    Raises:
        InputError, ModelError, CacheError, WriteError: Something that was given cannot be read, used or written.

    Example:
        >>> import numpy as np
        >>> labels = np.arange(60) % 3
        >>> features = np.eye(3)[labels] + 0.5 * np.random.default_rng(0).standard_normal((60, 3))
        >>> rank({"features": features, "labels": labels}, scores="knn").best
        'arrays'
    """
    how = reading_of(reading, options, rank)
    wanted = wanted_of(scores, sort, goal, search, time_budget, costs)
    kept_in, workers = None if history is None else History(history), workers_of(workers)
    check_whole(1, limit=limit, batch_size=batch_size)
    check_whole(0, seed=seed)
    _check_places(out, report)
    inputs = open_inputs(target, how, most=limit, seed=seed)
    shown = chosen_scores(inputs, wanted, metric)
    course = _course(inputs, shown, seed, device, batch_size, cache, how.max_bad, trust_pickle, metric, precision)
    listed = _shortlist(inputs, models, Wishes(shortlist, exclude, licence), wanted)
    found, left_out = _searched(inputs, listed, course, wanted, progress, workers)
    call: dict[str, object] = {
        "models": models, "scores": wanted.names, "sort": wanted.sort, "metric": metric, "limit": limit,
        "goal": None if wanted.goal == "head" else wanted.goal, "seed": seed, "shortlist": shortlist,
        "exclude": exclude, "licence": licence, "search": None if search == "all" else search,
        "time_budget": wanted.seconds, "precision": None if precision == "fp32" else precision, **how.given(),
    }  # fmt: skip
    command = command or _describe_call(target, call)
    ranking = _ranking(course, found, wanted.goal, calibration_of(kept_in), command, left_out)
    if listed is not None:
        ranking = _trained(ranking, course, [*listed.first, *listed.waiting], wanted, listener(progress), out)
    _write(ranking, out, report, kept_in)
    return ranking


def _trained(
    ranking: Ranking,
    course: Course,
    models: "Sequence[Candidate]",
    wanted: Wanted,
    tell: Progress,
    out: StrPath | None,
) -> Ranking:
    """The ranking after the training of models that was asked for: a race, and a few steps to know the cost."""
    if wanted.tunes:
        ranking = raced(ranking, course, models, wanted.whole, tell, None if out is None else Path(out))
    return priced(ranking, course, models, tell) if wanted.costs else ranking


def _course(
    inputs: Inputs,
    scores: tuple[str, ...],
    seed: int,
    device: str,
    batch_size: int | None,
    cache: StrPath | bool | None,
    max_bad: float,
    trust_pickle: bool,
    metric: str | None,
    precision: str,
) -> Course:
    """What all sources have in common; arrays need neither a cache nor a device."""
    place = None if inputs.extractions else folder_of(cache)
    check_precision(precision)
    where = device if inputs.extractions else _device(device)
    groups = jackknife_groups(len(inputs.target.labels), seed=seed)
    beside = (batch_size, place, max_bad, trust_pickle, metric, precision)
    return Course(inputs.target, groups, scores, seed, where, *beside)


def _check_places(out: StrPath | None, report: StrPath | None) -> None:
    """Refuse places that cannot be written before any work."""
    check_destination(out, folder=True)
    check_destination(report, folder=False)


def _ranking(
    course: Course,
    found: Found,
    goal: str,
    calibration: Calibration | None,
    command: str,
    left_out: tuple[LeftOut, ...],
) -> Ranking:
    """What the search found, in order, with how to repeat it."""
    target = course.target
    skipped = {name: why for one in found.measurements for name, why in one.extraction.skipped.items()}
    built = build(
        summarize(target, skipped),
        found.measurements,
        found.failures,
        scores=course.scores,
        sort=found.sort,
        seed=course.seed,
        provenance=provenance(
            target,
            command=command,
            seed=course.seed,
            source_hashes={one.source: one.extraction.fingerprint for one in found.measurements},
            device=_device_used(course, found),
        ),
        search=found.search,
        staged=found.staged,
        seen=marks(target),
        goal=goal,
        calibration=calibration,
    )
    return replace(built, left_out=left_out)


def _device(name: str) -> str:
    """The device to use; a missing one is refused before any source is tried, and "auto" is chosen for the first."""
    if name in ("auto", "cpu"):  # known without torch, which a ranking from the cache does not load
        return name
    from headstart.extract.device import pick_device

    return str(pick_device(name))


def _device_used(course: Course, found: Found) -> str:
    """The device of the passes; as it was asked for where every row was cached."""
    if course.device != "auto" or not any(one.extraction.computed for one in found.measurements):
        return course.device
    from headstart.extract.device import pick_device

    return str(pick_device(course.device))


def _shortlist(
    inputs: Inputs, models: "Model | Sequence[Model] | None", wishes: Wishes, wanted: Wanted
) -> Shortlist | None:
    """The models to rank, cut as wished; None where the target holds arrays."""
    if inputs.extractions:
        if models is not None or wishes.any:
            given = "models" if models is not None else "shortlist`, `exclude` or `licence"
            raise InputError(f"the target holds arrays, which are ranked without models; leave out `{given}`.")
        return None
    return shortlist_of(models, inputs.target, wishes, wanted.deadline.left)


def _searched(
    inputs: Inputs,
    listed: Shortlist | None,
    course: Course,
    wanted: Wanted,
    progress: Progress | bool | None,
    workers: Workers,
) -> tuple[Found, tuple[LeftOut, ...]]:
    """The search, with a place for rows and the processes that it needs."""
    again = wanted.deadline.seconds is not None or not isinstance(wanted.method, All)
    again = again or bool(listed and listed.waiting)
    asked = wanted.names is not None and ALL not in wanted.names
    choose = partial(choose_sort, course.scores, sort=wanted.sort, asked=asked, goal=wanted.goal)
    tell = listener(False if inputs.extractions else progress)  # arrays are ranked too fast to follow
    if workers != 1:
        target_hash(inputs.target)  # now each worker receives the digests instead of computing them
    kept_there = not inputs.extractions and (again or (workers != 1 and len(inputs.target) > SHARD))
    share = None if course.device == "cpu" else attrgetter("gpu")
    with _rows_kept(course, kept_there) as kept, on_workers(workers, share) as on:
        run = partial(
            Rounds, method=wanted.method, course=kept, choose=choose, tell=tell, deadline=wanted.deadline, on=on
        )
        return _whole_search(inputs, listed, run, again=again)


def _whole_search(
    inputs: Inputs, listed: Shortlist | None, run: Callable[..., Rounds], *, again: bool
) -> tuple[Found, tuple[LeftOut, ...]]:
    """The search; after the first race of a shortlist, once more with the family of the winner."""
    if listed is None:
        return run(from_arrays(inputs.extractions)).search(), ()
    entrants = from_candidates(listed.first, again=again)
    first = run(entrants)
    found = first.search()
    order = sorted(found.measurements, key=partial(_standing, score=found.sort[0]), reverse=True)
    later = [] if first.deadline.passed else listed.relatives([one.source for one in order])
    if later:
        failed = {one.source for one in found.failures}
        rivals = [one for one in entrants if one.name not in failed]
        second = run([*rivals, *from_candidates(later, again=again)], seen=first.seen).search()
        whole = [together(first.measured.get(one.source), one) for one in second.measurements]
        found = replace(second, measurements=whole, failures=(*found.failures, *second.failures))
    return found, listed.left_out(later)


def _standing(one: Measurement, score: str) -> tuple[int, float]:
    """How far a source came in a search, and its score there."""
    return len(one.extraction.ids), one.evaluations[score].value if score in one.evaluations else -math.inf


@contextmanager
def _rows_kept(course: Course, again: bool) -> Iterator[Course]:
    """The course with a place for rows: a search in rounds must not compute any twice, cache or not."""
    if course.cache is not None or not again:
        yield course
        return
    with TemporaryDirectory(prefix="headstart-", ignore_cleanup_errors=True) as folder:
        yield replace(course, cache=Path(folder))


def _write(ranking: Ranking, out: StrPath | None, report: StrPath | None, history: History | None) -> None:
    if history is not None and ranking.rows:
        history.keep(ranking)
    if not ranking.rows or ranking.rows[0].rank is None:
        return
    if out is not None:
        ranking.save(out)
    if report is not None:
        from headstart.report import write_report

        write_report(ranking, report)


def _describe_call(target: object, given: Mapping[str, object]) -> str:
    """This call as Python, with objects shown by their type.

    Example:
        >>> _describe_call("photos/", {"models": ["zoo"], "limit": 100, "sort": None, "seed": 0})
        "headstart.rank('photos/', models=['zoo'], limit=100, seed=0)"
    """
    named = [f"{name}={_shown(value)}" for name, value in given.items() if value is not None]
    return f"headstart.rank({', '.join([_shown(target), *named])})"


def _shown(value: object) -> str:
    if isinstance(value, str | os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, list | tuple) and len(value) <= 50:
        return f"[{', '.join(_shown(part) for part in value)}]"
    if isinstance(value, float):
        return f"{value:g}"
    return repr(value) if isinstance(value, bool | int | All | Race | Halving) else f"<{type(value).__name__}>"
