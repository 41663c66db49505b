"""Scores added to finished rows: their outcomes stay, nothing is trained again.

A task follows from the seed and a score from the task and one forward pass, so a score that headstart gained after a
row was made can still be added to it. Every score that the row has already is computed again too and must agree:
otherwise the model, the data or the version is not that of the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from headstart.errors import InputError
from headstart.runner import Workers, map, on_workers
from headstart_paper.bench import Announce, Bench, loaded
from headstart_paper.measures import SCORES, as_stored, measure
from headstart_paper.plan import Pair, Part, Piece, make_task
from headstart_paper.results import KEY, Results, Row
from headstart_paper.run import check_same, forget, part_of, parts_of_task

BATCH = 16  # tasks whose rows are written at once: what a kill loses
AGREEMENT = 1e-3  # rounding of products differs between machines; leep_em, which iterates, moved by 4e-5 on one
SHOWN = 3  # rows that do not agree and are named
SHARES = ("knn", "ridge_probe")  # of n examples: rounding may turn one or two


@dataclass(frozen=True)
class Unscored:
    """Finished rows that lack scores, all of one task: trained in several ways perhaps, scored in one."""

    part: Part | Pair
    number: int
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Rescored:
    """All scores of one task, as they are now."""

    fingerprint: str
    scores: dict[str, float | None]


def lacking(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Score -> how many rows lack it; a score that was tried and does not apply is null there, and not lacking."""
    rows = list(rows)
    counts = {name: sum(name not in row["scores"] for row in rows) for name in SCORES}
    return {name: count for name, count in counts.items() if count}


def unscored(pieces: Sequence[Piece | Pair], results: Results, bench: Bench) -> list[Unscored]:
    """The tasks of the same rows of the table, or the pairs, whose finished rows lack a score.

    Raises:
        InputError: The rows are of another model or of other data than the pieces.
    """
    forget()
    results.refresh()
    found: dict[tuple[Part | Pair, int], list[str]] = {}
    for part in dict.fromkeys(part_of(piece) for piece in pieces):
        for row in results.rows:
            if isinstance(part, Pair):
                wanted = row[KEY] == part.key
            else:
                wanted = row.get("row") == part.row.name and ("curve" in row) == part.curve
            if wanted and lacking([row]):
                found.setdefault((part, row.get("number", 0)), []).append(row[KEY])
    kept = {part for part, _ in found}
    check_same(results, [piece for piece in pieces if part_of(piece) in kept], bench)
    return [Unscored(part, number, tuple(keys)) for (part, number), keys in found.items()]


def rescore(
    todo: Sequence[Unscored],
    bench: Bench,
    results: Results,
    *,
    workers: Workers = 1,
    announce: Announce = lambda text: None,
) -> int:
    """Give the rows the scores that they lack; returns how many rows were rewritten.

    The file is rewritten, whole or not at all, after every 16 tasks; after a kill the same call does the rest.

    Raises:
        InputError: Stored scores are not what is found now. Those rows are left as they were, all others are done.
    """
    count = 0
    refused: list[str] = []
    by_key: dict[str, Rescored] = {}

    def change(row: Row) -> Row:
        try:
            return with_scores(row, by_key[row[KEY]])
        except InputError as error:
            refused.append(str(error))
            return row

    batches = [todo[at : at + BATCH] for at in range(0, len(todo), BATCH)]
    with on_workers(workers) as on:
        for result in map(partial(scores_of, bench=bench), batches, on=on):
            by_key = {key: scored for unit, scored in zip(result.item, result.get(), strict=True) for key in unit.keys}
            results.amend(by_key, change)
            count += len(by_key)
            announce(f"{count - len(refused)} of {sum(len(unit.keys) for unit in todo)} rows rescored")
    if refused:
        more = f" {len(refused) - SHOWN} more rows do not agree." if len(refused) > SHOWN else ""
        raise InputError(
            f"{results.path}: {' '.join(refused[:SHOWN])}{more} These rows were left as they were. Name the model and "
            "the data that they were made with, or run their tasks again with another `--out`."
        )
    return count


def with_scores(row: Row, found: Rescored) -> Row:
    """The row with the scores that it lacks; those it has stay as they are.

    Raises:
        InputError: What it has and what was found do not agree.
    """
    if row["fingerprint"] != found.fingerprint:
        raise InputError(f"row {row[KEY]} was made with another model than {row['model']} is now.")
    for name, now in found.scores.items():
        told = row["scores"].get(name)
        if told is None:
            continue
        slack = AGREEMENT * max(1.0, abs(told)) + (2 / row["n"] if name in SHARES else 0.0)
        if now is None or abs(now - told) > slack:
            raise InputError(f"row {row[KEY]}: `{name}` is {told} there and {now} now.")
    return {**row, "scores": {**found.scores, **row["scores"]}}


def scores_of(units: Sequence[Unscored], bench: Bench) -> list[Rescored]:
    """Every score of each task, from the forward pass that is kept in the cache."""
    found = []
    for unit in units:
        data, train, _ = parts_of_task(unit.part, bench)
        task = make_task(unit.part, unit.number, data, bench.scale)
        values = measure(train.features, train.logits, task, seed=bench.scale.seed)
        found.append(Rescored(loaded(unit.part.source).fingerprint[:16], as_stored(values)))
    return found
