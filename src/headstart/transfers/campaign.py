"""Several methods and seeds on one target, with training from scratch beside them, compared."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headstart.errors import InputError, check_whole
from headstart.evaluation import evaluate
from headstart.records import Comparison, Evaluation, Failure, Outcome
from headstart.records.failure import in_prose
from headstart.records.options import options_of
from headstart.records.shown import Shown
from headstart.records.table import View
from headstart.runner import Event, Progress, Workers, listener, map, on_workers, workers_of
from headstart.sources.source import Source
from headstart.train.training import Training
from headstart.transfers.method import Method
from headstart.transfers.opening import Model, aware, class_of, open_parts, open_source
from headstart.transfers.parts import Parts
from headstart.transfers.run import Run
from headstart.transfers.saved import load
from headstart.transfers.setting import all_options, effective, given, methods_before, refuse_without_effect
from headstart.transfers.single import Preview, preview, transfer

FOR_A_VERDICT = 3  # seeds


@dataclass(frozen=True, eq=False, repr=False)
class Campaign(Shown):
    """All runs, and the comparison of each method with scratch where scratch was among them."""

    runs: tuple[Run, ...]
    comparisons: tuple[Comparison, ...]
    folders: tuple[Path, ...]  # of the runs, where they were kept
    failures: tuple[Failure, ...] = ()  # runs that ended in an error, by title, with the reason

    def view(self) -> View:
        """Results run by run, what each method gained over training from scratch, and which runs failed."""
        return [*self.evaluation.view(), *in_prose(self.failures, "run")]

    @property
    def evaluation(self) -> Evaluation:
        """The records of the runs, with the comparisons."""
        return Evaluation(tuple(run.outcome for run in self.runs), self.comparisons)


def campaign(
    target: object,
    model: Model,
    methods: Sequence[str | Method],
    *,
    seeds: int | None = None,
    seed: int = 0,
    scratch: bool = False,
    stop_behind: bool = False,
    workers: Workers = 1,
    out: str | os.PathLike[str] | None = None,
    margin: float = 0.01,
    progress: Progress | bool | None = None,
    **arguments: Any,
) -> Campaign:
    """Run every method with every seed, each method with the options that are its own.

    A run that fails does not end the others: it is one of the `failures`, unless all runs fail.

    Args:
        target: As in `transfer`.
        model: As in `transfer`.
        methods: Names of methods, methods with their options, or "auto".
        seeds: Number of seeds, counted up from `seed`; by default 3 with training from scratch, since a verdict needs
            several, and else 1. The parts of the target are the same for all of them.
        scratch: Train from scratch too, once per seed, and compare.
        stop_behind: Train from scratch first, and stop each other training once its validation accuracy is surely below
            that from scratch.
        workers: Processes that run side by side, "ray" or "ray://HOST:PORT". The numbers are the same to the last digit
            if each has as many threads as one process would have (`OMP_NUM_THREADS`). A model given as a module must be
            picklable.
        out: Folder for one run, or the folder above one folder per run (`METHOD-seed0`, ...).
        margin: The smallest difference that matters in the comparison.
        progress: As in `transfer`; "runs" is one more counter.
        arguments: As in `transfer`; a setting must belong to at least one of the methods.

    Raises:
        InputError: There is no method, or a setting has no effect with any of them; and what `transfer` raises, before
            the first run or where all runs fail.
    """
    found = _methods(methods, scratch, arguments)
    if seeds is None:
        seeds = FOR_A_VERDICT if "scratch" in found and len(found) > 1 else 1
    if stop_behind and "scratch" not in [_name_of(one) for one in found]:
        raise InputError("`stop_behind` compares with training from scratch; add `scratch=True`.")
    check_whole(1, seeds=seeds)
    tell, workers = listener(progress), workers_of(workers)
    parts, left = open_parts(target, arguments)
    parts = aware(parts, model)
    source = open_source(model, parts, trust_pickle=bool(left.get("trust_pickle")))
    with TemporaryDirectory() as spare:
        place = Path(out) if out is not None else Path(spare) if workers != 1 else None
        planned = _planned(found, seeds, seed, place)
        job = _Job(parts, source if workers == 1 else model, left, len(planned), tell if workers == 1 else None)
        rounds = [[one for one in planned if (_name_of(one.method) == "scratch") is first] for first in (True, False)]
        done, errors = dict[int, Run](), dict[int, Exception]()
        for part in rounds if stop_behind else [planned]:
            ended, failed = _carried_out(job, part, workers, source, tell)
            done, errors = done | ended, errors | failed
            if stop_behind:
                job = replace(job, against={run.outcome.seed: run.outcome for run in ended.values()})
    if not done:
        first = errors.pop(min(errors))
        for i, error in sorted(errors.items()):
            if str(error) != str(first):
                tell(Event("runs", len(planned), len(planned), f"{planned[i].name} failed: {error}"))
        raise first
    by_method = [[run for i, run in sorted(done.items()) if i % len(found) == k] for k in range(len(found))]
    return Campaign(
        tuple(run for _, run in sorted(done.items())),
        _compared([_name_of(one) for one in found], by_method, margin),
        tuple(one.folder for one in planned if out is not None and one.folder is not None and one.number in done),
        tuple(Failure.of(planned[i].name, error) for i, error in sorted(errors.items())),
    )


def previews(
    target: object,
    model: Model,
    methods: Sequence[str | Method],
    *,
    seed: int = 0,
    scratch: bool = False,
    **arguments: Any,
) -> Iterator[Preview]:
    """The plan of each method of `campaign` with the same arguments; data and model are opened once."""
    found = _methods(methods, scratch, arguments)
    parts, left = open_parts(target, arguments)
    parts = aware(parts, model)
    source = open_source(model, parts, trust_pickle=bool(left.get("trust_pickle")))
    left = {name: value for name, value in left.items() if name not in ("via", "via_method", "source_data")}
    for one in found:
        yield preview(parts, source, method=one, seed=seed, **_arguments_of(one, left))


@dataclass(frozen=True)
class _Planned:
    """One run of a campaign."""

    number: int
    name: str
    method: str | Method
    seed: int
    folder: Path | None


@dataclass
class _Job:
    """Carries out one run. A worker process leaves it in its folder, from which the driver reads it."""

    parts: Parts
    model: Model
    arguments: Mapping[str, Any]
    count: int
    tell: Progress | None  # None in a worker process
    against: Mapping[int, Outcome] = field(default_factory=dict)  # seed -> the training from scratch

    @cached_property
    def source(self) -> Source:
        """The model, opened once per process."""
        return open_source(self.model, self.parts, trust_pickle=bool(self.arguments.get("trust_pickle")))

    def __call__(self, one: _Planned) -> Run | None:
        """The run; None where it is to be read from its folder."""
        if self.tell is not None:
            self.tell(Event("runs", one.number, self.count, f"[{one.number + 1}/{self.count}] {one.name}"))
        run = transfer(
            self.parts,
            self.source,
            method=one.method,
            seed=one.seed,
            out=one.folder,
            progress=self.tell or False,
            against=self.against.get(one.seed),
            **_arguments_of(one.method, self.arguments),
        )
        return run if self.tell is not None else None


def _planned(methods: Sequence[str | Method], seeds: int, first: int, place: Path | None) -> list[_Planned]:
    """The runs in their order: every method with the first seed, then with the next."""
    several = len(methods) * seeds > 1
    planned: list[_Planned] = []
    for seed in range(first, first + seeds):
        for one in methods:
            name = f"{_name_of(one)}-seed{seed}" if several else _name_of(one)
            folder = place / name if place is not None and several else place
            planned.append(_Planned(len(planned), name, one, seed, folder))
    return planned


def _carried_out(
    job: _Job, planned: list[_Planned], workers: Workers, source: Source, tell: Progress
) -> tuple[dict[int, Run], dict[int, Exception]]:
    """The runs that finished and the errors of the others, by number."""
    done: dict[int, Run] = {}
    errors: dict[int, Exception] = {}
    with on_workers(workers) as on:
        for result in map(job, planned, on=on):
            one, said = result.item, "finished" if workers != 1 else ""
            if result.error is not None:
                errors[one.number] = result.error
                said = "failed"  # why is said at the end, once
            elif result.value is not None:
                done[one.number] = result.value
            else:
                assert one.folder is not None, "a worker leaves its run in a folder"
                made = {} if isinstance(one.method, str) else {one.method.name: type(one.method)}
                done[one.number] = load(one.folder, source=source, methods=made)
            ended = len(done) + len(errors)
            tell(Event("runs", ended, len(planned), f"[{ended}/{len(planned)}] {one.name} {said}" if said else ""))
    return done, errors


def _compared(names: Sequence[str], by_method: Sequence[list[Run]], margin: float) -> tuple[Comparison, ...]:
    """Each method with scratch, on its own: "auto" may have chosen one that is named too."""
    if "scratch" not in names:
        return ()
    scratch = by_method[names.index("scratch")]
    found: list[Comparison] = []
    for name, runs in zip(names, by_method, strict=True):
        both = {run.outcome.seed for run in runs} & {run.outcome.seed for run in scratch}
        mine = [run for run in (*runs, *scratch) if run.outcome.seed in both and run.predictions is not None]
        if name != "scratch" and mine:
            found += evaluate(mine, margin=margin)
    return tuple(found)


def _methods(methods: Sequence[str | Method], scratch: bool, arguments: Mapping[str, Any]) -> list[str | Method]:
    """The methods, each once, training from scratch among them where it is wanted.

    Raises:
        InputError: There is none, or a setting is out of its range or has no effect with any of them.
    """
    found = list(dict.fromkeys([*methods, *(["scratch"] if scratch else [])]))
    if not found:
        raise InputError("name at least one method.")
    first = methods_before(arguments)
    settings = given({name: value for name, value in arguments.items() if name in all_options()})
    if "auto" not in found:  # else it is not known yet which method takes the settings; `transfer` checks
        refuse_without_effect(settings, [class_of(one) for one in found], first)
    return found


def _arguments_of(method: str | Method, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for one method: not the settings that only others have."""
    if method == "auto":
        return dict(arguments)
    own = all_options()
    settings = {name: value for name, value in arguments.items() if name in own}
    taken = set(effective(class_of(method), settings))
    for made in methods_before(arguments):
        taken |= effective(made, settings) & options_of(Training).keys()
    return {name: value for name, value in arguments.items() if name not in own or name in taken}


def _name_of(method: str | Method) -> str:
    return method if isinstance(method, str) else method.name
