"""What the interval of each score costs beside its value, one score at a time and all together.

    python benchmarks/intervals.py                        # every score at three sizes; writes its section of RESULTS.md
    python benchmarks/intervals.py --only knn logme --dry # these scores, printed only
    python benchmarks/intervals.py --totals --dry         # only all together and the default ones together

Processor seconds, the least of the runs: other work on the machine changes the ratios little. `extra` is the time of
the 20 left-out values as a multiple of the time of the value alone; both are measured in the same run, on fresh inputs.
Scores together are computed as one ranking does, work that several need shared; goals: 1.5 for the default ones, 3 for
all of them.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
from _results import write_section

from headstart.scores import SCORES, evaluate
from headstart.stats import jackknife_groups

SIZES = ((1_000, 1_280, 1_000, 10), (5_000, 512, 200, 50), (20_000, 512, 200, 100))  # n, d, z, C
HEADER = ("| score | value, s | with its interval, s | extra |", "|---|--:|--:|--:|")


class World:
    """Features and logits in which two classes lie three standard deviations apart: good sources, far from perfect."""

    def __init__(self, n: int, d: int, z: int, classes: int) -> None:
        rng = np.random.default_rng(0)
        self.labels = rng.integers(classes, size=n)
        centres, heads = (2.1 * rng.standard_normal((classes, width)) / np.sqrt(width) for width in (d, z))
        spectrum = (1 + np.arange(d)) ** -0.5
        self.features = ((centres[self.labels] + rng.standard_normal((n, d))) * spectrum).astype(np.float32)
        self.logits = (2 * heads[self.labels] + 2 * rng.standard_normal((n, z))).astype(np.float32)
        self.groups = jackknife_groups(n, seed=0)

    def seconds(self, names: Sequence[str], runs: int, intervals: bool, task: str = "classification") -> float:
        """Processor seconds of these scores on fresh inputs; the least of several runs."""
        taken = []
        for _ in range(runs):
            started = time.process_time()
            done, missing = evaluate(
                names,
                labels=self.labels.astype(float) if task == "regression" else self.labels,
                groups=self.groups if intervals else None,
                logits=self.logits,
                features=self.features,
                task=task,
            )
            taken.append(time.process_time() - started)
            if missing:
                raise SystemExit(f"not measured: {missing}")
            if intervals and (bare := [name for name, one in done.items() if one.deleted is None]):
                raise SystemExit(f"no interval: {bare}")
        return min(taken)


def compare(world: World, names: Sequence[str], runs: int, task: str = "classification") -> tuple[float, float]:
    """Seconds of the values alone, and with their intervals; warmed up by one run of each."""
    world.seconds(names, 1, True, task)
    alone = world.seconds(names, runs, False, task)
    return alone, world.seconds(names, runs, True, task)


def row(name: str, alone: float, both: float) -> str:
    line = f"| {name} | {alone:.3f} | {both:.3f} | {both / alone - 1:.1f} |"
    print(line, flush=True)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(SCORES), help="these scores")
    parser.add_argument("--totals", action="store_true", help="only scores together, none alone")
    parser.add_argument("--size", type=int, nargs=4, metavar=("n", "d", "z", "C"), help="another size; nothing written")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="nothing is written")
    chosen = parser.parse_args()
    usual = [name for name, one in SCORES.items() if one.default]
    measured = [name for name, one in SCORES.items() if one.needs in ("probs", "logits", "features")]
    every = [name for name in measured if SCORES[name].suits("classification")]
    lines = []
    for size in [tuple(chosen.size)] if chosen.size else SIZES:
        n, d, z, classes = size
        world, title = World(n, d, z, classes), f"n = {n:,}, d = {d:,}, z = {z:,}, {classes} classes"
        lines += [title, "", *HEADER]
        print(title, flush=True)
        single = [0.0, 0.0]
        for name in [] if chosen.totals else chosen.only or measured:
            task = "classification" if SCORES[name].suits("classification") else "regression"
            alone, both = compare(world, [name], chosen.runs, task)
            single = [single[0] + alone, single[1] + both]
            lines.append(row(name, alone, both))
        if single[0]:
            lines.append(row("sum of the above", *single))
        if not chosen.only:
            lines.append(
                row(f"the {len(usual)} default scores together (goal: 1.5)", *compare(world, usual, chosen.runs))
            )
            lines.append(row(f"all {len(every)} scores of classes together (goal: 3)", *compare(world, every, 1)))
        lines.append("")
    if not (chosen.dry or chosen.only or chosen.size or chosen.totals):
        write_section("Intervals beside values (`benchmarks/intervals.py`)", lines)


if __name__ == "__main__":
    main()
