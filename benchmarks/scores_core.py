"""Time and memory of the core scores, side by side in one process; run by hand on a quiet machine.

python benchmarks/scores_core.py          # two threads, writes its section of RESULTS.md
python benchmarks/scores_core.py --quick  # fewer rounds, prints only
"""

import os
import sys

os.environ["OMP_NUM_THREADS"] = "2"  # before numpy is loaded: the targets are for two threads

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from _results import write_section

from headstart.scores import SCORES, Evaluation, evaluate, leep, leep_calibrated, leep_loo

N, Z, CLASSES = 20_000, 1_000, 100
DEFAULT = [name for name, row in SCORES.items() if row.default]


def every_class(probs: np.ndarray, labels: np.ndarray, dtype: type = np.float64) -> float:
    """LEEP the straightforward way: the likelihood of every class for every example, of which one is read.

    The public implementations keep the counts in float64, as ours does; in float32 the product is cheaper and the
    digits are fewer.
    """
    classes = labels.max() + 1
    joint = np.zeros((classes, probs.shape[1]), dtype=dtype)
    for y in range(classes):
        joint[y] = probs[labels == y].sum(axis=0)
    conditional = joint / joint.sum(axis=0)
    return float(np.log((probs @ conditional.T)[np.arange(len(labels)), labels]).mean())


def side_by_side(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Best time of each action in seconds, the actions taking turns so that a busy machine slows all alike.

    A turn is a pause and three calls: the threads of a matrix product go on spinning for some 25 ms after it and would
    slow whichever action comes next (with OPENBLAS_THREAD_TIMEOUT=4 they stop at once, and no pause is needed).
    """
    best = dict.fromkeys(actions, np.inf)
    for action in actions.values():
        action()
    for _ in range(rounds):
        for name, action in actions.items():
            time.sleep(0.05)
            for _ in range(3):
                started = time.perf_counter()
                action()
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def peak_mb(action: Callable[[], object]) -> float:
    """Largest memory an action holds beyond its inputs."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def kernels(rounds: int) -> list[str]:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(N, Z)).astype(np.float32)
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    del logits
    labels = rng.integers(0, CLASSES, N)
    actions: dict[str, Callable[[], object]] = {
        "sum(): read once": lambda: probs.sum(),
        "leep": lambda: leep(probs, labels),
        "leep_loo": lambda: leep_loo(probs, labels),
        "every class (n z C), float64": lambda: every_class(probs, labels),
        "every class (n z C), float32": lambda: every_class(probs, labels, np.float32),
    }
    seconds = side_by_side(actions, rounds)
    seconds |= side_by_side({"leep_calibrated": lambda: leep_calibrated(probs, labels)}, max(1, rounds // 10))
    memory = {name: peak_mb(action) for name, action in actions.items()}
    memory["leep_calibrated"] = peak_mb(lambda: leep_calibrated(probs, labels))
    read, plain = seconds["sum(): read once"], seconds["leep"]
    wide, narrow = seconds["every class (n z C), float64"], seconds["every class (n z C), float32"]
    return [
        f"n = {N:,}, z = {Z:,}, {CLASSES} classes, float32, 2 threads; best of {rounds} rounds; checking included.",
        "",
        "| | ms | times the read | peak extra MB |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {1e3 * s:.1f} | {s / read:.1f} | {memory[name]:.1f} |" for name, s in seconds.items()),
        "",
        f"leep is {wide / plain:.1f} times faster than the n z C form in float64, as published (target 8), "
        f"{narrow / plain:.1f} times faster than that in float32, and takes {plain / read:.1f} reads (target 5); "
        f"leep_loo takes {seconds['leep_loo'] / plain:.2f} times "
        "leep (target at most 1.5); extra memory target under 64 MB.",
        "",
    ]


def one_source(n: int, d: int, z: int, classes: int) -> list[str]:
    """All default scores of one source with their twenty left-out groups."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    features = np.maximum(rng.normal(size=(n, d)) + 0.2 * rng.normal(size=(classes, d))[labels], 0).astype(np.float32)
    logits = (rng.normal(size=(n, z)) + rng.normal(size=(classes, z))[labels]).astype(np.float32)
    groups = np.arange(n) % 20

    def scored(rows: slice) -> tuple[dict[str, Evaluation], dict[str, str]]:
        return evaluate(DEFAULT, labels=labels[rows], groups=groups[rows], logits=logits[rows], features=features[rows])

    scored(slice(5 * classes))  # compiled before the clock runs
    started = time.perf_counter()
    done, missing = scored(slice(None))
    total = time.perf_counter() - started
    assert not missing, missing
    return [
        f"n = {n:,}, d = {d:,}, z = {z:,}, {classes} classes: {total:.2f} s in all, shared work counted where it fell.",
        "",
        "| score | s |",
        "|---|---:|",
        *(f"| {name} | {evaluation.seconds:.3f} |" for name, evaluation in done.items()),
        "",
    ]


def main() -> None:
    quick = "--quick" in sys.argv
    lines = kernels(5 if quick else 30)
    lines += ["Default scores of one source, each with its value and 20 left-out groups:", ""]
    for shape in [(1_000, 1_280, 1_000, 10), (2_000, 2_048, 1_000, 37), (20_000, 512, 1_000, 100)][: 1 if quick else 3]:
        lines += one_source(*shape)
    print("\n".join(lines))
    if not quick:
        write_section("Core scores", lines)


if __name__ == "__main__":
    main()
