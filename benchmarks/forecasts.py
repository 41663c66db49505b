"""Forecasts against real heads: the rows behind `headstart.ranking.calibration`, and how well forecasts hold.

    python benchmarks/forecasts.py [--arrays FOLDER] [--tuned FILE] [--make | --check 20] [--plot docs/forecasts.png]

With `--make`, records what left-out predictions say and what heads then reach: on the arrays that `headstart benchmark`
ships (heads on 50 and 100 of the 200 examples are tested on the rest), and on those that `benchmarks/foresight.py` left
in `FOLDER` (pools of up to 2,000, test parts of up to 2,400). Of Grocery Store take the training part (its test part
comes from other shops, so it is no fresh data of the same kind); CIFAR-10 networks on CIFAR-10 are left out. `--tuned`
names the results of `benchmarks/fine_tuned.py`: fine-tuning of other architectures. The rows go to
`src/headstart/evaluation/benchmark/shipped/recorded.csv`. About ten minutes on one core.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from _results import write_section
from fine_tuned import evidence, pairs_of
from foresight_arrays import read_rows

from headstart.data import stratified_order
from headstart.evaluation.benchmark.stored import Pair, Stored, read_pairs, read_stored
from headstart.ranking.calibration import (
    Recorded,
    as_csv,
    fit,
    half_interval,
    held,
    judge,
    judged_view,
    left_out,
    read_recorded,
)
from headstart.ranking.evidence import Evidence
from headstart.ranking.forecasts import Calibration, probability_best
from headstart.records import as_markdown
from headstart.scores import evaluate
from headstart.stats import jackknife_groups, pseudo_values
from headstart.stats import probability_best as score_best
from headstart.train.head import fit_head
from headstart_paper.results import read_results

LARGE = (400, 1000)  # sizes at which forecasts are judged on the rest of the pool too
SIZES, DRAWS = (50, 100, 200, 400, 1000), {50: 2, 100: 2, 200: 2, 400: 2}
JOINED = (  # targets with the classes of several
    ("mnist", "notmnist"),
    ("fashion-mnist", "sign-digits", "trashnet"),
    ("fashion-mnist", "notmnist", "sign-digits", "usps"),
)
EACH = {"train": 1000, "test": 400}  # examples of each data set in a joined one
POOLS, BLOCK = 100, 420  # pools of each size, drawn anew for each target; test examples at a time
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01)
NEW, OLD = "forecasts of the outcome", ("leep_calibrated", "leep_pooled")  # OLD: scores whose interval gave it before
Job = Callable[[], Iterator[Recorded]]  # makes the rows of a pair
PLACE = Path(__file__).parent.parent / "src/headstart/evaluation/benchmark/shipped/recorded.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=Path, help="the folder `arrays` that benchmarks/foresight.py filled")
    parser.add_argument("--tuned", type=Path, help="the results of benchmarks/fine_tuned.py")
    parser.add_argument("--make", action="store_true", help="record anew; otherwise only judge")
    parser.add_argument("--check", type=int, metavar="K", help="make every Kth pair anew, and compare it with the file")
    parser.add_argument("--plot", type=Path, help="draw forecasts against outcomes, and coverage, into this file")
    options = parser.parse_args()
    jobs = [*of_benchmark(), *(of_arrays(options.arrays) if options.arrays else ())]
    jobs += [partial(of_tuned, options.tuned)] if options.tuned else []
    if options.check:
        check(jobs[:: options.check])
        return
    if options.make:
        PLACE.write_text(as_csv([row for job in jobs for row in job()]))
    rows = read_recorded()
    if options.plot:
        draw(rows, options.plot)
    rest = again_lines(rows, of_other_parts(options.arrays)) if options.arrays else []
    table = as_markdown(judged_view(judge(rows)))
    write_section("Forecasts", [*_text(rows), table, "", *rest, *best_lines(rows)])


def _text(rows: list[Recorded]) -> list[str]:
    return [
        f"`python benchmarks/forecasts.py --arrays FOLDER --tuned FILE`. {len(rows):,} transfers to "
        f"{len({r.target for r in rows})} targets; every line is judged with its whole target left out. By sampling "
        f"alone: mean error if only examples and test part were drawn anew. Fitted to all: {fit(rows)}",
        "",
        "Real sources are six small networks (two CIFAR ResNets, MobileNetV1 0.25 and the zoo's tiny ones) on nine "
        "data sets with 6 to 100 classes and test parts of 411 to 2,400 examples, and on three joined ones. "
        "Fine-tuning: 18 small networks of one architecture, 200 examples, one rate; and networks of several "
        "architectures, 300 examples, the best of three rates. The share of the error that sources do not have in "
        "common (`own`) was chosen on this table.",
        "",
    ]


def again_lines(rows: list[Recorded], others: dict[str, list[Recorded]]) -> list[str]:
    """How far the same heads miss on the test parts, on parts of these of the usual size, and on the rest of pools."""
    drawn = {row.target for row in others["rest of the pool"]}

    def learn(known: list[Recorded]) -> Calibration:
        targets = {row.target for row in known}
        return fit([row for row in rows if row.target in targets or row.target not in drawn])

    official = [row for row in rows if row.target in drawn and row.trained == row.examples and row.examples in LARGE]
    lines = [
        "How much of that is the test part? The same sources and targets, judged on the test parts that the data come "
        f"with, on {BLOCK} of their examples at a time, and on the rest of the pools that the examples were drawn "
        "from. Targets count alike. In common: mean over the targets of what all of a target's sources miss by, "
        "which is what a forecast cannot know where a test part differs from the pool.",
        "",
        "| judged on | examples | targets | mean error | by sampling alone | ratio | in common | inside 90 % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for title, some in {"test part": official, **others}.items():
        found = left_out(some, learn)
        for n in LARGE:
            misses = {
                target: np.array([held(*one) for one in found if (one[0].target, one[0].examples) == (target, n)])
                for target in sorted(drawn)
            }
            parts = [one for one in misses.values() if len(one)]
            error, floor, common, inside = np.mean(
                [(abs(m).mean(), f.mean(), abs(m.mean()), i.mean()) for m, f, i in (one.T for one in parts)], axis=0
            )
            cells = f"{error:.3f} | {floor:.3f} | {error / floor:.2f} | {common:.3f} | {100 * inside:.0f} %"
            lines.append(f"| {title} | {n:,} | {len(parts)} | {cells} |")
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


def hits(features: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """For each test example, whether a head at its optimum is right; about a class that it never saw it is wrong."""
    classes, codes = np.unique(labels, return_inverse=True)
    return np.asarray(classes[fit_head(features, codes).outputs(test).argmax(axis=1)] == truth)


def recorded(
    target: str, source: str, seen: Evidence, method: str, trained: int, reached: float, tested: int
) -> Recorded:
    assert seen.hits is not None
    assert seen.confidence is not None
    said = (seen.hits, seen.confidence, seen.half)
    return Recorded(target, source, seen.examples, seen.classes, *said, method, trained, float(reached), tested)


def check(jobs: Sequence[Job]) -> None:
    """Say how many of the rows that the jobs make are in the file, to its last digit."""
    there, made = set(PLACE.read_text().splitlines()), as_csv([row for job in jobs for row in job()]).splitlines()[1:]
    wrong = [line for line in made if line not in there]
    print(f"{len(made) - len(wrong)} of {len(made)} rows of {len(jobs)} pairs are as recorded", *wrong[:5], sep="\n")


def of_benchmark() -> Iterator[Job]:
    """The shipped pairs: 200 examples with recorded heads and fine-tuning, and heads on fewer of them."""
    stored = read_stored()
    places = product(range(len(stored.targets)), range(len(stored.sources)))
    for pair, (t, s) in zip(read_pairs(stored), places, strict=True):
        yield partial(_of_shipped, pair, stored, t, s)


def _of_shipped(pair: Pair, stored: Stored, t: int, s: int) -> Iterator[Recorded]:
    heads, tuned = (np.array(stored.outcomes[kind]) for kind in ("head", "fine-tune"))
    name, tested = (pair.target, pair.source), stored.test[t]
    order = np.asarray(stratified_order(pair.labels, 0))
    for n in (50, 100):
        kept, rest = order[:n], order[100:]
        seen = evidence(pair.features[kept], pair.labels[kept])
        for times in (1, 2) if n == 50 else (1,):
            own = order[: n * times]
            right = hits(pair.features[own], pair.labels[own], pair.features[rest], pair.labels[rest])
            yield recorded(*name, seen, "head", n * times, right.mean(), len(rest))
        yield recorded(*name, seen, "head", 200, float(heads[:, t, s].mean()), tested)
    seen = evidence(pair.features, pair.labels)
    yield recorded(*name, seen, "head", 200, float(heads[0, t, s]), tested)
    for reached in tuned[:, t, s]:
        yield recorded(*name, seen, "fine-tune", 200, float(reached), tested)


def of_arrays(folder: Path) -> Iterator[Job]:
    """Real sources on real data sets and on joined ones, as far as their arrays are there."""
    there = {place.parent.name: sorted(one.name for one in place.parent.iterdir()) for place in folder.glob("*/*")}
    targets = {data: (data,) for data in sorted(there)} | {" + ".join(parts): parts for parts in JOINED}
    for target, parts in targets.items():
        for source in sorted(set.intersection(*(set(there.get(data, ())) for data in parts))):
            if not ("cifar10" in parts and "cifar10" in source):
                yield partial(_of_pair, folder, target, source, parts)


def _of_pair(folder: Path, target: str, source: str, parts: tuple[str, ...]) -> Iterator[Recorded]:
    pool, fresh = (_joined(folder, parts, source, part) for part in ("train", "test"))
    if pool is None or fresh is None:
        return
    features, labels = pool
    for n, draw in ((size, draw) for size in SIZES for draw in range(DRAWS.get(size, 1))):
        if not 2 * len(np.unique(labels)) <= n <= len(labels):
            continue
        order = np.asarray(stratified_order(labels, draw))
        seen = evidence(features[order[:n]], labels[order[:n]])
        for times in [k for k in (1, 2, 4) if n * k <= len(order)]:
            own = order[: n * times]
            right = hits(features[own], labels[own], *fresh)
            yield recorded(target, source, seen, "head", n * times, right.mean(), len(right))


def of_tuned(file: Path) -> Iterator[Recorded]:
    """What `benchmarks/fine_tuned.py` recorded: sources of several architectures, each fine-tuned at its best rate."""
    for target, pairs in pairs_of(read_results(file).rows).items():
        for pair in pairs:
            one, n = pair.seen, pair.seen["examples"]
            for run in filter(None, (pair.first, pair.again)):
                said = (n, one["classes"], one["hits"], one["confidence"], one["half"], "fine-tune", n, run["reached"])
                yield Recorded(target, one["source"], *said, one["tested"])


def of_other_parts(folder: Path) -> dict[str, list[Recorded]]:
    """The same pairs, heads judged on `BLOCK` test examples, and on the rest of the pool, drawn as their own data."""
    found: dict[str, list[Recorded]] = {f"{BLOCK} of the test part": [], "rest of the pool": []}
    blocks, rests = found.values()
    for place in sorted(folder.glob("*/*")):
        target, source = place.parent.name, place.name
        pool, fresh = (_joined(folder, (target,), source, part) for part in ("train", "test"))
        if pool is None or fresh is None or (target == "cifar10" and "cifar10" in source):
            continue
        (features, labels), order = pool, np.asarray(stratified_order(pool[1], 0))
        for n in (size for size in LARGE if 2 * len(np.unique(labels)) <= size <= len(labels) // 2):
            own, rest = order[:n], order[n:]
            seen = evidence(features[own], labels[own])
            right = hits(features[own], labels[own], features[rest], labels[rest])
            rests.append(recorded(target, source, seen, "head", n, right.mean(), len(right)))
            right = hits(features[own], labels[own], *fresh)
            for part in np.array_split(right, max(1, round(len(right) / BLOCK))):
                blocks.append(recorded(target, source, seen, "head", n, part.mean(), len(part)))
    return found


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
    """Probabilities of being the best of the shipped sources, each target judged by the others' transfers."""
    stored, rng = read_stored(), np.random.default_rng(0)
    everything, count = list(read_pairs(stored)), len(stored.sources)
    said: dict[str, list[tuple[float, float, int]]] = {goal: [] for goal in stored.outcomes}
    scores: dict[tuple[str, str], list[float]] = {}
    for t, target in enumerate(stored.targets):
        calibration = fit([row for row in rows if row.target != target])
        pairs = everything[t * count : (t + 1) * count]
        seen = [evidence(p.features, p.labels) for p in pairs]
        parts = {name: np.array(by_score(pairs, name)) for name in OLD}
        for kept in _pools(rng, count):
            other = {
                f"interval of the score ({name})": score_best(one[kept], draws=2000, seed=0)
                for name, one in parts.items()
            }
            other["1 / sources"] = np.full(len(kept), 1 / len(kept))
            for goal, runs in stored.outcomes.items():
                mine = probability_best([seen[k] for k in kept], calibration, goal, draws=2000)
                for reached in np.array(runs)[:, t, kept]:
                    best = (reached == reached.max()) / (reached == reached.max()).sum()
                    said[goal] += [(p, q, t) for p, q in zip(mine, best, strict=True)]
                    for name, guess in {NEW: mine, **other}.items():
                        scores.setdefault((name, goal), []).append(float(((guess - best) ** 2).sum()))
    lines = [
        f"Probability of being the best, {POOLS} pools of 3, 5 and 8 of the shipped sources and all 18, 200 examples, "
        "three outcomes each, target left out. Off by: came true minus said, with a 95 % interval over targets.",
        "",
        "| said | heads | mean said | came true | off by | fine-tuning | mean said | came true | off by |",
        "|---|" + "---:|" * 8,
    ]
    for low, high in pairwise(BINS):
        cells = " | ".join(_bin(np.array(some), low, high) for some in said.values())
        lines.append(f"| {low:.2f} to {min(high, 1):.2f} | {cells} |")
    lines += ["", "Brier scores of the same pools (lower is better):", "", "| probability by | heads | fine-tuning |"]
    names = dict.fromkeys(name for name, _ in scores)
    cells_of = {name: " | ".join(f"{np.mean(scores[name, goal]):.3f}" for goal in said) for name in names}
    return [*lines, "|---|---:|---:|", *(f"| {name} | {cells} |" for name, cells in cells_of.items())]


def _pools(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    for size in (3, 5, 8):
        for _ in range(POOLS):
            yield rng.choice(count, size, replace=False)
    yield np.arange(count)


def _bin(said: np.ndarray, low: float, high: float) -> str:
    """What came true of the probabilities in a bin, and how surely: whole targets are drawn anew."""
    p, q, target = said[(said[:, 0] >= low) & (said[:, 0] < high)].T
    sums = np.array([((q - p)[target == t].sum(), (target == t).sum()) for t in np.unique(said[:, 2])])
    drawn = sums[np.random.default_rng(0).integers(0, len(sums), (2000, len(sums)))].sum(axis=1)
    least, most = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), (0.025, 0.975))
    return f"{len(p):,} | {p.mean():.2f} | {q.mean():.2f} | {(q - p).mean():+.3f} ({least:+.3f} to {most:+.3f})"


if __name__ == "__main__":
    main()
