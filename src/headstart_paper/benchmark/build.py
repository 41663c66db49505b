"""`headstart reproduce benchmark`: pictures, sources, outcomes and scores, each kept as soon as it is there."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InputError
from headstart.evaluation.benchmark import Scored, Stored, write_stored
from headstart.runner import Workers, map, on_workers
from headstart_paper.benchmark import jobs, networks
from headstart_paper.benchmark.collect import collect, picture_file
from headstart_paper.benchmark.recipes import Plan
from headstart_paper.results import Results, Row

ROWS = "rows.jsonl"
SHIPPED = Plan()
Job = Callable[[], Row]
Say = Callable[[int, int, str], None]  # steps done, steps in all, what was done


def build(
    out: str | Path,
    *,
    places: Mapping[str, str] | None = None,
    workers: Workers = 1,
    progress: Say | None = None,
    plan: Plan = SHIPPED,
) -> Stored:
    """Train the sources, carry out the transfers, measure the scores, and write the results to `out`.

    A killed build goes on where it stopped, and two may work on one folder. The numbers do not depend on how many
    processes there are.

    Args:
        out: Folder for the results (`results.json`, `arrays.npz`) and for everything on the way to them.
        places: Where the data sets lie, by name; see `headstart_paper.data_sets`.
        workers: Processes; each uses one core.
        progress: Called before a data set is read, and after every step.
        plan: What to build.

    Raises:
        TargetError: A data set is not on this machine.
        InputError: The folder holds a build with other settings, or `places` names a data set that none takes.
    """
    folder = Path(out)
    unknown = [name for name in places or {} if name not in plan.data]
    if unknown:
        raise InputError(f"the benchmark takes no data set `{unknown[0]}`; it takes {', '.join(plan.data)}.")
    results = Results(folder / ROWS, settings(plan))
    for done, data in enumerate(plan.data):
        if progress is not None and not picture_file(data, folder / "pictures").exists():
            progress(done, len(plan.data), f"reading the pictures of {data}")
        collect(data, places or {}, folder / "pictures")
    stages = list(_stages(plan, folder))
    total = sum(len(stage) for stage in stages)
    with on_workers(workers, threads=1) as on:  # small networks gain nothing from more threads
        for stage in stages:
            for result in map(_done, list(stage.items()), on=on, key=itemgetter(0), store=results):
                result.get()
                if progress is not None and not result.stored:
                    progress(len(results.done), total, result.item[0])
    stored = assemble({row["key"]: row for row in results.rows}, plan)
    write_stored(stored, _arrays(plan, folder), folder)
    return stored


def settings(plan: Plan) -> dict[str, Any]:
    """Everything that decides the numbers."""
    return {
        **dataclasses.asdict(plan),
        "widths": networks.WIDTHS,
        "batch": networks.BATCH,
        "rate": networks.RATE,
        "shift": networks.SHIFT,
        "fine-tuning": {"batch": networks.TUNING_BATCH, "body": networks.BODY_RATE, "head": networks.HEAD_RATE},
    }


def assemble(rows: Mapping[str, Row], plan: Plan) -> Stored:
    """The record that is shipped, from the rows of a finished build."""
    sources = [rows[f"source {name}"] for name in plan.source_names]
    targets = [rows[f"target {name}"] for name in plan.target_names]

    def table(row: Callable[[str, str], Any]) -> list[list[Any]]:
        return [[row(target, source) for source in plan.source_names] for target in plan.target_names]

    heads = np.array(table(lambda t, s: rows[f"head {t} | {s}"]["accuracy"])).transpose(2, 0, 1).tolist()
    tuned = [table(lambda t, s: rows[_tuned_key(t, s, seed)]["accuracy"]) for seed in plan.seeds]  # noqa: B023
    pairs = table(lambda t, s: rows[f"scores {t} | {s}"])
    left_out = {name: why for line in pairs for pair in line for name, why in pair["left_out"].items()}
    names = [name for name in pairs[0][0]["scores"] if name not in left_out]

    def column(name: str, place: int) -> list[list[Any]]:
        return [[pair["scores"][name][place] for pair in line] for line in pairs]

    return Stored(
        sources=plan.source_names,
        targets=plan.target_names,
        source_accuracy=tuple(row["accuracy"] for row in sources),
        source_classes=tuple(row["classes"] for row in sources),
        target_classes=tuple(row["classes"] for row in targets),
        shared={recipe.name: recipe.shared for recipe in plan.targets if recipe.shared},
        train=plan.train,
        test=tuple(row["test"] for row in targets),
        outcomes={"head": _tuples(heads), "fine-tune": _tuples(tuned)},
        scores={
            name: Scored(_short(column(name, 0)), _short(column(name, 1)), round(float(np.sum(column(name, 2))), 2))
            for name in names
        },
        left_out=left_out,
        settings=settings(plan),
        created=datetime.now(UTC).date().isoformat(),
        seconds=_seconds(rows),
    )


def _stages(plan: Plan, folder: Path) -> Iterator[Mapping[str, Job]]:
    """Jobs by key; those of one stage need only what earlier stages left."""
    first: dict[str, Job] = {
        f"target {name}": partial(jobs.prepare_target, name, plan, folder) for name in plan.target_names
    }
    yield first | {f"source {name}": partial(jobs.train_source, name, plan, folder) for name in plan.source_names}
    pairs = [(target, source) for target in plan.target_names for source in plan.source_names]
    yield {f"head {t} | {s}": partial(jobs.head_outcomes, t, s, plan, folder) for t, s in pairs}
    yield {f"scores {t} | {s}": partial(jobs.pair_scores, t, s, plan, folder) for t, s in pairs}
    for seed in plan.seeds:
        yield {_tuned_key(t, s, seed): partial(jobs.tuned_outcome, t, s, seed, plan, folder) for t, s in pairs}


def _tuned_key(target: str, source: str, seed: int) -> str:
    return f"fine-tune {target} | {source} | {seed}"


def _done(item: tuple[str, Job]) -> Row:
    """For the runner: an item is a key and the job that makes its row."""
    return item[1]()


def _arrays(plan: Plan, folder: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for s, source in enumerate(plan.source_names):
        classifier = jobs.source_network(source, folder).classifier
        arrays |= {f"weight {s}": classifier.weight.detach().numpy(), f"bias {s}": classifier.bias.detach().numpy()}
    for t, target in enumerate(plan.target_names):
        parts = [jobs.pair_arrays(target, source, plan, folder) for source in plan.source_names]
        arrays[f"features {t}"] = np.stack([steps for steps, _, _ in parts])
        arrays[f"scale {t}"] = np.stack([scale for _, scale, _ in parts])
        arrays[f"labels {t}"] = parts[0][2].astype(np.uint8)
    return arrays


def _tuples(nested: Any) -> Any:
    return tuple(_tuples(one) for one in nested) if isinstance(nested, list) else nested


def _short(table: Sequence[Sequence[float | None]]) -> tuple[tuple[Any, ...], ...]:
    """Six significant digits are more than any standard error leaves room for."""
    return tuple(tuple(None if v is None else float(f"{v:.6g}") for v in row) for row in table)


def _seconds(rows: Mapping[str, Row]) -> dict[str, float]:
    """Processor time by kind of step."""
    found: dict[str, float] = {}
    for key, row in rows.items():
        kind = key.split()[0]
        found[kind] = found.get(kind, 0.0) + row.get("seconds", 0.0)
    return {kind: round(seconds, 1) for kind, seconds in found.items() if seconds}
