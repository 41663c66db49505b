"""How honest the score that can say no is: false alarms, power, coverage, bias, and the numbers of examples it plans.

    python benchmarks/calibration.py          # 1,000 draws a cell (coverage: 4,000); writes its section of RESULTS.md
    python benchmarks/calibration.py --quick  # 40 draws, prints only

All worlds are simulated, so that the truth is known: the expected log-likelihood on fresh examples of the classifier
that LEEP counts, from fresh examples and not from any formula of ours. Counts, not timings: a busy machine changes
nothing.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from _results import write_section
from scipy import stats

from headstart.ranking.build import build
from headstart.ranking.measure import Measurement
from headstart.ranking.sample_size import Plan, plan, separation
from headstart.ranking.uncertainty import estimate, verdict
from headstart.records import Extraction, Provenance, TargetSummary
from headstart.scores import Evaluation, evaluate
from headstart.stats import Estimate, jackknife_groups

PRIOR = 0.5  # counts of the label frequencies behind each source class, as in leave-one-out LEEP
FRESH = 500  # unseen examples a draw
MORE = 4  # times as many draws for coverage, where a share of 1,000 is uncertain by most of what is asked
BAND = (0.92, 0.99)  # asked of the coverage


@dataclass(frozen=True)
class World:
    """A source whose `z` classes see the target's `classes` labels through noise; strength 0 sees nothing."""

    z: int
    classes: int
    strength: float
    sharpness: float = 2.0
    uneven: float = 1.0  # the largest class is so many times the smallest
    seed: int = 0

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (n, z) and labels (n,)."""
        weights = self.uneven ** -np.linspace(0, 1, self.classes)
        labels = rng.choice(self.classes, n, p=weights / weights.sum())
        return self.see(labels, rng), labels

    def see(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Probabilities (n, z) for examples of these labels."""
        centres = np.random.default_rng(self.seed).standard_normal((self.classes, self.z), dtype=np.float32)
        noise = rng.standard_normal((len(labels), self.z), dtype=np.float32)
        logits = np.float32(self.sharpness) * (np.float32(self.strength) * centres[labels] + noise)
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(probs / probs.sum(axis=1, keepdims=True))


def fresh_value(table_probs: np.ndarray, table_labels: np.ndarray, probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean log-likelihood of fresh examples under the counts of others, written out plainly."""
    classes = table_labels.max() + 1
    counts = np.bincount(table_labels, minlength=classes)
    frequency = (counts + 0.5) / (len(table_labels) + classes / 2)
    joint = np.stack([table_probs[table_labels == y].sum(axis=0) for y in range(classes)])
    table = (joint + PRIOR * frequency[:, None]) / (joint.sum(axis=0) + PRIOR)
    return float(np.log(np.einsum("nz,nz->n", probs, table[labels])).mean())


def frequencies_value(table_labels: np.ndarray, labels: np.ndarray) -> float:
    counts = np.bincount(table_labels)
    return float(np.log((counts + 0.5) / (len(table_labels) + len(counts) / 2))[labels].mean())


def scored(probs: np.ndarray, labels: np.ndarray, names: Iterable[str], seed: int) -> dict[str, Evaluation]:
    done, missing = evaluate(list(names), labels=labels, groups=jackknife_groups(len(labels), seed=seed), probs=probs)
    assert not missing, missing
    return done


def false_alarms(draws: int) -> list[str]:
    lines = [
        "False alarms: share of blind sources, independent of the labels, that the verdict calls better than guessing.",
        "",
        "| n | z | 2 classes | 10 classes |",
        "|--:|--:|--:|--:|",
    ]
    worst = 0.0
    for n in (50, 100, 200, 500, 1_000, 2_000):
        for z in (10, 100, 1_000):
            shares = [share_advised(World(z, classes, 0.0), n, draws) for classes in (2, 10)]
            worst = max(worst, *shares)
            lines.append(f"| {n:,} | {z:,} | {shares[0]:.1%} | {shares[1]:.1%} |")
    return [*lines, "", f"The largest is {worst:.1%} (target: at most 5 %), over {draws:,} draws a cell.", ""]


def share_advised(world: World, n: int, draws: int) -> float:
    """Share of draws in which the verdict does not advise against the source."""
    rng = np.random.default_rng([n, world.z, world.classes, int(1000 * world.strength)])
    kept = 0
    for seed in range(draws):
        probs, labels = world.draw(n, rng)
        kept += not verdict(scored(probs, labels, ["leep_skill"], seed)["leep_skill"])[1]
    return kept / draws


def power(draws: int) -> list[str]:
    lines = [
        "Power at n = 100, 5 classes: share of informative sources that the verdict calls better than guessing.",
        "Skill is the truth: nats above guessing by the frequencies, on fresh examples.",
        "",
        "| z | strength | skill | found |",
        "|--:|--:|--:|--:|",
    ]
    for z in (10, 100, 1_000):
        for strength in (0.1, 0.2, 0.4, 0.8):
            world = World(z, 5, strength)
            rng = np.random.default_rng([z, int(1000 * strength)])
            skill = np.mean([_fresh_skill(world, 100, rng) for _ in range(100)])
            lines.append(f"| {z:,} | {strength} | {skill:.3f} | {share_advised(world, 100, draws):.1%} |")
    return [*lines, ""]


def _fresh_skill(world: World, n: int, rng: np.random.Generator) -> float:
    probs, labels = world.draw(n, rng)
    new_probs, new_labels = world.draw(FRESH, rng)
    return fresh_value(probs, labels, new_probs, new_labels) - frequencies_value(labels, new_labels)


SETTINGS = (
    (100, World(10, 5, 0.5)),
    (100, World(100, 5, 0.5)),
    (100, World(1_000, 5, 0.5)),
    (200, World(100, 2, 0.3)),
    (200, World(100, 10, 0.5, uneven=5.0)),
    (500, World(1_000, 20, 0.5)),
    (1_000, World(100, 5, 0.2)),
    (2_000, World(200, 37, 0.5)),
)
OTHERS = (  # flat and sharp heads, uneven classes
    (100, World(30, 3, 1.0, sharpness=4.0)),
    (120, World(1_000, 3, 0.3, sharpness=3.0)),
    (150, World(50, 8, 0.8, sharpness=1.0, uneven=10.0)),
    (300, World(300, 10, 0.3, sharpness=6.0, uneven=20.0)),
    (400, World(20, 2, 0.2, sharpness=3.0, uneven=4.0)),
)
COVERED = ("leep_loo", "leep_skill", "leep_calibrated", "leep", "nce")


def coverage(draws: int) -> list[str]:
    return [
        "Coverage of the 95 % intervals, a jackknife over 20 random groups. Leave-one-out LEEP and skill: of their "
        "value on fresh examples; others: of their own expectation at this n (the mean over the draws).",
        "",
        *_coverage(SETTINGS, MORE * draws),
        "The same in worlds of other shapes: flat and sharp heads, classes up to 20 times as large as others.",
        "",
        *_coverage(OTHERS, MORE * draws),
    ]


def _coverage(settings: tuple[tuple[int, World], ...], draws: int) -> list[str]:
    lines = [
        "| n | z | classes | " + " | ".join(COVERED) + " |",
        "|--:|--:|--:|" + "--:|" * len(COVERED),
    ]
    shares: dict[str, list[float]] = {name: [] for name in COVERED}
    first: list[float] = []
    for n, world in settings:
        covered, of_first = _covered(n, world, draws)
        first += of_first.values()
        for name in COVERED:
            shares[name].append(covered[name])
        lines.append(
            f"| {n:,} | {world.z:,} | {world.classes} | "
            + " | ".join(f"{covered[name]:.1%}" for name in COVERED)
            + " |"
        )
    spans = [f"{name} {min(found):.1%} to {max(found):.1%}" for name, found in shares.items()]
    every = [*chain.from_iterable(shares.values())]
    return [
        *lines,
        "",
        f"{'; '.join(spans)} (target {BAND[0]:.0%} to {BAND[1]:.0%} for n >= 100). {draws:,} draws a cell, of which a "
        f"share is uncertain by {_uncertain(draws)} points: {_inside(every)} cells within. The first "
        f"{draws // MORE:,} alone, by {_uncertain(draws // MORE)} points: {_inside(first)}, from "
        f"{min(first):.1%} to {max(first):.1%}.",
        "",
    ]


def _uncertain(draws: int) -> str:
    return f"{100 * 1.96 * np.sqrt(0.95 * 0.05 / draws):.1f}"


def _inside(shares: list[float]) -> str:
    within = sum(BAND[0] <= round(share, 3) <= BAND[1] for share in shares)
    return f"{within} of {len(shares)}"


def _covered(n: int, world: World, draws: int) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the draws whose interval holds the truth, by score; of all draws, and of the first few alone."""
    rng = np.random.default_rng([n, world.z, world.classes])
    intervals: dict[str, list[Estimate]] = {name: [] for name in COVERED}
    fresh: dict[str, list[float]] = {"leep_loo": [], "leep_skill": []}
    for seed in range(draws):
        probs, labels = _of_all_classes(world, n, rng)
        new_probs, new_labels = world.draw(FRESH, rng)
        fresh["leep_loo"].append(fresh_value(probs, labels, new_probs, new_labels))
        fresh["leep_skill"].append(fresh["leep_loo"][-1] - frequencies_value(labels, new_labels))
        for name, found in scored(probs, labels, COVERED, seed).items():
            interval = estimate(found)
            assert interval is not None
            intervals[name].append(interval)
    return _held(intervals, fresh, draws), _held(intervals, fresh, draws // MORE)


def _held(intervals: dict[str, list[Estimate]], fresh: dict[str, list[float]], draws: int) -> dict[str, float]:
    truth = {name: np.mean([one.value for one in found[:draws]]) for name, found in intervals.items()}
    truth |= {name: np.mean(values[:draws]) for name, values in fresh.items()}
    return {
        name: float(np.mean([one.low <= truth[name] <= one.high for one in found[:draws]]))
        for name, found in intervals.items()
    }


def _of_all_classes(world: World, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A draw with an example of every class: a target has no class that it has no example of."""
    while True:
        probs, labels = world.draw(n, rng)
        if len(np.unique(labels)) == world.classes:
            return probs, labels


def bias(draws: int) -> list[str]:
    lines = [
        "Bias: the score minus the value on fresh examples, 5 classes, sharp heads (sharpness 4), nats.",
        "",
        "| n | z | fresh | plain LEEP | leave-one-out | calibrated |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    names = ("leep", "leep_loo", "leep_calibrated")
    for n in (50, 100, 500, 2_000):
        for z in (10, 100, 1_000):
            world, rng = World(z, 5, 0.4, sharpness=4.0), np.random.default_rng([n, z])
            fresh: list[float] = []
            values: dict[str, list[float]] = {name: [] for name in names}
            for seed in range(max(20, draws // 10)):
                probs, labels = world.draw(n, rng)
                fresh.append(fresh_value(probs, labels, *world.draw(FRESH, rng)))
                for name, found in scored(probs, labels, names, seed).items():
                    values[name].append(found.value)
            truth = np.mean(fresh)
            off = [f"{np.mean(values[name]) - truth:+.3f}" for name in names]
            lines.append(f"| {n:,} | {z:,} | {truth:.3f} | {' | '.join(off)} |")
    return [
        *lines,
        "",
        "(Calibrated LEEP scores at another temperature: its column is a gain, not a bias.)",
        "",
    ]


def number_of_classes(worlds: int) -> list[str]:
    """Twelve sources of random strength and head size at n = 100: does the score follow the truth, or z?"""
    taus: dict[str, list[tuple[float, float]]] = {"leep": [], "leep_loo": []}
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        sizes = rng.permutation(np.geomspace(5, 1_000, 12).astype(int))
        sources = [World(int(z), 5, rng.uniform(0.1, 0.6), sharpness=rng.uniform(1, 4), seed=k)
                   for k, z in enumerate(sizes)]  # fmt: skip
        found: dict[str, list[float]] = {"leep": [], "leep_loo": []}
        truth = []
        for source in sources:
            probs, labels = source.draw(100, rng)
            truth.append(fresh_value(probs, labels, *source.draw(FRESH, rng)))
            for name, one in scored(probs, labels, found, seed).items():
                found[name].append(one.value)
        for name, values in found.items():
            taus[name].append((stats.kendalltau(values, truth)[0], stats.kendalltau(values, sizes)[0]))
    means = {name: np.mean(pairs, axis=0) for name, pairs in taus.items()}
    return [
        f"Twelve sources of different strength and head size at n = 100, {worlds} worlds; mean Kendall tau:",
        "",
        "| score | with the truth | with the number of source classes |",
        "|---|--:|--:|",
        *(f"| {name} | {truth:.2f} | {size:.2f} |" for name, (truth, size) in means.items()),
        "",
    ]


def plans(pilots: int) -> list[str]:
    """Numbers of examples planned from 200, against the number that the true difference asks for."""
    lines = [
        f"`plan` from pilots of 200 examples, {pilots} pilots a row; two sources of 20 classes on 5.",
        "",
        "| strengths | truly needed | planned, median | within [fewest, most] |",
        "|---|--:|--:|--:|",
    ]
    for strong, weak in ((0.5, 0.45), (0.5, 0.4), (0.5, 0.3)):
        pair = (World(20, 5, strong, seed=1), World(20, 5, weak, seed=1))
        need = _needed(pair)
        made = [_plan(pair, 200, seed) for seed in range(pilots)]
        right = [one for one in made if one.first == "0"]
        held = np.mean([one.fewest <= need <= (one.most or np.inf) for one in right])
        middle = np.median([one.examples or np.inf for one in right])
        lines.append(f"| {strong}, {weak} | {need:,.0f} | {middle:,.0f} | {held:.1%} of {len(right)} right way round |")
    return [*lines, ""]


def _needed(pair: tuple[World, World]) -> float:
    """Examples at which the true difference is as many true standard errors as the test needs."""
    draws = [_differences(pair, 200, seed) for seed in range(1_000, 1_400)]
    return float(200 * (separation(0.9, 0.95) * np.std(draws) / np.mean(draws)) ** 2)


def _differences(pair: tuple[World, World], n: int, seed: int) -> float:
    first, second = (one["leep_loo"].value for _, one in _both(pair, n, seed))
    return first - second


def _both(pair: tuple[World, World], n: int, seed: int) -> list[tuple[np.ndarray, dict[str, Evaluation]]]:
    """Labels and scores of two sources that see the same examples, each through noise of its own."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, pair[0].classes, n)
    return [(labels, scored(world.see(labels, rng), labels, ["leep_loo"], seed)) for world in pair]


def _plan(pair: tuple[World, World], n: int, seed: int) -> Plan:
    rows = tuple(map(str, range(n)))
    both = _both(pair, n, seed)
    measured = [
        Measurement(Extraction(name, labels, rows), found, {}) for name, (labels, found) in zip("01", both, strict=True)
    ]
    counts = tuple(int(count) for count in np.bincount(both[0][0]))
    target = TargetSummary("simulated", "arrays", "classification", n, None, tuple("abcde"), counts)
    made = Provenance("benchmarks/calibration.py", seed, "", {}, "")
    return plan(build(target, measured, scores=("leep_loo",), sort=("leep_loo", ""), provenance=made))


def main() -> None:
    quick = "--quick" in sys.argv
    draws = 40 if quick else 1_000
    parts: tuple[Callable[[], list[str]], ...] = (
        lambda: false_alarms(draws),
        lambda: power(draws),
        lambda: coverage(draws),
        lambda: bias(draws),
        lambda: number_of_classes(draws // 10),
        lambda: plans(draws // 4),
    )
    lines = [f"{draws:,} draws a cell, seeded; `python benchmarks/calibration.py`.", ""]
    for part in parts:
        found = part()
        print("\n".join(found), flush=True)
        lines += found
    if not quick:
        write_section("Calibration", lines)


if __name__ == "__main__":
    main()
