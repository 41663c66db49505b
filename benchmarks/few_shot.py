"""Which score, computed from a few examples of each class, predicts few-shot accuracy best?

    python benchmarks/few_shot.py FOLDER    # writes benchmarks/few_shot.md

FOLDER holds `SET/SOURCE/train_*.npz` and `test_*.npz` with `features`, `logits` and `labels`, as forward passes of real
sources over real data sets leave them. Scores see the first k training examples of each class; outcomes are accuracies
on episodes drawn from the test part.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy

import headstart as hs
from headstart.errors import InputError
from headstart.scores import SCORES, evaluate

SHOTS, EPISODES, WAYS = (1, 5, 10), 100, 5
FEW = (2, 5, 10)
PAGE = Path(__file__).parent / "few_shot.md"


def part(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of the first file of a part."""
    with np.load(sorted(folder.glob(f"{name}_0_*.npz"))[0]) as held:
        return {key: held[key] for key in held.files}


def first_of_each(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of the first `most` examples of each class that has as many."""
    rows = [np.flatnonzero(labels == code) for code in np.unique(labels)]
    return np.sort(np.concatenate([own[:most] for own in rows if len(own) >= most]))


def measure(folder: Path) -> tuple[dict[str, float], dict[str, dict[str, float]], str]:
    """Few-shot accuracy by method and shots, scores by name and k, of one source on one set; and a cell of the page."""
    train, test = part(folder, "train"), part(folder, "test")
    given = {"features": test["features"], "labels": test["labels"].astype(int)}
    found = hs.few_shot(given, ways=WAYS, shots=SHOTS, episodes=EPISODES)
    outcomes = {f"{point.method}, {point.shots}": point.accuracy for point in found.rows[0].curve}
    scores: dict[str, dict[str, float]] = {}
    for few in FEW:
        rows = first_of_each(train["labels"], few)
        arrays = {name: train[name][rows] for name in ("features", "logits") if name in train}
        done, _ = evaluate([*SCORES], labels=train["labels"][rows].astype(int), **arrays)
        scores[str(few)] = {name: one.value for name, one in done.items()}
    best = found.rows[0].at(found.method, 5)
    return outcomes, scores, f"{best.accuracy:.3f} ({best.low:.3f} to {best.high:.3f})"


def main(root: Path) -> None:
    """Measure every source on every set and write the page."""
    taus: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    methods: dict[str, list[float]] = defaultdict(list)
    lines: list[str] = []
    sets = sorted(path for path in root.iterdir() if path.is_dir())
    for folder in sets:
        sources = sorted(path for path in folder.iterdir() if any(path.glob("train_0_*.npz")))
        try:
            found = {source.name: measure(source) for source in sources}
        except InputError as error:
            print(f"{folder.name} is left out: {error}", flush=True)
            continue
        for outcomes, _, _ in found.values():
            for name, accuracy in outcomes.items():
                methods[name].append(accuracy)
        top = max(found, key=lambda name: found[name][0]["ridge, 5"])
        lines.append(f"| {folder.name} | {len(sources)} | {top} | {found[top][2]} |")
        for few in FEW:
            for score in SCORES:
                held = [name for name in found if score in found[name][1][str(few)]]
                for shots in SHOTS:
                    pairs = [(found[n][1][str(few)][score], found[n][0][f"ridge, {shots}"]) for n in held]
                    tau = scipy.stats.kendalltau(*zip(*pairs, strict=True)).statistic if len(pairs) > 3 else np.nan
                    if np.isfinite(tau):
                        taus[score, str(few), str(shots)].append(float(tau))
        print(folder.name, flush=True)
    PAGE.write_text(page(lines, taus, methods, len(lines)))


def page(
    lines: list[str], taus: dict[tuple[str, str, str], list[float]], methods: dict[str, list[float]], sets: int
) -> str:
    """The results in Markdown."""
    names = sorted({score for score, _, _ in taus}, key=lambda name: -np.mean(taus[name, "5", "5"] or [-1.0]))
    cells = [(few, shots) for few in FEW for shots in SHOTS]
    head = " | ".join(f"k = {few}, {shots} shots" for few, shots in cells)
    rows = []
    for name in names:
        values = [taus.get((name, str(few), str(shots)), []) for few, shots in cells]
        whole = [f"{np.mean(one):.2f}" if len(one) == sets else "" for one in values]
        rows += [f"| {name} | {' | '.join(whole)} |"] if any(whole) else []
    table = [
        f"| {name} | " + " | ".join(f"{np.mean(methods[f'{name}, {shots}']):.3f}" for shots in SHOTS) + " |"
        for name in dict.fromkeys(key.partition(",")[0] for key in methods)
    ]
    return "\n".join([
        "# Few-shot accuracy and what predicts it", "",
        f"`python benchmarks/few_shot.py FOLDER`: {EPISODES} episodes of {WAYS} classes from each test part.", "",
        "## The best source of each set, 5 shots, with 95 % intervals over classes and episodes", "",
        "| set | sources | best by ridge | accuracy, by the best method |", "|---|--:|---|--:|", *lines, "",
        "## Mean accuracy of each method over sources and sets", "",
        "| method | 1 shot | 5 shots | 10 shots |", "|---|--:|--:|--:|", *table, "",
        "## Which score predicts it", "",
        "Kendall's tau over sources between a score of the first k training examples of each class and the accuracy of",
        "ridge regression, mean over sets; empty where a score does not apply to every set.", "",
        f"| score | {head} |", "|---|" + "--:|" * len(cells), *rows, "",
    ])  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
