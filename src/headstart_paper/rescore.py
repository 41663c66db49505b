"""Scores added to finished rows: their outcomes stay, nothing is trained again.

A task follows from the seed and a score from the task and one forward pass, so a score that came to headstart after a
row was made can still be given to it. Every score that the row has already is computed again too and must agree: else
the model, the data or the version is not that of the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from headstart.errors import InputError
from headstart.runner import map
from headstart_paper.bench import Announce, Bench, opened, outputs_of_source
from headstart_paper.measures import SCORES, as_stored, measure
from headstart_paper.plan import Part, make_task
from headstart_paper.results import KEY, Results, Row
from headstart_paper.run import check_same, executor_of, forget
from headstart_paper.selection import key_of, whole_task

BATCH = 16  # tasks whose rows are written at once: what a kill loses
AGREEMENT = 1e-3  # rounding of products differs between machines; leep_em, which iterates, moved by 4e-5 on one
SHOWN = 3  # rows that do not agree and are named
NEXT_STEP = (
    "What does not agree is left as it was: name its model and data, or run its tasks again with another `--out`."
)
SHARES = ("knn", "ridge_probe")  # of n examples: rounding may turn one or two


@dataclass(frozen=True)
class Unscored:
    """Finished rows that lack scores, all of one task: trained in several ways perhaps, scored in one."""

    source: str
    data: str
    keys: tuple[str, ...]
    part: Part | None = None  # None: a choice among sources, on all of the data
    number: int = 0


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


def unscored(parts: Sequence[Part], results: Results, bench: Bench) -> list[Unscored]:
    """The tasks of these rows of the table whose finished rows lack a score.

    Raises:
        InputError: The rows are of another model or of other data than the parts.
    """
    forget()
    results.refresh()
    found = []
    for part in parts:
        tasks: dict[int, list[str]] = {}
        for row in results.rows:
            if row.get("row") == part.row.name and ("curve" in row) == part.curve and lacking([row]):
                tasks.setdefault(row["number"], []).append(row[KEY])
        if tasks:
            check_same(results, part, bench)
        found += [Unscored(part.source, part.data, tuple(keys), part, number) for number, keys in tasks.items()]
    return found


def unscored_choices(data: Sequence[str], models: Sequence[str], results: Results) -> list[Unscored]:
    """The pairs of a source selection whose finished rows lack a score."""
    forget()
    rows = {row[KEY]: row for row in results.rows}
    pairs = [(name, model, rows.get(key_of(name, model))) for name in data for model in models]
    return [Unscored(model, name, (row[KEY],)) for name, model, row in pairs if row is not None and lacking([row])]


def rescore(
    todo: Sequence[Unscored], bench: Bench, results: Results, *, workers: int = 1, announce: Announce | None = None
) -> int:
    """Give the rows the scores that they lack; returns how many rows were written anew.

    The file is written anew, whole or not at all, after every 16 tasks; after a kill the same call does the rest.

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
    for result in map(partial(scores_of, bench=bench), batches, on=executor_of(workers)):
        by_key = {key: scored for unit, scored in zip(result.item, result.get(), strict=True) for key in unit.keys}
        results.amend(by_key, change)
        count += len(by_key)
        if announce:
            announce(f"{count - len(refused)} of {sum(len(unit.keys) for unit in todo)} rows rescored")
    if refused:
        more = f" {len(refused) - SHOWN} more rows do not agree." if len(refused) > SHOWN else ""
        raise InputError(f"{results.path}: {' '.join(refused[:SHOWN])}{more} {NEXT_STEP}")
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
        if told is not None and (now is None or abs(now - told) > _slack(name, told, row["n"])):
            raise InputError(
                f"row {row[KEY]}: `{name}` is {told} there and {now} now, so the model, the data or the version is "
                "another than the row was made with."
            )
    return {**row, "scores": {**found.scores, **row["scores"]}}


def scores_of(units: Sequence[Unscored], bench: Bench) -> list[Rescored]:
    """Every score of each task, from the forward pass that is kept in the cache."""
    found = []
    for unit in units:
        data, outputs = opened(unit.data, bench), outputs_of_source(unit.source, unit.data, bench)
        if unit.part is None:
            task = whole_task(data.train.labels, data.test.labels)
        else:
            task = make_task(unit.part, unit.number, data, bench.scale)
        values = measure(outputs.features, outputs.logits, task, seed=bench.scale.seed)
        found.append(Rescored(outputs.fingerprint[:16], as_stored(values)))
    return found


def _slack(name: str, told: float, n: int) -> float:
    return AGREEMENT * max(1.0, abs(told)) + (2 / n if name in SHARES else 0.0)
