"""The second world: the sources and targets of `headstart benchmark`, whose fine-tuning outcomes are known as well.

Its sources share one architecture and differ in what they were trained on, the regime that LEEP was made for. A build
that is under way counts as far as it has come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from foresight_arrays import Rows
from foresight_measure import BLOCKS, subsample

from headstart.evaluation.benchmark.stored import RESULTS, read_pairs, read_stored
from headstart.records import ModelCard
from headstart_paper.benchmark import jobs
from headstart_paper.benchmark.build import ROWS
from headstart_paper.benchmark.recipes import Plan
from headstart_paper.results import Results, Row, read_results

SIZES = {50: 3, 100: 3, 200: 1}
PREFIX = "benchmark: "


@dataclass(frozen=True, eq=False)
class World:
    """What is known of the benchmark's sources and targets."""

    heads: dict[str, int]  # source -> classes of its head
    own_accuracy: dict[str, float | None]  # source -> accuracy on its own data
    target_classes: dict[str, int]
    outcomes: dict[str, dict[str, dict[str, float]]]  # kind -> target -> source -> accuracy, mean over runs
    runs: dict[str, dict[str, int]]  # kind -> target -> runs that every source has
    folder: Path | None
    finished: bool


def open_benchmark(folder: Path | None) -> World:
    """A finished build's folder, one under way, or (None) what headstart ships.

    Raises:
        InputError: There is none.
    """
    if folder is not None and not (folder / RESULTS).exists():
        return _under_way(folder)
    stored = read_stored(folder)
    outcomes: dict[str, dict[str, dict[str, float]]] = {}
    runs: dict[str, dict[str, int]] = {}
    for kind, lists in stored.outcomes.items():
        seeds = np.array(lists)  # (seeds, targets, sources)
        outcomes[kind] = {
            target: dict(zip(stored.sources, map(float, line), strict=True))
            for target, line in zip(stored.targets, seeds.mean(axis=0), strict=True)
        }
        runs[kind] = dict.fromkeys(stored.targets, len(seeds))
    return World(
        dict(zip(stored.sources, stored.source_classes, strict=True)),
        dict(zip(stored.sources, stored.source_accuracy, strict=True)),
        dict(zip(stored.targets, stored.target_classes, strict=True)),
        outcomes,
        runs,
        folder,
        True,
    )


def measure_benchmark(world: World, results: Results) -> None:
    """Scores on sub-samples of every pair whose outcomes are known, and those outcomes, into the results file."""
    for kind, targets in world.outcomes.items():
        for target, accuracies in targets.items():
            runs = world.runs[kind][target]
            for source, accuracy in accuracies.items():
                row = {"kind": "outcome", "outcome": kind, "data": PREFIX + target, "source": source, "runs": runs}
                results.append(f"{kind} | {PREFIX}{target} | {source} | {runs}", row | {"accuracy": accuracy})
    for target, source, rows in _pairs(world):
        card = ModelCard(name=source, kind="image", num_classes=world.heads[source])
        for key, row in _scores(rows, card, PREFIX + target, world.own_accuracy[source], results):
            results.append(key, row)


def _pairs(world: World) -> Iterator[tuple[str, str, Rows]]:
    if world.finished:
        every = read_pairs(read_stored(world.folder), world.folder)
    else:
        assert world.folder is not None
        every = (
            jobs.pair_of(target, source, Plan(), world.folder)
            for target, sources in world.outcomes["head"].items()
            for source in sources
        )
    for pair in every:
        yield (
            pair.target,
            pair.source,
            Rows(pair.features.astype(np.float32), pair.logits.astype(np.float32), pair.labels),
        )


def _scores(pool: Rows, card: ModelCard, data: str, own: float | None, results: Results) -> Iterator[tuple[str, Row]]:
    for size, seeds in SIZES.items():
        for seed in range(seeds):
            rows = subsample(pool, size, seed)
            for block, compute in BLOCKS.items():
                key = f"{block} | {data} | {size} | {seed} | {card.name}"
                if rows is None or key in results.refresh():
                    continue
                scores = compute(rows, card, seed)
                if block == "library" and own is not None:
                    scores["source_accuracy"] = own
                row = {"kind": "scores", "data": data, "n": size, "seed": seed, "source": card.name, "scores": scores}
                yield key, row


def _under_way(folder: Path) -> World:
    plan = Plan()
    rows = {row["key"]: row for row in read_results(folder / ROWS).rows}
    pairs = [(t, s) for t in plan.target_names for s in plan.source_names if f"head {t} | {s}" in rows]
    whole = [t for t in plan.target_names if sum(t == target for target, _ in pairs) == len(plan.source_names)]
    tuned: dict[str, dict[str, float]] = {}
    runs: dict[str, int] = {}
    for t in whole:
        found = {
            s: [rows[key]["accuracy"] for seed in plan.seeds if (key := f"fine-tune {t} | {s} | {seed}") in rows]
            for s in plan.source_names
        }
        fewest = min(map(len, found.values()))
        if fewest:
            runs[t] = fewest
            tuned[t] = {s: float(np.mean(accuracies[:fewest])) for s, accuracies in found.items()}
    return World(
        {s: rows[f"source {s}"]["classes"] for s in plan.source_names if f"source {s}" in rows},
        {s: rows[f"source {s}"]["accuracy"] for s in plan.source_names if f"source {s}" in rows},
        {t: rows[f"target {t}"]["classes"] for t in whole},
        {
            "head": {
                t: {s: float(np.mean(rows[f"head {t} | {s}"]["accuracy"])) for s in plan.source_names} for t in whole
            },
            "fine-tune": tuned,
        },
        {"head": dict.fromkeys(whole, len(plan.seeds)), "fine-tune": runs},
        folder,
        False,
    )
