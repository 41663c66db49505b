"""Do verdicts on a gain hold? Coverage of its 95 % interval, false alarms and power, in simulated campaigns.

    python benchmarks/verdicts.py [--draws 1000]

Each example has a difficulty that all runs share, each run a level that scatters from seed to seed, and each answer
some chance of its own. The truth is the difference of the arms' mean levels. Goals: 95 % intervals cover 92 to 98 % for
2 to 6 seeds, 50 to 2,000 test examples and seed deviations of 0.01 to 0.06; a false "negative" at most 5 %; a gain of
-0.10 found in at least 60 % with three seeds and 500 examples. All draws of a setting are simulated at once, and the
first of them are checked against `headstart.evaluation.gain`. About two minutes on one core.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from headstart.evaluation import Gain, gain, judge
from headstart.evaluation.gain import half_width
from headstart.records import Predictions
from headstart.stats import jackknife_groups

SEEDS, EXAMPLES, DEVIATIONS = (2, 3, 4, 6), (50, 200, 500, 2000), (0.01, 0.03, 0.06)
LEVEL = 0.75  # accuracy of the arm without the difference
AT_ONCE, CHECKED = 100, 2  # draws that are simulated together, and that `gain` repeats


@dataclass(frozen=True)
class Cell:
    """What one setting gave."""

    seeds: int
    n: int
    deviation: float
    coverage: float
    negative: float  # share of verdicts "negative" where there is no difference
    found: float  # share of verdicts "negative" where the gain is -0.10


def draw(rng: np.random.Generator, n: int, seeds: int, deviation: float, difference: float) -> np.ndarray:
    """(draws, arms, seeds, n): which answers are right, of a transfer and of scratch that differ by `difference`.

    Ranks of difficulty are correlated by 0.7 between runs, so that some answers are chance.
    """
    shared = rng.standard_normal((AT_ONCE, 1, 1, n))
    rank = np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.standard_normal((AT_ONCE, 2, seeds, n))
    means = np.array([LEVEL + difference, LEVEL])[:, None, None]
    level = np.clip(means + deviation * rng.standard_normal((AT_ONCE, 2, seeds, 1)), 0, 1)
    return np.asarray(rank < special.ndtri(level))


def gains(right: np.ndarray) -> Iterator[Gain]:
    """The gain in accuracy of every draw, as `gain` finds it one by one."""
    draws, _, seeds, n = right.shape
    groups = jackknife_groups(n, seed=0)
    dealt = np.eye(groups.max() + 1)[groups]
    count = dealt.shape[1]
    reached = right.mean(axis=3)
    deleted = (right.sum(axis=3)[..., None] - right @ dealt) / (n - dealt.sum(axis=0))
    parts = reached[..., None] - (count - 1) * (deleted - deleted.mean(axis=3, keepdims=True))
    for k in range(draws):
        reach = half_width(reached[k], parts[k], 0.95)
        between = parts[k, 0].mean(axis=0) - parts[k, 1].mean(axis=0)
        if np.ptp(between) < 1e-12 * n:  # no example tells the arms apart
            reach = float(np.hypot(reach, 1 - 0.05 ** (1 / n)))
        arms = float(reached[k, 0].mean()), float(reached[k, 1].mean())
        value = arms[0] - arms[1]
        found = Gain(*arms, value, value - reach, value + reach, 0.95, seeds)
        if k < CHECKED:
            check(found, right[k])
        yield found


def check(found: Gain, right: np.ndarray) -> None:
    """Compare one draw with what `gain` makes of its predictions."""
    n = right.shape[2]
    labels, ids = np.arange(n) % 2, tuple(map(str, range(n)))
    arms = [[Predictions(ids, labels, np.eye(2)[np.where(run, labels, 1 - labels)]) for run in arm] for arm in right]
    true = gain(*arms, metric="accuracy")
    ours, theirs = (np.array([one.low, one.value, one.high], dtype=float) for one in (found, true))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def cell(seeds: int, n: int, deviation: float, draws: int, seed: int = 0) -> Cell:
    """One setting, `draws` times without a difference and as often with one of -0.10."""
    rng = np.random.default_rng([seed, seeds, n, round(1000 * deviation)])
    covered, negative, rounds = np.zeros(2), np.zeros(2), -(-draws // AT_ONCE)
    for place, difference in enumerate((0.0, -0.1)):
        for _ in range(rounds):
            for found in gains(draw(rng, n, seeds, deviation, difference)):
                assert found.low is not None, "two seeds have an interval"
                assert found.high is not None, "two seeds have an interval"
                covered[place] += found.low <= difference <= found.high
                negative[place] += judge(found)[0] == "negative"
    none, real = negative / (rounds * AT_ONCE)
    return Cell(seeds, n, deviation, float(covered.mean() / (rounds * AT_ONCE)), float(none), float(real))


def bounds() -> list[str]:
    """Power at a seed deviation of 0.06 with a test part without end, in closed form."""
    lines = [
        "",
        "What no formula can change: at a seed deviation of 0.06 the difference of two arms has a standard error of "
        "0.06 sqrt(2 / seeds), even on an endless test part. A gain of -0.10 is then found with these probabilities, "
        "by the noncentral t with 2 (seeds - 1) degrees of freedom and, with the deviation known exactly, by the "
        "normal distribution:",
        "",
        "| seeds | two-sided 95 % interval | one-sided, wrong 5 % of the time | the same, deviation known |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for seeds in (*SEEDS, 8, 10):
        away, free = 0.1 / (0.06 * np.sqrt(2 / seeds)), 2 * (seeds - 1)
        two, one = (stats.nct.sf(special.stdtrit(free, level), free, away) for level in (0.975, 0.95))
        known = stats.norm.sf(special.ndtri(0.95) - away)
        lines.append(f"| {seeds} | {two:.2f} | {one:.2f} | {known:.2f} |")
    return lines


def cells(draws: int) -> Iterator[Cell]:
    """Every setting."""
    for seeds in SEEDS:
        for n in EXAMPLES:
            for deviation in DEVIATIONS:
                yield cell(seeds, n, deviation, draws)


def main() -> None:
    from _results import write_section

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    lines = [
        f"`python benchmarks/verdicts.py --draws {draws}`: 95 % intervals of a gain in accuracy; {2 * draws:,} draws "
        "a row for coverage, half of them for each of the last two columns.",
        "",
        "| seeds | test examples | seed deviation | coverage | false negative | a gain of -0.10 found |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in cells(draws):
        numbers = f"{one.coverage:.3f} | {one.negative:.3f} | {one.found:.2f}"
        lines.append(f"| {one.seeds} | {one.n:,} | {one.deviation:g} | {numbers} |")
        print(lines[-1], flush=True)
    write_section("Verdicts", [*lines, *bounds()])


if __name__ == "__main__":
    main()
