"""Carry out a plan: features once per data set and source, then task after task, each written when it is done."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Any

import torch

from headstart.errors import InputError
from headstart.records import counted
from headstart_paper import meta
from headstart_paper.bench import Announce, Bench, Outputs, data_hash, loaded, opened, outputs_of_source
from headstart_paper.data_sets import DataSet
from headstart_paper.measures import as_stored, measure
from headstart_paper.networks import candidate
from headstart_paper.outcomes import TaskOutcome, adapted_outcome, head_outcomes, network_outcome
from headstart_paper.plan import Order, Part, Piece, Scale, make_task, pieces
from headstart_paper.results import Results
from headstart_paper.tasks import ClassTask
from headstart_paper.unmixed import refuse_other


def settings_of(scale: Scale) -> dict[str, Any]:
    """The settings of a results file: what must be the same for all its rows."""
    return {"experiment": "reproduce", "format": 1, **asdict(scale)}


def run(
    parts: Sequence[Part],
    order: Order,
    bench: Bench,
    results: Results,
    *,
    jobs: int = 1,
    announce: Announce | None = None,
) -> int:
    """Do what the results file lacks; returns how many tasks were done now.

    A killed run loses the piece it was at: one task, or up to 16 small heads that are trained side by side (about a
    second of training). With several jobs, one piece each.

    Args:
        jobs: Processes. One works in this process.
        announce: Told what is under way.

    Raises:
        InputError: The results file holds rows of another model, of other data or of another meta-training under the
            same names.
        ModelError: There is no such model, or none that can be read; said before the first task.
    """
    if jobs < 1:
        raise InputError(f"`jobs` must be at least 1; got {jobs}.")
    forget()
    todo = [piece for piece in pieces(parts, order) if piece.without(results.refresh()).numbers]
    look_at(piece.part.source for piece in todo)
    tell = announce or (lambda text: None)
    for part in dict.fromkeys(piece.part for piece in todo):
        tell(f"{part.row.name}: {part.source} on {part.data}")
    for part in parts:  # those that are done too: their rows would pass for those of another model
        check_same(results, part, bench)
    if todo:
        total = sum(len(piece.numbers) for piece in todo)
        tell(f"{counted(total, 'task')} in {counted(len(todo), 'piece')} to do")
    for part in dict.fromkeys(piece.part for piece in todo if piece.part.meta):
        meta.trained(part, bench, tell)  # once, before the workers ask for it
    return _alone(todo, bench, results, tell) if jobs == 1 else _spread(todo, bench, results, jobs, tell)


def work(piece: Piece, bench: Bench) -> list[tuple[str, dict[str, Any]]]:
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


def _alone(todo: Sequence[Piece], bench: Bench, results: Results, tell: Announce) -> int:
    count, waiting = 0, list(todo)
    while waiting:
        left = waiting.pop(0).without(results.refresh())  # another process may have done it meanwhile
        if left.numbers:
            written = _write(work(left, bench), results, tell)
            count += written
            if not written:  # another process was at the same piece, and would be at the next
                Random(os.getpid()).shuffle(waiting)
    return count


def _spread(todo: Sequence[Piece], bench: Bench, results: Results, jobs: int, tell: Announce) -> int:
    count, waiting = 0, iter(todo)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    running: set[Future] = set()
    with ProcessPoolExecutor(jobs, get_context("spawn"), set_threads, (threads,)) as pool:
        while True:
            while len(running) < jobs and (piece := next(waiting, None)) is not None:
                left = piece.without(results.refresh())
                if left.numbers:
                    running.add(pool.submit(work, left, bench))
            if not running:
                return count
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                count += _write(future.result(), results, tell)


def set_threads(count: int) -> None:
    """For a worker process: torch's threads."""
    torch.set_num_threads(count)


def _write(rows: list[tuple[str, dict[str, Any]]], results: Results, tell: Announce) -> int:
    written = 0
    for key, row in rows:
        # looked at under the lock: another process may have begun the same rows with another model since `check_same`
        written += results.append(key, row, check=partial(refuse_other, now=row, path=results.path))
        tell(f"{key}: accuracy {row['accuracy']:.3f}, LEEP {row['scores'].get('leep', float('nan')):.3f}")
    return written
