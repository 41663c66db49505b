"""Time every score against a plain transcription of its published algorithm, in one process.

    python benchmarks/scores.py --quick            seconds, small sizes
    python benchmarks/scores.py                    the sizes of the claims; a quarter of an hour on two quiet cores
    python benchmarks/scores.py --only nleep parc  some scores

Each of ours is called as a user calls it: checks, decomposition and all. Peak memory is what numpy allocates beyond the
inputs during one more call, traced. Threads are those of the environment (OMP_NUM_THREADS).
"""

import argparse
import gc
import os
import platform
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy

from headstart import scores
from headstart.scores import SCORES, evaluate
from headstart.stats import jackknife_groups

sys.path.insert(0, str(Path(__file__).parent))

from _results import write_section
from transcriptions import on_features, on_probs

PATIENCE = 10.0  # seconds of a transcription that is run once more, traced, for its memory
PAIRWISE = 5000  # most rows for a transcription that forms n x n matrices


@dataclass(frozen=True)
class World:
    """One source's arrays on one target, shaped like a real one's."""

    name: str
    features: np.ndarray  # (n, d) float32, not negative, variances falling as 1 / rank
    logits: np.ndarray  # (n, z) float32
    probs: np.ndarray  # (n, z) float32
    labels: np.ndarray  # (n,)
    numbers: np.ndarray  # (n,) a target for regression

    def first(self, rows: int) -> "World":
        return World(self.name, *(part[:rows] for part in self.arrays()))

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.features, self.logits, self.probs, self.labels, self.numbers


def make_world(n: int, d: int, z: int, classes: int, seed: int = 0) -> World:
    """Features with class structure and a falling spectrum; a sharp random head on them."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    spread = np.arange(1, d + 1) ** -0.5
    latent = (rng.normal(size=(n, d)) + 1.2 * rng.normal(size=(classes, d))[labels]) * spread
    features = np.maximum(latent @ np.linalg.qr(rng.normal(size=(d, d)))[0] + 0.02, 0).astype(np.float32)
    centred = features - features.mean(axis=0)
    logits = (centred @ rng.normal(size=(d, z)).astype(np.float32)) * np.float32(4 / centred.std() / np.sqrt(d))
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    numbers = latent[:, 0] + 0.5 * rng.normal(size=n)
    return World(f"n={n:,} d={d:,} z={z:,} C={classes}", features, logits, probs, labels, numbers)


@dataclass(frozen=True)
class Case:
    """One score, ours and theirs, on a world."""

    ours: Callable[[World], object]
    theirs: Callable[[World], object]
    pairwise: bool = False  # the transcription needs n x n matrices


def _wide(world: World) -> np.ndarray:
    return world.features.astype(np.float64)


CASES: dict[str, Case] = {
    "leep": Case(lambda w: scores.leep(w.probs, w.labels), lambda w: on_probs.leep(w.probs, w.labels)),
    "nce": Case(lambda w: scores.nce(w.probs, w.labels), lambda w: on_probs.nce(w.probs, w.labels)),
    "soft_nce": Case(
        lambda w: scores.soft_nce(w.probs, w.labels), lambda w: on_probs.conditional_entropy(w.probs, w.labels)
    ),
    "pactran_dirichlet": Case(
        lambda w: scores.pactran_dirichlet(w.probs, w.labels), lambda w: on_probs.pactran_dirichlet(w.probs, w.labels)
    ),
    "pactran_gamma": Case(
        lambda w: scores.pactran_gamma(w.probs, w.labels), lambda w: on_probs.pactran_gamma(w.probs, w.labels)
    ),
    "etran_energy": Case(lambda w: scores.etran_energy(w.logits, w.labels), lambda w: on_probs.energy(w.logits)),
    "ms_leep": Case(
        lambda w: scores.ms_leep([w.probs, w.probs[:, ::-1]], w.labels),
        lambda w: on_probs.ms_leep([w.probs, w.probs[:, ::-1]], w.labels),
    ),
    "e_leep": Case(
        lambda w: scores.e_leep([w.probs, w.probs[:, ::-1]], w.labels),
        lambda w: on_probs.e_leep([w.probs, w.probs[:, ::-1]], w.labels),
    ),
    "h_score": Case(lambda w: scores.h_score(w.features, w.labels), lambda w: on_features.h_score(_wide(w), w.labels)),
    "regularized_h_score": Case(
        lambda w: scores.regularized_h_score(w.features, w.labels),
        lambda w: on_features.regularized_h_score(_wide(w), w.labels),
    ),
    "logme": Case(lambda w: scores.logme(w.features, w.labels), lambda w: on_features.logme(_wide(w), w.labels)),
    "knn": Case(lambda w: scores.knn(w.features, w.labels), lambda w: on_features.knn(_wide(w), w.labels), True),
    "nleep": Case(lambda w: scores.nleep(w.features, w.labels), lambda w: on_features.nleep(_wide(w), w.labels)),
    "transrate": Case(
        lambda w: scores.transrate(w.features, w.labels), lambda w: on_features.transrate(_wide(w), w.labels)
    ),
    "gbc": Case(lambda w: scores.gbc(w.features, w.labels), lambda w: on_features.gbc(_wide(w), w.labels)),
    "parc": Case(lambda w: scores.parc(w.features, w.labels), lambda w: on_features.parc(_wide(w), w.labels), True),
    "lfc": Case(lambda w: scores.lfc(w.features, w.labels), lambda w: on_features.lfc(_wide(w), w.labels), True),
    "sfda": Case(lambda w: scores.sfda(w.features, w.labels), lambda w: on_features.sfda(_wide(w), w.labels)),
    "etran_discriminant": Case(
        lambda w: scores.etran_discriminant(w.features, w.labels), lambda w: on_features.etran_lda(_wide(w), w.labels)
    ),
    "ncti": Case(lambda w: scores.ncti(w.features, w.labels), lambda w: on_features.ncti(_wide(w), w.labels)),
    "pactran_gaussian": Case(
        lambda w: scores.pactran_gaussian(w.features, w.labels),
        lambda w: on_features.pactran_gaussian(_wide(w), w.labels),
    ),
    "class_separation": Case(
        lambda w: scores.class_separation(w.features, w.labels),
        lambda w: on_features.class_separation(_wide(w), w.labels),
    ),
    "linear_mse": Case(
        lambda w: scores.linear_mse(w.features, w.numbers), lambda w: on_features.linear_mse(_wide(w), w.numbers)
    ),
}


def best_time(call: Callable[[], object], budget: float = 2.0, most: int = 5) -> tuple[float, object]:
    """Least seconds of up to `most` calls within about `budget` seconds, and the value."""
    times: list[float] = []
    value: object = None
    while len(times) < most and sum(times) < budget:
        started = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - started)
    return min(times), value


def peak_megabytes(call: Callable[[], object]) -> float:
    """Most that numpy held beyond what it held before, in MB."""
    return traced(call)[1]


def traced(call: Callable[[], object]) -> tuple[object, float]:
    """The value, and the most that numpy held beyond what it held before, in MB."""
    gc.collect()
    tracemalloc.start()
    value = call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return value, peak / 1e6


def shown(value: object) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return " / ".join(f"{float(part):.5g}" for part in values)


def compare(world: World, names: list[str]) -> list[str]:
    """The table of one world, as lines of Markdown."""
    lines = [
        f"### {world.name}",
        "",
        "| score | ours s | published s | times faster | ours MB | published MB | ours | published |",
        "|---|---|---|---|---|---|---|---|",
    ]
    small = make_world(300, 20, 30, 3)
    for name in names:
        case = CASES[name]
        short = case.pairwise and len(world.labels) > PAIRWISE
        used = world.first(PAIRWISE) if short else world
        case.ours(small)  # compile first
        ours, value = best_time(partial(case.ours, used))
        theirs, other = best_time(partial(case.theirs, used))
        measured = [case.ours, case.theirs] if theirs < PATIENCE else [case.ours]
        memory = [f"{peak_megabytes(partial(side, used)):.0f}" for side in measured] + ["not taken"]
        label = f"{name} (first {PAIRWISE:,} rows)" if short else name
        lines.append(
            f"| {label} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.1f} | {memory[0]} | {memory[1]} | "
            f"{shown(value)} | {shown(other)} |"
        )
        print(lines[-1], flush=True)
        if short:
            ours, value = best_time(partial(case.ours, world))
            whole = peak_megabytes(partial(case.ours, world))
            lines.append(f"| {name} (all rows) | {ours:.3f} | | | {whole:.0f} | | {shown(value)} | |")
            print(lines[-1], flush=True)
    return [*lines, ""]


def all_at_once(world: World) -> list[str]:
    """Every score of one source by one call of `evaluate`, without and with leave-one-group-out values."""
    names = [name for name, row in SCORES.items() if "classification" in row.tasks and row.needs != "card"]
    groups = jackknife_groups(len(world.labels), seed=0)
    lines = [f"### All scores of one source at once, {world.name}", ""]

    def run(groups: np.ndarray | None = None) -> dict[str, scores.Evaluation]:
        return evaluate(names, labels=world.labels, groups=groups, logits=world.logits, features=world.features)[0]

    for words, left_out in (("values only", None), ("values and 20 left-out values each", groups)):
        started = time.perf_counter()
        done = run(left_out)
        seconds = time.perf_counter() - started
        memory = f", {peak_megabytes(run):.0f} MB beyond the inputs at the most" if left_out is None else ""
        slow = sorted(done.items(), key=lambda item: -item[1].seconds)[:6]
        spent = ", ".join(f"{name} {one.seconds:.2f}" for name, one in slow)
        lines.append(f"- {words}: {len(done)} scores in {seconds:.1f} s{memory}. Slowest: {spent}.")
        print(lines[-1], flush=True)
    return [*lines, ""]


def out_of_core(n: int, z: int, classes: int = 100) -> list[str]:
    """LEEP of a float16 memory map on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probs.f16"
        mapped = np.memmap(path, dtype=np.float16, mode="w+", shape=(n, z))
        rng = np.random.default_rng(0)
        labels = np.arange(n) % classes
        centres = 3 * rng.normal(size=(classes, z)).astype(np.float32)
        for start in range(0, n, 2000):
            part = centres[labels[start : start + 2000]]
            part = np.exp(part + rng.standard_normal(part.shape, dtype=np.float32))
            mapped[start : start + 2000] = part / part.sum(axis=1, keepdims=True)
        mapped.flush()
        read = np.memmap(path, dtype=np.float16, mode="r", shape=(n, z))
        scores.leep(read[:100], labels[:100])
        lines = [f"### Out of memory: a float16 memory map of {n:,} x {z:,} ({n * z * 2 / 1e9:.1f} GB) on disk", ""]
        for name, function in (("leep", scores.leep), ("leep_loo", scores.leep_loo)):
            started = time.perf_counter()
            value, peak = traced(partial(function, read, labels))
            seconds = time.perf_counter() - started
            lines.append(f"- {name} = {value:.4f} in {seconds:.1f} s, {peak:.0f} MB allocated at the most.")
            print(lines[-1], flush=True)
        return [*lines, ""]


def machine() -> str:
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} processors, OMP_NUM_THREADS {threads}, Python "
        f"{platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}; load "
        f"{os.getloadavg()[0]:.1f} at the start. Seconds are the least of several calls."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), help="these scores; nothing is written")
    parser.add_argument("--skip", nargs="+", default=[], choices=["tables", "all", "disk"], help="leave parts out")
    parser.add_argument("--dry", action="store_true", help="nothing is written")
    parser.add_argument("--disk-rows", type=int, default=1_000_000, help="rows of the memory map (of 1,000 classes)")
    chosen = parser.parse_args()
    sizes = (
        [(1000, 64, 100, 10), (300, 400, 50, 5)] if chosen.quick else [(20_000, 512, 1000, 100), (2000, 2048, 1000, 10)]
    )
    names = chosen.only or list(CASES)
    lines = [
        machine(),
        "",
        "Both read the same float32 arrays; `published` is our transcription of the published code.",
        "",
    ]
    if "tables" not in chosen.skip:
        for size in sizes:
            lines += compare(make_world(*size), names)
    if not chosen.only:
        if "all" not in chosen.skip:
            lines += all_at_once(make_world(*sizes[0]))
        if "disk" not in chosen.skip:
            lines += out_of_core(5000 if chosen.quick else chosen.disk_rows, 1000)
    if chosen.skip:
        lines += [f"Left out of this run: {', '.join(chosen.skip)}.", ""]
    if not (chosen.quick or chosen.only or chosen.dry):
        write_section("Scores against the published algorithms (`benchmarks/scores.py`)", lines)


if __name__ == "__main__":
    main()
