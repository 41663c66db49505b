"""Carry out a plan: features once per data set and source, then task after task, each written when it is done."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from headstart.runner import Workers, map, on_workers
from headstart.wording import plural
from headstart_paper import meta
from headstart_paper.bench import Announce, Bench, Outputs, data_hash, loaded, opened, outputs_of_source
from headstart_paper.data_sets import DataSet
from headstart_paper.measures import as_stored, measure
from headstart_paper.networks import candidate
from headstart_paper.outcomes import TaskOutcome, adapted_outcome, head_outcome, network_outcome
from headstart_paper.paper import ROWS
from headstart_paper.plan import Pair, Part, Piece, Scale, make_task
from headstart_paper.results import KEY, Results, Row, refuse_other
from headstart_paper.tasks import ClassTask

OF_A_PAIR = ROWS["fashion-mnist/cifar10/large/head"]  # a pair's head is trained as those of large tasks


def settings_of(scale: Scale) -> dict[str, Any]:
    """The settings of a results file: what must be the same for all its rows."""
    settings = asdict(scale)
    del settings["old"]
    if scale.precision == "fp32":
        del settings["precision"]  # as in files that were made before there was another
    return {"experiment": "reproduce", "format": 2, **settings}


def run(
    pieces: Sequence[Piece | Pair],
    bench: Bench,
    results: Results,
    *,
    workers: Workers = 1,
    announce: Announce = lambda text: None,
) -> int:
    """Run what the results file lacks; returns how many rows were written.

    A killed run loses the task it was at; with several workers, one each.

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
    todo = [piece for piece in pieces if piece.key not in done]
    for model in dict.fromkeys(part_of(piece).source for piece in todo):
        candidate(model)  # its turn may come hours later
    check_same(results, pieces, bench)  # also those that are done: their rows would pass for rows of another model
    for part in dict.fromkeys(part_of(piece) for piece in todo):
        announce(f"{part.name}: {part.source} on {part.data}")
        if isinstance(part, Part) and part.meta:
            meta.trained(part, bench, announce)  # once, before the workers ask for it
    if todo:
        announce(f"{plural(len(todo), 'task')} to do")
    store = Finished(results, announce)
    job = partial(work, bench=bench)
    with on_workers(workers) as on:
        for result in map(job, todo, on=on, key=lambda piece: piece.key, store=store):
            result.get()
    return len(results.refresh() - done)


def part_of(piece: Piece | Pair) -> Part | Pair:
    """What a piece has in common with others: the row of the table; a pair stands alone."""
    return piece.part if isinstance(piece, Piece) else piece


def parts_of_task(part: Part | Pair, bench: Bench) -> tuple[DataSet, Outputs, Outputs]:
    """Where a row's tasks come from: the data set, and what the source says of its two parts.

    Tasks of meta-transfer take training examples out of the test part.
    """
    data, (train, test) = opened(part.data, bench), outputs_of_source(part.source, part.data, bench)
    if isinstance(part, Part) and part.row.setting == "meta" and not bench.scale.old:
        return DataSet(data.name, data.title, data.test, data.test), test, test
    return data, train, test


def work(piece: Piece | Pair, bench: Bench) -> Row:
    """The row of a piece."""
    part, scale = part_of(piece), bench.scale
    data, train, test = parts_of_task(part, bench)
    task = make_task(part, piece.number if isinstance(piece, Piece) else 0, data, scale)
    outcome = outcome_of(piece, task, data, train, test, bench)
    started = time.perf_counter()
    scores = measure(train.features, train.logits, task, seed=scale.seed)
    row: Row = {
        **part.about,
        "model": loaded(part.source).name,
        "fingerprint": loaded(part.source).fingerprint[:16],
        "data": data.title,
        "data_hash": data_hash(part.data, bench),
        "classes": len(task.classes),
        "n": len(task.train),
        "test_n": len(task.test),
        "accuracy": round(outcome.accuracy, 6),
        "f1": round(outcome.f1, 6),
        "seconds": round(outcome.seconds, 3),
        "score_seconds": round(time.perf_counter() - started, 3),
    }
    if isinstance(piece, Piece):
        row |= {"method": piece.method, "number": task.number, "outcome_seed": piece.outcome_seed}
    if isinstance(part, Pair) and (top1 := loaded(part.source).card.imagenet_top1) is not None:
        scores["source_accuracy"] = top1
    course = {str(epoch): round(value, 6) for epoch, value in outcome.by_epoch.items()}
    if isinstance(part, Part) and part.curve:
        row["curve"] = list(course.values())
    elif course:
        row["by_epoch"] = course
    if isinstance(part, Part) and part.meta:
        row |= meta.said(part, bench)
    return row | {"scores": as_stored(scores)}


def outcome_of(
    piece: Piece | Pair, task: ClassTask, data: DataSet, train: Outputs, test: Outputs, bench: Bench
) -> TaskOutcome:
    """What the transfer reached on the task."""
    part = part_of(piece)
    row, seed = (
        (part.row, piece.outcome_seed) if isinstance(piece, Piece) and isinstance(part, Part) else (OF_A_PAIR, 0)
    )
    if piece.method == "cnaps" and isinstance(part, Part):
        return adapted_outcome(meta.learner(part, bench), data.train, data.test, task, device=bench.device)
    budget = bench.scale.budget(row, piece.method)
    if piece.method == "head":
        return head_outcome(train.features, test.features, task, budget, seed=seed)
    return network_outcome(
        loaded(part.source),
        data.train,
        data.test,
        task,
        budget,
        seed=seed,
        scratch=piece.method == "scratch",
        curve=isinstance(part, Part) and part.curve,
        device=bench.device,
    )


def forget() -> None:
    """Open data and models anew: a file may have changed since the last run of this process."""
    for kept in (opened, loaded, outputs_of_source, data_hash, meta.learner, meta.identity):
        kept.cache_clear()


def check_same(results: Results, pieces: Sequence[Piece | Pair], bench: Bench) -> None:
    """Rows under one name must be of one model and one data set.

    Raises:
        InputError: Some of those in the file are of others.
    """
    names = {row.get("row", row.get("kind")) for row in results.rows}
    for part in dict.fromkeys(part_of(piece) for piece in pieces):
        if part.name in names:
            hashes = {"fingerprint": loaded(part.source).fingerprint[:16], "data_hash": data_hash(part.data, bench)}
            if isinstance(part, Part) and part.meta:
                hashes["meta_hash"] = meta.identity(part, bench)[:16]
            refuse_other(results.rows, part.about | hashes, results.path)


@dataclass(frozen=True)
class Finished:
    """A results file as the store of `headstart.runner.map`: the value of a piece is its row."""

    results: Results
    tell: Announce

    def __getitem__(self, key: str) -> Row:
        return self.results[key]

    def __setitem__(self, key: str, row: Row) -> None:
        # compared under the lock: another process may have begun the same rows with another model meanwhile
        self.results.append(key, row, check=partial(refuse_other, now={KEY: key, **row}, path=self.results.path))
        self.tell(f"{key}: accuracy {row['accuracy']:.3f}, LEEP {row['scores'].get('leep', float('nan')):.3f}")
