"""Forecasts against real heads: the rows behind `headstart.ranking.calibration`, and how well forecasts hold.

    python benchmarks/forecasts.py [--arrays FOLDER] [--make] [--plot docs/forecasts.png]

With `--make`, records what left-out predictions say and what heads then reach: on the arrays that `headstart benchmark`
ships (heads on 50 and 100 of the 200 examples are tested on the rest), and on those that `benchmarks/foresight.py` left
in `FOLDER` (pools of up to 2,000, test parts of up to 2,400). Of Grocery Store take the training part (its test part
comes from other shops, so it is no fresh data of the same kind); CIFAR-10 networks on CIFAR-10 are left out. The rows
go to `src/headstart/evaluation/benchmark/shipped/recorded.csv`. About ten minutes on one core.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from _results import write_section
from foresight_arrays import read_rows

from headstart.data import stratified_order
from headstart.evaluation.benchmark.stored import Pair, read_pairs, read_stored
from headstart.ranking.calibration import (
    Recorded,
    as_csv,
    fit,
    half_interval,
    judge,
    judged_view,
    left_out,
    read_recorded,
)
from headstart.ranking.evidence import Evidence, evidence_of
from headstart.ranking.forecasts import Calibration, probability_best
from headstart.records import Extraction, as_markdown
from headstart.scores import Inputs, evaluate
from headstart.stats import jackknife_groups, pseudo_values
from headstart.stats import probability_best as score_best
from headstart.train.head import fit_head

LARGE = (400, 1000)  # sizes at which forecasts are judged on the rest of the pool too
SIZES, DRAWS = (50, 100, 200, 400, 1000), {50: 2, 100: 2, 200: 2, 400: 2}
JOINED = (  # targets with the classes of several
    ("mnist", "notmnist"),
    ("fashion-mnist", "sign-digits", "trashnet"),
    ("fashion-mnist", "notmnist", "sign-digits", "usps"),
)
EACH = {"train": 1000, "test": 400}  # examples of each data set in a joined one
POOLS = 25  # of each size, drawn anew for each target
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01)
NEW, OLD = "forecasts of the outcome", ("leep_calibrated", "leep_pooled")  # OLD: scores whose interval gave it before
PLACE = Path(__file__).parent.parent / "src/headstart/evaluation/benchmark/shipped/recorded.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=Path, help="the folder `arrays` that benchmarks/foresight.py filled")
    parser.add_argument("--make", action="store_true", help="record anew; otherwise only judge")
    parser.add_argument("--plot", type=Path, help="draw forecasts against outcomes, and coverage, into this file")
    options = parser.parse_args()
    if options.make:
        PLACE.write_text(as_csv([*of_benchmark(), *(of_arrays(options.arrays) if options.arrays else ())]))
    rows = read_recorded()
    if options.plot:
        draw(rows, options.plot)
    rest = rest_lines(rows, list(of_rest(options.arrays))) if options.arrays else []
    table = as_markdown(judged_view(judge(rows)))
    write_section("Forecasts", [*_text(rows), table, "", *rest, *best_lines(rows)])


def _text(rows: list[Recorded]) -> list[str]:
    return [
        f"`python benchmarks/forecasts.py --arrays FOLDER`. {len(rows):,} transfers to {len({r.target for r in rows})} "
        "targets; every line is judged with its whole target left out. By sampling alone: mean error if only examples "
        f"and test part were drawn anew. Fitted to all: {fit(rows)}",
        "",
        "Real sources are six small networks (two CIFAR ResNets, MobileNetV1 0.25 and the zoo's tiny ones) on nine "
        "data sets with 6 to 100 classes and test parts of 411 to 2,400 examples, and on three joined ones. "
        "Fine-tuning: 18 small networks, 200 examples, one rate; on other networks its interval is a guess. The share "
        "of the error that sources do not have in common (`own`) was chosen on this table.",
        "",
    ]


def rest_lines(rows: list[Recorded], rest: list[Recorded]) -> list[str]:
    """How far heads miss that are judged on the rest of their pools, beside those judged on the test parts."""
    drawn = {row.target for row in rest}

    def learn(others: list[Recorded]) -> Calibration:
        known = {row.target for row in others}
        return fit([row for row in rows if row.target in known or row.target not in drawn])

    official = [
        row for row in rows if row.target in drawn and row.trained == row.examples >= min(r.examples for r in rest)
    ]
    lines = [
        "How much of that is the test part? The same sources and targets, judged on the test parts that the data come "
        "with, and on the rest of the pools that the examples were drawn from. Between targets: mean over the targets "
        "of what all of a target's sources miss by in common.",
        "",
        "| judged on | examples | mean error | by sampling alone | between targets | inside 90 % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for title, some in (("test part", official), ("rest of the pool", rest)):
        found = left_out(some, learn)
        for one in judge(some, learn):
            mine = [(row, seen) for row, seen in found if row.examples == one.examples]
            common = [
                abs(np.mean([row.accuracy - seen.mean for row, seen in mine if row.target == target]))
                for target in {row.target for row, _ in mine}
            ]
            cells = f"{one.error:.3f} | {one.floor:.3f} | {np.mean(common):.3f} | {100 * one.coverage:.0f} %"
            lines.append(f"| {title} | {one.examples:,} | {cells} |")
    return [*lines, ""]


def draw(rows: list[Recorded], path: Path) -> None:
    """Forecasts beside outcomes with 90 % intervals, and how many of the intervals hold, targets left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    found, held = left_out(rows), judge(rows)
    kinds = {"a new head": ("head", "#2f6fb3"), "fine-tuning": ("fine-tune", "#c8641e")}
    for title, (method, colour) in kinds.items():
        here = [(one, row) for row, one in found if row.method == method]
        shown = here[:: max(1, len(here) // 120)]
        x, y = [one.mean for one, _ in shown], [row.accuracy for _, row in shown]
        reach = [half_interval(row, one) for one, row in shown]
        left.errorbar(x, y, xerr=reach, fmt="o", ms=3, lw=0.6, alpha=0.6, color=colour, label=title)
        judged = [one for one in held if one.method == method and one.times == 1]
        sizes = [one.examples for one in judged]
        right.plot(sizes, [100 * one.coverage for one in judged], "o-", color=colour, label=title)
    left.axline((0, 0), slope=1, color="0.4", lw=1)
    left.set(xlabel="accuracy forecast, with its 90 % interval", ylabel="accuracy reached", xlim=(0, 1), ylim=(0, 1))
    right.axhspan(86, 94, color="0.9")
    right.axhline(90, color="0.4", lw=1)
    right.set(xscale="log", xlabel="labelled examples", ylabel="outcomes inside the interval (%)", ylim=(50, 100))
    right.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    right.minorticks_off()
    left.legend(frameon=False)
    right.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=90, metadata={"Software": None})


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
    """Real sources on real data sets and on joined ones, as far as their arrays are there."""
    there = {place.parent.name: sorted(one.name for one in place.parent.iterdir()) for place in folder.glob("*/*")}
    targets = {data: (data,) for data in sorted(there)} | {" + ".join(parts): parts for parts in JOINED}
    for target, parts in targets.items():
        for source in sorted(set.intersection(*(set(there.get(data, ())) for data in parts))):
            if "cifar10" in parts and "cifar10" in source:
                continue
            both = [_joined(folder, parts, source, part) for part in ("train", "test")]
            if both[0] is not None and both[1] is not None:
                yield from _of_pair(target, source, *both[0], *both[1])


def _of_pair(
    target: str, source: str, features: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray
) -> Iterator[Recorded]:
    for n, draw in ((size, draw) for size in SIZES for draw in range(DRAWS.get(size, 1))):
        if not 2 * len(np.unique(labels)) <= n <= len(labels):
            continue
        order = np.asarray(stratified_order(labels, draw))
        seen = evidence(features[order[:n]], labels[order[:n]])
        for times in [k for k in (1, 2, 4) if n * k <= len(order)]:
            own = order[: n * times]
            reached = accuracy(features[own], labels[own], test, truth)
            yield recorded(target, source, seen, "head", n * times, reached, len(truth))


def of_rest(folder: Path) -> Iterator[Recorded]:
    """The same for heads that are judged on the rest of the pool, which nobody drew in another way than their data."""
    for place in sorted(folder.glob("*/*")):
        target, source = place.parent.name, place.name
        pool = _joined(folder, (target,), source, "train")
        if pool is None or (target == "cifar10" and "cifar10" in source):
            continue
        (features, labels), order = pool, np.asarray(stratified_order(pool[1], 0))
        for n in (size for size in LARGE if 2 * len(np.unique(labels)) <= size <= len(labels) // 2):
            own, rest = order[:n], order[n:]
            reached = accuracy(features[own], labels[own], features[rest], labels[rest])
            yield recorded(target, source, evidence(features[own], labels[own]), "head", n, reached, len(rest))


def _joined(folder: Path, parts: tuple[str, ...], source: str, part: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Features and labels of one data set, or of several with the classes of all, as many examples of each."""
    rows = [read_rows(folder, data, source, part) for data in parts]
    there = [one for one in rows if one is not None]
    if len(there) < len(parts):
        return None
    most = EACH[part] if len(parts) > 1 else max(map(len, there))
    first = np.cumsum([0, *(one.labels.max() + 1 for one in there)])
    labels = [one.labels[:most] + start for one, start in zip(there, first, strict=False)]
    return np.concatenate([one.features[:most] for one in there]), np.concatenate(labels)


def by_score(pairs: list[Pair], name: str) -> list[np.ndarray]:
    """What each group of examples contributes to a score of each source: the basis of "its score is the best"."""
    found = []
    for pair in pairs:
        groups = jackknife_groups(len(pair.labels), seed=0)
        one = evaluate([name], labels=pair.labels, features=pair.features, logits=pair.logits, groups=groups)[0][name]
        assert one.deleted is not None
        found.append(pseudo_values(np.array([one.value]), one.deleted[None])[0])
    return found


def best_lines(rows: list[Recorded]) -> list[str]:
    """Probabilities of being the best head among the shipped sources, each target judged by the others' transfers."""
    stored = read_stored()
    heads = np.array(stored.outcomes["head"])[0]
    everything = list(read_pairs(stored))
    rng = np.random.default_rng(0)
    said: list[float] = []
    true: list[float] = []
    scores: dict[str, list[float]] = {}
    for t, target in enumerate(stored.targets):
        calibration = fit([row for row in rows if row.target != target])
        pairs = everything[t * len(stored.sources) : (t + 1) * len(stored.sources)]
        seen = [evidence(p.features, p.labels) for p in pairs]
        parts = {name: np.array(by_score(pairs, name)) for name in OLD}
        for size in (3, 5, 8, len(seen)):
            for _ in range(POOLS if size < len(seen) else 1):
                kept = rng.choice(len(seen), size, replace=False)
                best = (heads[t, kept] == heads[t, kept].max()).astype(float)
                best /= best.sum()
                guesses = {NEW: probability_best([seen[k] for k in kept], calibration), "1 / sources": 1 / size}
                guesses |= {
                    f"interval of the score ({name})": score_best(one[kept], seed=0) for name, one in parts.items()
                }
                for name, guess in guesses.items():
                    scores.setdefault(name, []).append(float(((guess - best) ** 2).sum()))
                said += np.asarray(guesses[NEW]).tolist()
                true += best.tolist()
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
    lines += [
        "",
        "Brier scores of the same pools (lower is better):",
        "",
        "| probability by | Brier score |",
        "|---|---:|",
    ]
    return [*lines, *(f"| {name} | {np.mean(values):.3f} |" for name, values in scores.items())]


if __name__ == "__main__":
    main()
