"""Does pooled evidence predict transfers better than one score? The section "Transferability" of RESULTS.md.

    python benchmarks/transferability.py [--arrays FOLDER] [--rows rows.json]

On the transfers that headstart ships (18 sources of one architecture, 12 targets; heads and fine-tuning), stacking is
learnt with whole targets left out, by data set. On real sources (the arrays that `benchmarks/foresight.py` left), which
are other sources and other targets, `transferability` is judged with its weights as they ship. The rows of real sources
are kept in `--rows`; about five minutes on one core.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _results import write_section
from foresight_arrays import Rows, read_rows
from foresight_report import group_of
from scipy.special import logit
from scipy.stats import kendalltau
from scipy.stats import t as student

from headstart.data import stratified_order
from headstart.evaluation.benchmark.stored import Stored, read_stored
from headstart.evaluation.forecast import regret, weighted_kendall
from headstart.scores import evaluate
from headstart.scores.catalogue.transferability import WEIGHTS
from headstart.train.head import fit_head

SINGLE = ("leep_pooled", "leep_gaussian", "logme", "ridge_probe", "knn", "nearest_mean", "pactran_gaussian")
SIZES, ORACLES, TRIED, LARGE = (100, 200, 400), (100, 200), 400, 2000
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=Path, help="the folder `arrays` that benchmarks/foresight.py filled")
    parser.add_argument("--rows", type=Path, default=Path("transferability.json"))
    options = parser.parse_args()
    if options.arrays:
        options.rows.write_text(json.dumps(real_rows(options.arrays)))
    rows = json.loads(options.rows.read_text()) if options.rows.exists() else []
    write_section("Transferability", [*_of_benchmark(read_stored()), *(_of_real(rows) if rows else ())])


def pooled(scores: Mapping[str, Any], classes: Any) -> Any:
    """`transferability`, up to what is the same for all sources on one target."""
    units = {"leep_pooled": np.log(classes), "leep_gaussian": np.log(classes), "logme": 1.0}
    return sum(weight * scores[name] / units[name] for name, weight in WEIGHTS.items())


def _of_benchmark(stored: Stored) -> list[str]:
    values = {name: np.array(one.values) for name, one in stored.scores.items() if name in SINGLE}
    classes = np.array(stored.target_classes, dtype=float)[:, None]
    groups = np.array([group_of(f"benchmark: {name}") for name in stored.targets])
    lines = [
        "`python benchmarks/transferability.py --arrays FOLDER`, the folder filled by `benchmarks/foresight.py`. "
        "18 sources of one architecture on 12 targets, 200 examples: weighted tau, Kendall and regret, ± half the 95 % "
        "interval over targets. Stacked: ridge regression of the outcomes' log-odds on the scores, learnt on the "
        "targets of other data sets. Static: 0.2 of "
        "the sources' standardised mean outcome on the other data sets beside the pooled score.",
        "",
        "| order by | heads | | | fine-tuning | | |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    outcomes = {kind: np.array(runs) for kind, runs in stored.outcomes.items()}
    tables: dict[str, Callable[[np.ndarray], np.ndarray]] = {name: lambda _, v=v: v for name, v in values.items()}  # type: ignore[misc]
    whole = pooled(values, classes)
    tables["transferability"] = lambda _: whole
    tables["stacked, all of these"] = lambda y: stacked(list(values.values()), y, groups)
    tables["stacked, its three"] = lambda y: stacked([values[name] for name in WEIGHTS], y, groups)
    tables["transferability + static"] = lambda y: _standard(whole) + 0.2 * _standard(static(y, groups))
    for name, table in tables.items():
        cells = [_cells(table(outcomes[kind].mean(axis=0)), outcomes[kind].mean(axis=0)) for kind in outcomes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    head, tuned = (outcomes[kind].mean(axis=0) for kind in ("head", "fine-tune"))
    lines.append(f"| what a head really reaches, three seeds | | | | {_cells(head, tuned)} |")
    lines.append(f"| the same transfer, another seed | {' | '.join(_ceiling(runs) for runs in outcomes.values())} |")
    return [*lines, ""]


def stacked(columns: Sequence[np.ndarray], outcome: np.ndarray, groups: np.ndarray, penalty: float = 0.3) -> np.ndarray:
    """Predictions for each target by what the targets of other data sets teach."""
    x, y = np.stack([_standard(one) for one in columns], -1), _centred(logit(np.clip(outcome, 0.01, 0.99)))
    found = np.empty_like(outcome)
    for group in np.unique(groups):
        a, b = x[groups != group].reshape(-1, len(columns)), y[groups != group].reshape(-1)
        weight = np.linalg.solve(a.T @ a + penalty * len(b) * np.eye(len(columns)), a.T @ b)
        found[groups == group] = x[groups == group] @ weight
    return found


def static(outcome: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What the sources reached on the targets of other data sets."""
    return np.array([_standard(outcome)[groups != group].mean(axis=0) for group in groups])


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _standard(values: np.ndarray) -> np.ndarray:
    return np.asarray(_centred(values) / np.maximum(values.std(axis=1, keepdims=True), 1e-12))


def _cells(scores: np.ndarray, outcome: np.ndarray) -> str:
    pairs = list(zip(scores, outcome, strict=True))
    found = np.array([[f(s, y) for f in (weighted_kendall, _tau, regret)] for s, y in pairs]).T
    reach = student.ppf(0.975, len(pairs) - 1) * found.std(axis=1, ddof=1) / np.sqrt(len(pairs))
    return " | ".join(f"{values.mean():.3f} ± {half:.3f}" for values, half in zip(found, reach, strict=True))


def _tau(score: np.ndarray, outcome: np.ndarray) -> float:
    return float(kendalltau(score, outcome).statistic)


def _ceiling(runs: np.ndarray) -> str:
    rest = (runs.sum(axis=0) - runs) / (len(runs) - 1)
    pairs = [(one, other) for run, mean in zip(runs, rest, strict=True) for one, other in zip(run, mean, strict=True)]
    return " | ".join(f"{np.mean([f(*pair) for pair in pairs]):.3f}" for f in (weighted_kendall, _tau, regret))


def real_rows(folder: Path) -> list[Row]:
    """Scores of every source on parts of every pool, and what heads on the part and on the pool reach.

    The first `TRIED` test examples are the oracle's: it sees how a head on the whole pool does on blocks of them.
    """
    rows: list[Row] = []
    for data in sorted(one.name for one in folder.iterdir()):
        names = [one.name for one in sorted((folder / data).iterdir())]
        found = {
            name: (read_rows(folder, data, name, "train"), read_rows(folder, data, name, "test"))
            for name in names
            if not (data == "cifar10" and "cifar10" in name)
        }
        pairs = {name: (pool, test) for name, (pool, test) in found.items() if pool is not None and test is not None}
        most, tested = (min(len(parts[k]) for parts in pairs.values()) for k in (0, 1))
        for name, (pool, test) in pairs.items():
            whole, fresh = pool.take(slice(most)), test.take(slice(tested))
            right = _right(whole, fresh)
            tried = right[: min(TRIED, tested // 3 // 200 * 200)]
            kept = slice(len(tried), None)
            for n in (size for size in SIZES if 2 * len(np.unique(whole.labels)) <= size):
                few = whole.take(np.asarray(stratified_order(whole.labels, 0))[:n])
                scores, _ = evaluate(SINGLE, labels=few.labels, logits=few.logits, features=few.features)
                row = {"data": data, "source": name, "n": n, "classes": len(np.unique(whole.labels))}
                row |= {"tested": tested - len(tried), "small": float(_right(few, fresh)[kept].mean())}
                row |= {"head": float(right[kept].mean()), "tried": tried.reshape(-1, 100).mean(axis=1).tolist()}
                rows.append(row | {"scores": {score: one.value for score, one in scores.items()}})
        print(data, len(pairs), most, tested, flush=True)
    return rows


def _right(train: Rows, test: Rows) -> np.ndarray:
    """For each test example, whether a head is right; about a class that it never saw it is wrong."""
    classes, codes = np.unique(train.labels, return_inverse=True)
    return np.asarray(classes[fit_head(train.features, codes).outputs(test.features).argmax(axis=1)] == test.labels)


def _of_real(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"Real sources ({', '.join(sorted({row['source'] for row in rows}))}), none of them among the shipped sources; "
        "the shipped targets are cut from some of these data sets. Kendall and regret, means over the targets. "
        "Outcome: a head on the whole pool (up to 2,000 examples), and on what the score saw. Oracle: the head on the "
        f"whole pool, judged on 100 or 200 test examples that the outcomes leave out (at most {TRIED} of each target).",
        "",
        "| order by | " + " | ".join(f"n = {n}, pool | | n = {n}, same | " for n in SIZES) + "|",
        "|---|" + "---:|" * 4 * len(SIZES),
    ]
    for name in (*SINGLE, "transferability", *(f"oracle, {k} examples" for k in ORACLES)):
        cells = [_compared(rows, name, n, outcome) for n in SIZES for outcome in ("head", "small")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for title, kept in (("large test parts", LARGE), ("others", 0)):
        sizes = {row["data"]: row["tested"] for row in rows if (row["tested"] >= LARGE) == bool(kept)}
        part = [row for row in rows if row["data"] in sizes]
        if len(sizes) < 2:
            continue
        tested = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        lines += ["", f"Kendall and regret on {title} ({tested}), outcome a head on the pool:", ""]
        lines += ["| order by | " + " | ".join(f"n = {n} | " for n in SIZES) + "|", "|---|" + "---:|" * 2 * len(SIZES)]
        for name in (
            "leep_pooled",
            "logme",
            "ridge_probe",
            "transferability",
            *(f"oracle, {k} examples" for k in ORACLES),
        ):
            lines.append(f"| {name} | {' | '.join(_compared(part, name, n, 'head') for n in SIZES)} |")
    return [*lines, ""]


def _compared(rows: Sequence[Row], name: str, n: int, outcome: str) -> str:
    """Mean Kendall and regret over the targets with five sources or more."""
    values = []
    for data in sorted({row["data"] for row in rows}):
        mine = [row for row in rows if (row["data"], row["n"]) == (data, n)]
        reached = np.array([row[outcome] for row in mine])
        tries = _values(mine, name) if len(mine) >= 5 else []
        if tries:
            values.append(np.mean([(_tau(own, reached), regret(own, reached)) for own in tries], axis=0))
    return " | ".join(f"{value:.{digits}f}" for value, digits in zip(np.mean(values, axis=0), (3, 4), strict=True))


def _values(rows: Sequence[Row], name: str) -> list[np.ndarray]:
    """What orders the sources: one column of scores, or what each of the oracle's blocks says."""
    if name in SINGLE:
        return [np.array([row["scores"][name] for row in rows])]
    if name == "transferability":
        return [np.array([pooled(row["scores"], row["classes"]) for row in rows])]
    blocks, size = (
        np.array([row["tried"] for row in rows]),
        ORACLES[[f"oracle, {k} examples" for k in ORACLES].index(name)],
    )
    step = size // 100
    return [blocks[:, a : a + step].mean(axis=1) for a in range(0, blocks.shape[1] - step + 1, step)]


if __name__ == "__main__":
    main()
