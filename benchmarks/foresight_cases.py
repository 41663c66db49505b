"""From the rows of a results file to cases (one data set, sub-sample size and seed), and what a score did on them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from foresight_benchmark import PREFIX
from scipy import stats

from headstart.evaluation.forecast import weighted_kendall
from headstart_paper.results import Row

Key = tuple[Any, ...]  # of a kind of outcome on a data set, a size and a seed
IMAGENET = 1000  # classes of its head
MOST = 0.9  # share of the sources that must have a score


@dataclass(frozen=True, eq=False)
class Case:
    """Every source's scores on one sub-sample of one data set, and their outcomes."""

    data: str
    n: int
    seed: int
    sources: tuple[str, ...]
    heads: np.ndarray  # (s,) classes of each source's head
    target_classes: int
    scores: Mapping[str, np.ndarray]  # (s,) each; a score that a source lacks is left out
    outcomes: Mapping[str, np.ndarray]  # (s,) each

    @property
    def world(self) -> str:
        return "benchmark" if self.data.startswith(PREFIX) else "real"

    def only(self, kept: np.ndarray) -> "Case":
        """The same for some of the sources."""
        return Case(
            self.data,
            self.n,
            self.seed,
            tuple(np.array(self.sources)[kept]),
            self.heads[kept],
            self.target_classes,
            {name: values[kept] for name, values in self.scores.items()},
            {name: values[kept] for name, values in self.outcomes.items()},
        )


def cases(rows: Iterable[Row], heads: Mapping[str, int], target_classes: Mapping[str, int]) -> list[Case]:
    """One case for each sub-sample that every source with an outcome was scored on.

    Args:
        rows: Of the results file.
        heads: Classes of each source's head.
        target_classes: Classes of each data set.
    """
    rows = list(rows)
    outcomes = _outcomes(rows)
    scores: dict[Key, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["kind"] == "scores":
            scores[row["data"], row["n"], row["seed"]][row["source"]] |= row["scores"]
    found = []
    for (data, n, seed), by_source in sorted(scores.items()):
        known = {kind: outcomes.get(key, {}) for kind, key in _keys(data, n, seed)}
        sources = [one for one in by_source if one in known["head"]]
        full = max((len(by_source[one]) for one in sources), default=0)
        sources = [one for one in sources if len(by_source[one]) >= full - 1]  # scored in all; one may lack an accuracy
        if len(sources) < 4:
            continue
        names = set.intersection(*(set(by_source[one]) for one in sources))
        names |= {"source_accuracy"} if any("source_accuracy" in by_source[one] for one in sources) else set()
        found.append(
            Case(
                data,
                n,
                seed,
                tuple(sources),
                np.array([heads[one] for one in sources]),
                target_classes[data],
                {name: np.array([by_source[s].get(name, np.nan) for s in sources]) for name in names},
                {
                    kind: np.array([table[s] for s in sources])
                    for kind, table in known.items()
                    if all(s in table for s in sources)
                },
            )
        )
    return found


def _keys(data: str, n: int, seed: int) -> list[tuple[str, Key]]:
    return [("head", ("head", data)), ("fine-tune", ("fine-tune", data)), ("small head", ("small head", data, n, seed))]


def _outcomes(rows: Sequence[Row]) -> dict[Key, dict[str, float]]:
    """Accuracy by source; of several sizes of pool or test part the largest that most sources have."""
    return {key: tables[_fullest(tables)] for key, tables in _by_size(rows).items()}


def head_sizes(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """Pool and test part behind the heads on whole pools that count."""
    sizes = {_fullest(tables)[:2] for key, tables in _by_size(list(rows)).items() if key[0] == "head"}
    return sorted(size for size in sizes if any(size))


def _fullest(tables: Mapping[Key, Mapping[str, float]]) -> Key:
    return max(tables, key=lambda size: (len(tables[size]), size))


def _by_size(rows: Sequence[Row]) -> dict[Key, dict[Key, dict[str, float]]]:
    sizes: dict[Key, dict[Key, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["kind"] == "outcome":
            key: Key = (row["outcome"], row["data"])
            if row["outcome"] == "small head":
                key = (*key, row["n"], row["seed"])
            sizes[key][row.get("pool", 0), row.get("test", 0), row.get("runs", 0)][row["source"]] = row["accuracy"]
    return sizes


def kendall(score: np.ndarray, outcome: np.ndarray) -> float:
    """Kendall's tau-b; 0 for a score that says the same of every source, which predicts nothing."""
    return _kendall(score.tobytes(), outcome.tobytes())


@cache
def _kendall(score: bytes, outcome: bytes) -> float:
    a, b = np.frombuffer(score), np.frombuffer(outcome)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.kendalltau(a, b).statistic)


def weighted(score: np.ndarray, outcome: np.ndarray) -> float:
    """Kendall's tau with hyperbolic weights of the true ranks."""
    if np.ptp(score) == 0 or np.ptp(outcome) == 0:
        return 0.0
    return weighted_kendall(score, outcome, "outcome")


def regret(score: np.ndarray, outcome: np.ndarray) -> float:
    """Best outcome minus that of the source chosen; the mean over sources that tie for first."""
    return float(outcome.max() - outcome[score == score.max()].mean())


Measure = Callable[[np.ndarray, np.ndarray], float]


def by_data(found: Iterable[Case], score: str, outcome: str, measure: Measure) -> dict[str, float]:
    """Mean over the cases of each data set; those where sources lack the score or the outcome are left out."""
    values: dict[str, list[float]] = defaultdict(list)
    for case in found:
        if score in case.scores and outcome in case.outcomes:
            keep = np.isfinite(case.scores[score])  # an untrained source has no accuracy of its own
            if keep.mean() >= MOST:
                values[case.data].append(measure(case.scores[score][keep], case.outcomes[outcome][keep]))
    return {data: float(np.mean(each)) for data, each in values.items()}


def complete(found: Sequence[Case], score: str) -> bool:
    """Whether every case has the score; one that a killed run measured on some of them is not to be compared."""
    return all(score in case.scores for case in found)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over data sets and half the width of its 95 % interval (t); nan with one data set."""
    if len(values) < 2:
        return (values[0] if values else np.nan), np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values)), float(half)


def regimes(found: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases by what the sources share; a regime needs four sources."""
    split: dict[str, list[Case]] = {
        "all real sources": [case for case in found if case.world == "real"],
        "real, one head size (ImageNet)": [],
        "real, small heads (z up to 58)": [],
        "one architecture, other data": [case for case in found if case.world == "benchmark"],
    }
    for case in split["all real sources"]:
        for name, kept in (
            ("real, one head size (ImageNet)", case.heads == IMAGENET),
            ("real, small heads (z up to 58)", case.heads < 100),
        ):
            if kept.sum() >= 4:
                split[name].append(case.only(kept))
    return {name: cases for name, cases in split.items() if cases}
