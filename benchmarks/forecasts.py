"""Forecasts against real heads: the rows behind `headstart.ranking.calibration`, and how well forecasts hold.

    python benchmarks/forecasts.py [--arrays FOLDER] [--make]

With `--make`, records what left-out predictions say and what heads then reach: on the arrays that `headstart benchmark`
ships (heads on 50 and 100 of the 200 examples are tested on the rest), and on those that `benchmarks/foresight.py` left
in `FOLDER` (pools of up to 2,000, test parts of up to 1,000). Grocery Store is left out there (its test part comes from
other shops, so it is no fresh data of the same kind), and so are CIFAR-10 networks on the images they were trained on.
The rows go to `src/headstart/evaluation/benchmark/shipped/recorded.csv`. About ten minutes on one core.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from _results import write_section

from headstart.data import stratified_order
from headstart.evaluation.benchmark.stored import read_pairs, read_stored
from headstart.ranking.calibration import Recorded, as_csv, fit, judge, judged_view, read_recorded
from headstart.ranking.evidence import Evidence, evidence_of
from headstart.ranking.forecasts import probability_best
from headstart.records import Extraction, as_markdown
from headstart.scores import Inputs
from headstart.stats import jackknife_groups
from headstart.train.head import fit_head

SIZES, DRAWS = (50, 100, 200, 400, 1000), {50: 2, 100: 2, 200: 2}
RUNS = {"train": ((0, 600), (600, 1000), (1000, 2000)), "test": ((0, 500), (500, 1000))}
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01)
PLACE = Path(__file__).parent.parent / "src/headstart/evaluation/benchmark/shipped/recorded.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=Path, help="the folder `arrays` that benchmarks/foresight.py filled")
    parser.add_argument("--make", action="store_true", help="record anew; otherwise only judge")
    options = parser.parse_args()
    if options.make:
        PLACE.write_text(as_csv([*of_benchmark(), *(of_arrays(options.arrays) if options.arrays else ())]))
    rows = read_recorded()
    write_section("Forecasts", [*_text(rows), as_markdown(judged_view(judge(rows))), "", *best_lines(rows)])


def _text(rows: list[Recorded]) -> list[str]:
    return [
        f"{len(rows):,} transfers to {len({row.target for row in rows})} targets; every line is judged with its whole "
        "target left out. By sampling alone: mean error if only examples and test part were drawn anew. Fitted to all: "
        f"{fit(rows)}",
        "",
    ]


def evidence(features: np.ndarray, labels: np.ndarray) -> Evidence:
    names = tuple(map(str, range(len(labels))))
    extraction = Extraction("", labels, names, features=features)
    found = evidence_of(
        Inputs(labels, features=features), extraction, "classification", None, jackknife_groups(len(labels), seed=0)
    )
    assert found is not None
    return found


def accuracy(features: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
    """Of a head at its optimum; a class that it never saw counts as wrong."""
    classes, codes = np.unique(labels, return_inverse=True)
    return float((classes[fit_head(features, codes).outputs(test).argmax(axis=1)] == truth).mean())


def recorded(
    target: str, source: str, seen: Evidence, method: str, trained: int, reached: float, tested: int
) -> Recorded:
    assert seen.hits is not None
    assert seen.confidence is not None
    said = (seen.hits, seen.confidence, seen.half)
    return Recorded(target, source, seen.examples, seen.classes, *said, method, trained, reached, tested)


def of_benchmark() -> Iterator[Recorded]:
    """The shipped pairs: 200 examples with recorded heads and fine-tuning, and heads on fewer of them."""
    stored = read_stored()
    heads, tuned = (np.array(stored.outcomes[kind]) for kind in ("head", "fine-tune"))
    places = product(range(len(stored.targets)), range(len(stored.sources)))
    for pair, (t, s) in zip(read_pairs(stored), places, strict=True):
        name, tested = (pair.target, pair.source), stored.test[t]
        order = np.asarray(stratified_order(pair.labels, 0))
        for n in (50, 100):
            kept, rest = order[:n], order[100:]
            seen = evidence(pair.features[kept], pair.labels[kept])
            for times in (1, 2) if n == 50 else (1,):
                own = order[: n * times]
                reached = accuracy(pair.features[own], pair.labels[own], pair.features[rest], pair.labels[rest])
                yield recorded(*name, seen, "head", n * times, reached, len(rest))
            yield recorded(*name, seen, "head", 200, float(heads[:, t, s].mean()), tested)
        seen = evidence(pair.features, pair.labels)
        yield recorded(*name, seen, "head", 200, float(heads[0, t, s]), tested)
        for reached in tuned[:, t, s]:
            yield recorded(*name, seen, "fine-tune", 200, float(reached), tested)


def of_arrays(folder: Path) -> Iterator[Recorded]:
    """Real sources on real data sets, as far as their arrays are there."""
    for place in sorted(folder.glob("*/*")):
        target, source = place.parent.name, place.name
        pool, test = _joined(place, "train"), _joined(place, "test")
        if pool is None or test is None or target == "grocery-store" or (target == "cifar10" and "cifar10" in source):
            continue
        for n, draw in ((size, draw) for size in SIZES for draw in range(DRAWS.get(size, 1))):
            if not 2 * len(np.unique(pool[1])) <= n <= len(pool[1]):
                continue
            order = np.asarray(stratified_order(pool[1], draw))
            seen = evidence(pool[0][order[:n]], pool[1][order[:n]])
            for times in [k for k in (1, 2, 4) if n * k <= len(order)]:
                own = order[: n * times]
                reached = accuracy(pool[0][own], pool[1][own], *test)
                yield recorded(target, source, seen, "head", n * times, reached, len(test[1]))


def _joined(place: Path, part: str) -> tuple[np.ndarray, np.ndarray] | None:
    found = []
    for a, b in RUNS[part]:
        path = place / f"{part}_{a}_{b}.npz"
        if not path.exists():
            break
        with np.load(path) as arrays:
            found += [(arrays["features"].astype(np.float32), arrays["labels"])] if "features" in arrays else []
    return (np.concatenate([f for f, _ in found]), np.concatenate([y for _, y in found])) if found else None


def best_lines(rows: list[Recorded]) -> list[str]:
    """Probabilities of being the best head among the shipped sources, each target judged by the others' transfers."""
    stored = read_stored()
    heads = np.array(stored.outcomes["head"])[0]
    pairs = list(read_pairs(stored))
    rng = np.random.default_rng(0)
    said: list[float] = []
    true: list[float] = []
    scores: list[tuple[float, float]] = []
    for t, target in enumerate(stored.targets):
        calibration = fit([row for row in rows if row.target != target])
        seen = [evidence(p.features, p.labels) for p in pairs[t * len(stored.sources) : (t + 1) * len(stored.sources)]]
        for size in (3, 5, 8, len(seen)):
            for _ in range(6 if size < len(seen) else 1):
                kept = rng.choice(len(seen), size, replace=False)
                chance = probability_best([seen[k] for k in kept], calibration)
                best = heads[t, kept] == heads[t, kept].max()
                said += chance.tolist()
                true += (best / best.sum()).tolist()
                scores.append(
                    (
                        float(((chance - best / best.sum()) ** 2).sum()),
                        float(((1 / size - best / best.sum()) ** 2).sum()),
                    )
                )
    p, q = np.array(said), np.array(true)
    lines = [
        "Probability of being the best head, pools of 3 to 18 shipped sources on 200 examples, target left out:",
        "",
    ]
    lines += ["| said | cases | mean said | came true |", "|---|---:|---:|---:|"]
    for low, high in pairwise(BINS):
        here = (p >= low) & (p < high)
        if here.any():
            lines.append(
                f"| {low:.2f} to {min(high, 1):.2f} | {here.sum():,} | {p[here].mean():.2f} | {q[here].mean():.2f} |"
            )
    ours, guess = np.array(scores).mean(axis=0)
    return [*lines, "", f"Brier score {ours:.3f}; with 1 / sources for each {guess:.3f}."]


if __name__ == "__main__":
    main()
