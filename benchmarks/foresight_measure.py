"""Scores and outcomes of every source, data set and sub-sample, one line of a file each: a killed run goes on."""

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from foresight_arrays import Pair, Rows, read_pairs
from foresight_variants import VARIANTS, calibrated, centred, corrected, em_folds

from headstart.data import stratified_order
from headstart.records import ModelCard
from headstart.scores import evaluate, knn, leep_gaussian, leep_pooled, ridge_probe
from headstart.train.head import fit_head
from headstart_paper.results import Results, Row

SIZES = {50: 3, 100: 3, 200: 3, 500: 2, 1000: 1, 2000: 1}  # examples -> sub-samples of so many
POOLS = ((500, 600), (1000, 1000), (2000, 2000))  # a sub-sample of at most so many is drawn from so many
LIBRARY = (
    "leep",
    "leep_loo",
    "nce",
    "leep_calibrated",
    "knn",
    "ridge_probe",
    "logme",
    "regularized_h_score",
    "nleep",
    "source_accuracy",
    "random",
)
GAUSSIAN = "leep_gaussian"
POOLED = "leep_pooled"
EM_TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0)
Block = Callable[[Rows, ModelCard, int], dict[str, float]]


def measure_all(folder: Path, results: Results, data: list[str], cards: list[ModelCard]) -> None:
    """Fill in whatever scores are missing, then the outcomes."""
    for name in data:
        _outcomes(folder, results, name, cards)
        for size, seeds in SIZES.items():
            pool = next(pool for most, pool in POOLS if size <= most)
            for pair in read_pairs(folder, name, cards, pool):
                for key, row in _scores(pair, size, seeds, results):
                    results.append(key, row)
        print("scores", name, flush=True)


def _scores(pair: Pair, size: int, seeds: int, results: Results) -> Iterator[tuple[str, Row]]:
    for seed in range(seeds):
        rows = subsample(pair.pool, size, seed)
        if rows is None:
            continue
        for block, compute in BLOCKS.items():
            key = f"{block} | {pair.data} | {size} | {seed} | {pair.source}"
            if key not in results.refresh():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # convergence of mixtures on few examples
                    scores = compute(rows, pair.card, seed)
                yield (
                    key,
                    {
                        "kind": "scores",
                        "data": pair.data,
                        "n": size,
                        "seed": seed,
                        "source": pair.source,
                        "scores": scores,
                    },
                )


def subsample(pool: Rows, size: int, seed: int) -> Rows | None:
    """A stratified draw, its classes numbered anew; None where it would be too small: two examples a class at least."""
    if size > len(pool) or size < 2 * len(np.unique(pool.labels)):
        return None
    kept = pool.take(np.asarray(stratified_order(pool.labels, seed))[:size])
    return dataclasses.replace(kept, labels=np.unique(kept.labels, return_inverse=True)[1])


def _outcomes(folder: Path, results: Results, data: str, cards: list[ModelCard]) -> None:
    """Test accuracy of a head on the whole pool, at each size of pool and test part that all sources share."""
    for pair in read_pairs(folder, data, cards, POOLS[-1][1]):
        key = f"head | {data} | {len(pair.pool)} | {len(pair.test)} | {pair.source}"
        if key not in results.refresh():
            results.append(
                key,
                {
                    "kind": "outcome",
                    "outcome": "head",
                    "data": data,
                    "pool": len(pair.pool),
                    "test": len(pair.test),
                    "source": pair.source,
                    "accuracy": head_accuracy(pair.pool, pair.test),
                },
            )
    print("outcomes", data, flush=True)


def measure_small_heads(folder: Path, results: Results, data: list[str], cards: list[ModelCard]) -> None:
    """Test accuracy of a head on the very sub-sample that the scores saw."""
    for name in data:
        for size, seeds in SIZES.items():
            pool = next(pool for most, pool in POOLS if size <= most)
            for pair in read_pairs(folder, name, cards, pool):
                for seed in range(seeds):
                    key = f"small head | {name} | {size} | {seed} | {len(pair.test)} | {pair.source}"
                    rows = subsample(pair.pool, size, seed)
                    if rows is None or key in results.refresh():
                        continue
                    kept = pair.pool.take(np.asarray(stratified_order(pair.pool.labels, seed))[:size])
                    results.append(
                        key,
                        {
                            "kind": "outcome",
                            "outcome": "small head",
                            "data": name,
                            "n": size,
                            "seed": seed,
                            "test": len(pair.test),
                            "source": pair.source,
                            "accuracy": head_accuracy(kept, pair.test),
                        },
                    )
        print("small heads", name, flush=True)


def head_accuracy(train: Rows, test: Rows) -> float:
    """A linear head at its optimum, judged on the test part; a class that it never saw counts as wrong."""
    classes, codes = np.unique(train.labels, return_inverse=True)
    head = fit_head(train.features, codes)
    return float((classes[head.outputs(test.features).argmax(axis=1)] == test.labels).mean())


def _library(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    done, _ = evaluate(LIBRARY, labels=rows.labels, logits=rows.logits, features=rows.features, card=card, seed=seed)
    return {name: one.value for name, one in done.items()}


def _variants(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    return {name: variant(rows.logits, rows.labels) for name, variant in VARIANTS.items()}


def _em(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    found = em_folds(rows.logits, rows.labels, EM_TEMPERATURES)
    return {f"T, {steps} EM steps": value for steps, value in found.items()}


def _on_logits(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    return {"knn on logits": knn(rows.logits, rows.labels), "ridge on logits": ridge_probe(rows.logits, rows.labels)}


def _corrected(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    return {
        "T, corrected Kish": corrected(rows.logits, rows.labels),
        "LEEP on features": calibrated(centred(rows.features), rows.labels, kish=True),
    }


def _gaussian(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    return {
        GAUSSIAN: leep_gaussian(rows.logits, rows.labels, logits=True),
        "leep_gaussian on features": leep_gaussian(rows.features, rows.labels, logits=True),
    }


def _pooled(rows: Rows, card: ModelCard, seed: int) -> dict[str, float]:
    return {POOLED: leep_pooled(rows.features, rows.labels, logits=rows.logits)}


BLOCKS: dict[str, Block] = {
    "library": _library,
    "variants": _variants,
    "em": _em,
    "on logits": _on_logits,
    "corrected": _corrected,
    "gaussian": _gaussian,
    "pooled": _pooled,
}
