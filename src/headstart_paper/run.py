"""Carry out a plan: features once per data set and source, then task after task, each written when it is done."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from headstart.runner import Executor, Inline, Processes, map
from headstart.wording import plural
from headstart_paper import meta
from headstart_paper.bench import Announce, Bench, Outputs, data_hash, loaded, opened, outputs_of_source
from headstart_paper.data_sets import DataSet
from headstart_paper.measures import as_stored, measure
from headstart_paper.networks import candidate
from headstart_paper.outcomes import TaskOutcome, adapted_outcome, head_outcomes, network_outcome
from headstart_paper.plan import Order, Part, Piece, Scale, make_task, pieces
from headstart_paper.results import Results, refuse_other
from headstart_paper.tasks import ClassTask

Rows = list[tuple[str, dict[str, Any]]]


def settings_of(scale: Scale) -> dict[str, Any]:
    """The settings of a results file: what must be the same for all its rows."""
    return {"experiment": "reproduce", "format": 2, **asdict(scale)}


def run(
    parts: Sequence[Part],
    order: Order,
    bench: Bench,
    results: Results,
    *,
    workers: int = 1,
    announce: Announce | None = None,
) -> int:
    """Run the tasks that the results file lacks; returns how many rows were written.

    A killed run loses the piece it was at: one task, or up to 16 small heads that are trained side by side (about a
    second of training). With several workers, one piece each.

    Args:
        workers: Processes; one works in this process.
        announce: Is called with a line of text for each step.

    Raises:
        InputError: The results file holds rows of another model, of other data or of another meta-training under the
            same names.
        ModelError: A model does not exist or cannot be read; raised before the first task.
    """
    forget()
    done = results.refresh()
    todo = [piece for piece in pieces(parts, order) if not done.issuperset(piece.keys)]
    look_at(piece.part.source for piece in todo)
    tell = announce or (lambda text: None)
    for part in dict.fromkeys(piece.part for piece in todo):
        tell(f"{part.row.name}: {part.source} on {part.data}")
    for part in parts:  # also those that are done: their rows would pass for rows of another model
        check_same(results, part, bench)
    if todo:
        tell(f"{plural(sum(len(set(piece.keys) - done) for piece in todo), 'task')} to do")
    for part in dict.fromkeys(piece.part for piece in todo if piece.part.meta):
        meta.trained(part, bench, tell)  # once, before the workers ask for it
    named = {"|".join(piece.keys): piece for piece in todo}
    store = _Finished(results, named, tell)
    job, key = partial(work, bench=bench), (lambda piece: "|".join(piece.keys))
    for result in map(job, list(named.values()), on=executor_of(workers), key=key, store=store):
        result.get()
    return len(results.refresh() - done)


def work(piece: Piece, bench: Bench) -> Rows:
    """The rows of a piece, by key."""
    part, scale = piece.part, bench.scale
    data, outputs = opened(part.data, bench), outputs_of_source(part.source, part.data, bench)
    tasks = [make_task(part, number, data, scale) for number in piece.numbers]
    done = []
    for key, task, outcome in zip(piece.keys, tasks, _outcomes(piece, tasks, data, outputs, bench), strict=True):
        started = time.perf_counter()
        scores = measure(outputs.features, outputs.logits, task, seed=scale.seed)
        row: dict[str, Any] = {
            "row": part.row.name,
            "model": loaded(part.source).name,
            "fingerprint": outputs.fingerprint[:16],
            "data": data.title,
            "data_hash": data_hash(part.data, bench),
            "method": piece.method,
            "number": task.number,
            "outcome_seed": piece.outcome_seed,
            "classes": len(task.classes),
            "n": len(task.train),
            "test_n": len(task.test),
            "accuracy": round(outcome.accuracy, 6),
            "f1": round(outcome.f1, 6),
            "scores": as_stored(scores),
            "seconds": round(outcome.seconds, 3),
            "score_seconds": round(time.perf_counter() - started, 3),
        }
        if outcome.curve:
            row["curve"] = [round(value, 6) for value in outcome.curve]
        done.append((key, row | (meta.said(part, bench) if part.meta else {})))
    return done


def forget() -> None:
    """Open data and models anew: a file may have changed since the last run of this process."""
    for kept in (opened, loaded, outputs_of_source, data_hash, meta.learner, meta.identity):
        kept.cache_clear()


def _outcomes(
    piece: Piece, tasks: list[ClassTask], data: DataSet, outputs: Outputs, bench: Bench
) -> Iterator[TaskOutcome]:
    budget = bench.scale.budget(piece.part.row.setting, piece.method)
    seed = piece.outcome_seed
    if piece.method == "head":
        yield from head_outcomes(outputs.features, outputs.test_features, tasks, budget, seed=seed)
        return
    for task in tasks:
        if piece.method == "cnaps":
            yield adapted_outcome(meta.learner(piece.part, bench), data.train, data.test, task, device=bench.device)
            continue
        yield network_outcome(
            loaded(piece.part.source),
            data.train,
            data.test,
            task,
            budget,
            seed=seed,
            scratch=piece.method == "scratch",
            curve=piece.part.curve,
            device=bench.device,
        )


def look_at(models: Iterable[str]) -> None:
    """Raises ModelError where a model is not there or not known, without loading any: its turn may come hours later."""
    for model in dict.fromkeys(models):
        candidate(model)


def check_same(results: Results, part: Part, bench: Bench) -> None:
    """Rows under one name must be of one model and one data set.

    Raises:
        InputError: Some of those in the file are of others.
    """
    if any(row.get("row") == part.row.name for row in results.rows):
        fingerprint, found = loaded(part.source).fingerprint[:16], data_hash(part.data, bench)
        now = {"row": part.row.name, "fingerprint": fingerprint, "data_hash": found}
        if part.meta:
            now["meta_hash"] = meta.identity(part, bench)[:16]
        refuse_other(results.rows, now, results.path)


@dataclass(frozen=True)
class _Finished:
    """A results file as the store of `headstart.runner.map`: the value of a piece is its rows by key."""

    results: Results
    pieces: Mapping[str, Piece]
    tell: Announce

    def __getitem__(self, name: str) -> Rows:
        done = self.results.refresh()
        keys = self.pieces[name].keys
        if not done.issuperset(keys):
            raise KeyError(name)
        return [(key, {}) for key in keys]

    def __setitem__(self, name: str, rows: Rows) -> None:
        for key, row in rows:
            # compared under the lock: another process may have begun the same rows with another model meanwhile
            self.results.append(key, row, check=partial(refuse_other, now=row, path=self.results.path))
            self.tell(f"{key}: accuracy {row['accuracy']:.3f}, LEEP {row['scores'].get('leep', float('nan')):.3f}")


def executor_of(workers: int) -> Executor:
    """This process for one worker, else so many processes."""
    return Inline() if workers == 1 else Processes(workers)
