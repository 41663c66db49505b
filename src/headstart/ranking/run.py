"""`rank`: from labelled data and a list of models to an honest ranking."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Unpack

from headstart.data import summarize
from headstart.data.media import MEDIA
from headstart.data.provenance import provenance, target_hash
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.errors import InputError
from headstart.ranking.attempt import Course
from headstart.ranking.auto import AUTO
from headstart.ranking.budget import Deadline, seconds_of
from headstart.ranking.build import build
from headstart.ranking.entrants import from_arrays, from_candidates
from headstart.ranking.inputs import Inputs, open_inputs
from headstart.ranking.methods import All, Halving, Race, check_scores, method_of
from headstart.ranking.order import check_name, choose_scores, choose_sort, examples_each
from headstart.ranking.rounds import Entrant, Rounds
from headstart.records import Ranking, check_destination
from headstart.runner import Progress, listener, on_workers
from headstart.stats import jackknife_groups
from headstart.store import folder_of

if TYPE_CHECKING:
    from headstart.sources.lookup import Model

Path_ = str | os.PathLike[str]


def rank(
    target: object,
    models: "Model | Sequence[Model] | None" = None,
    *,
    scores: str | Sequence[str] | None = None,
    sort: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    search: str | All | Race | Halving = "all",
    time_budget: float | str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    cache: Path_ | bool | None = True,
    trust_pickle: bool = False,
    out: Path_ | None = None,
    report: Path_ | None = None,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
    **options: Unpack[ReadingOptions],
) -> Ranking:
    """Rank source models on labelled data: one forward pass each, no training.

    Args:
        target: A folder of class folders, a zip of one, a table, a data set's name, arrays, a torch data set, or what
            `headstart.data.open_target` made. Arrays of features and probabilities (a `.npz`, several of them or a
            folder of them, or a mapping of arrays) are ranked as they are, without models.
        models: Names (`zoo`, `timm/resnet*`, `local-dir:PATH`, ...), modules or sources.
        scores: Names of scores, also as one text with commas; those marked as default if None.
        sort: The score that orders the rows; chosen by a rule that the ranking states if None, and by that of
            `headstart.ranking.auto` if "auto" (which may also stand in `scores`).
        limit: Use so many examples, stratified by class.
        seed: For the examples kept, the jackknife groups and the draws behind rank intervals.
        search: "all" scores every source on every example. "race" scores them on growing parts of the examples and
            drops a source once it is surely below another: the best one is lost with probability at most 5 %, over all
            rounds and comparisons. "halving" drops the worse half after each round, within a fifth of the forward
            passes. `headstart.ranking.Race` and `Halving` take other numbers.
        time_budget: Stop after so many seconds (90, "60s", "5m", "1h") with the best answer so far. Parts of the
            examples then grow, with every search; sources that the time did not suffice for are listed.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: Examples per forward pass; what fits the memory if None.
        workers: Processes that measure sources side by side. The ranking is the same to the last digit if each has as
            many threads (`OMP_NUM_THREADS`); without that setting they share the processors. In a script, call `rank`
            under `if __name__ == "__main__":`.
        cache: True keeps forward passes in the usual place, False or None nowhere, a path there.
        trust_pickle: Load checkpoints that can run code.
        out: Write the records into this folder.
        report: Write a self-contained page there.
        reading: How the target is read: columns, split, task and so on, as one `headstart.Reading`.
        progress: None shows how far the search is, in a terminal or notebook only; True shows it everywhere, False
            nowhere. A function is called with each `headstart.runner.Event` instead.
        command: What to record as the command; this call if None.
        options: The fields of `reading` as keywords: `text_column`, `image_column`, `label_column`, `split`, `task`,
            `root`, `download` and `max_bad`.

    Returns:
        The ranking. A source that breaks is among its `failures`; if all do, it has no rows and nothing is written.

    Raises:
        InputError: An option, the target or a score's name does not fit.
        ModelError: A model's name does not exist.
        CacheError: The cached rows of a source cannot be used. (A full or read-only cache is a note.)
        WriteError: `out` or `report` cannot be written.

    Example:
        >>> import numpy as np
        >>> labels = np.arange(60) % 3
        >>> features = np.eye(3)[labels] + 0.5 * np.random.default_rng(0).standard_normal((60, 3))
        >>> rank({"features": features, "labels": labels}, scores="knn").best
        'arrays'
    """
    how = reading_of(reading, options, rank)
    deadline = Deadline.after(seconds_of(time_budget))
    method = method_of(search, timed=deadline.seconds is not None)
    names = _names(scores)
    _check_names(names, sort)
    sort = sort or (AUTO if AUTO in (names or ()) else None)
    _check_numbers(limit, batch_size, seed, workers)
    for path, folder in ((out, True), (report, False)):
        check_destination(path, folder=folder)
    inputs = open_inputs(target, how, most=limit, seed=seed)
    shown = choose_scores(names, sort, inputs.target.task)
    check_scores(method, shown, None if sort == AUTO else sort)
    course = Course(
        target=inputs.target,
        groups=jackknife_groups(len(inputs.target.labels), seed=seed),
        scores=shown,
        seed=seed,
        device=device if inputs.extractions else _device(device),
        batch_size=batch_size,
        cache=None if inputs.extractions else folder_of(cache),
        max_bad=how.max_bad,
        trust_pickle=trust_pickle,
    )
    again = deadline.seconds is not None or not isinstance(method, All)
    entrants = _entrants(inputs, models, again=again)
    each = examples_each(len(inputs.target), inputs.target.classes)
    choose = partial(choose_sort, course.scores, sort=sort, asked=names is not None, each=each)
    tell = listener(False if inputs.extractions else progress)  # arrays take no time worth following
    if workers > 1:
        target_hash(inputs.target)  # worker processes get the digests with the target, instead of each making them
    with _rows_kept(course, again and not inputs.extractions) as kept, on_workers(workers) as on:
        found = Rounds(entrants, method, kept, choose, tell, deadline, on).run()
    skipped = {name: why for one in found.measurements for name, why in one.skipped.items()}
    ranking = build(
        summarize(inputs.target, skipped),
        found.measurements,
        found.failures,
        scores=course.scores,
        sort=sort,
        asked=names is not None,
        seed=seed,
        provenance=provenance(
            inputs.target,
            command=command or describe_call(target, models, names, sort, limit, seed, search, deadline.seconds, how),
            seed=seed,
            source_hashes={one.source: one.fingerprint for one in found.measurements},
            device=course.device,
        ),
        search=found.search,
        staged=found.staged,
    )
    _write(ranking, out, report)
    return ranking


def _names(scores: str | Sequence[str] | None) -> list[str] | None:
    if scores is None:
        return None
    parts = scores.split(",") if isinstance(scores, str) else list(scores) if isinstance(scores, Iterable) else [scores]
    if not all(isinstance(part, str) for part in parts):
        raise InputError(f"`scores` must be names of scores; got {scores!r}.")
    return [part.strip() for part in parts if part.strip()]


def _check_names(names: Sequence[str] | None, sort: str | None) -> None:
    """Say at once, not after an hour, that a name is wrong."""
    for name in (*(names or ()), *((sort,) if sort else ())):
        check_name(name)


def _check_numbers(limit: int | None, batch_size: int | None, seed: int, workers: int) -> None:
    for name, value, low, unit in (
        ("limit", limit, 1, " example"),
        ("batch_size", batch_size, 1, " example"),
        ("seed", seed, 0, ""),
        ("workers", workers, 1, " process"),
    ):
        if value is not None and not isinstance(value, Integral):
            raise InputError(f"`{name}` must be a whole number; got {value}.")
        if value is not None and value < low:
            raise InputError(f"`{name}` must be at least {low}{unit}; got {value}.")


def _device(name: str) -> str:
    """The device that is meant; one that is not there is refused before any source is tried."""
    from headstart.extract.device import pick_device

    return str(pick_device(name))


def _entrants(inputs: Inputs, models: "Model | Sequence[Model] | None", *, again: bool) -> list[Entrant]:
    """The sources: those of the arrays, or those that `models` names."""
    if inputs.extractions:
        if models is not None:
            raise InputError("the target holds arrays, which are ranked as they are; leave out `models`.")
        return from_arrays(inputs.extractions)
    if models is None:
        raise InputError(
            f"`models` is missing: name the sources to rank on {inputs.target.kind} data, for example "
            f"`{MEDIA[inputs.target.kind].model}`."
        )
    from headstart.sources import candidates

    return from_candidates(candidates(models, kind=inputs.target.kind), again=again)


@contextmanager
def _rows_kept(course: Course, again: bool) -> Iterator[Course]:
    """The course with a place for rows: a search in rounds must not compute any twice, cache or not."""
    if course.cache is not None or not again:
        yield course
        return
    with TemporaryDirectory(prefix="headstart-", ignore_cleanup_errors=True) as folder:
        yield replace(course, cache=Path(folder))


def _write(ranking: Ranking, out: Path_ | None, report: Path_ | None) -> None:
    if not ranking.rows or ranking.rows[0].rank is None:
        return
    if out is not None:
        ranking.save(out)
    if report is not None:
        from headstart.report import write_report

        write_report(ranking, report)


def describe_call(
    target: object,
    models: object,
    scores: Sequence[str] | None,
    sort: str | None,
    limit: int | None,
    seed: int,
    search: object = "all",
    time_budget: float | None = None,
    reading: Reading | None = None,
) -> str:
    """This call as Python, with objects shown by their type: what the record calls the command.

    Example:
        >>> describe_call("photos/", ["zoo"], None, None, 100, 0)
        "headstart.rank('photos/', models=['zoo'], limit=100, seed=0)"
    """
    shown = [_shown(target)]
    if models is not None:
        shown.append(f"models={_shown(models)}")
    shown += [f"scores={list(scores)!r}"] if scores is not None else []
    shown += [f"sort={sort!r}"] if sort else []
    shown += [f"limit={limit}"] if limit is not None else []
    shown += [f"seed={seed}"]
    shown += [f"search={search!r}"] if search != "all" else []
    shown += [f"time_budget={time_budget:g}"] if time_budget is not None else []
    shown += [f"{name}={_shown(value)}" for name, value in (reading.given() if reading else {}).items()]
    return f"headstart.rank({', '.join(shown)})"


def _shown(value: object) -> str:
    if isinstance(value, str | os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, list | tuple) and len(value) <= 50:
        return f"[{', '.join(_shown(part) for part in value)}]"
    return repr(value) if isinstance(value, bool | int | float) else f"<{type(value).__name__}>"
