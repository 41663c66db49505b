"""`benchmark`: how well scores predict outcomes where the best source depends on the target."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from headstart.errors import InputError, check_whole, did_you_mean
from headstart.evaluation.benchmark.page import standing_tables
from headstart.evaluation.benchmark.stored import Pair, Stored, read_pairs, read_stored
from headstart.evaluation.forecast import Correlation, Forecast, Weights, check_options, forecast
from headstart.records import View, finite_or_none
from headstart.records.files import JsonRecord
from headstart.records.shown import Shown
from headstart.runner import Event, Progress, Workers, listener, map, on_workers
from headstart.scores import SCORES, NotApplicableError, evaluate

Kind = Literal["score", "baseline", "confound", "ceiling"]
Own = Callable[[Pair], float]

STATIC, ACCURACY, CLASSES, CHANCE, CEILING = (
    "static list",
    "source accuracy",
    "number of classes",
    "random order",
    "same transfer, new seed",
)


@dataclass(frozen=True)
class Standing:
    """How well one score predicted one kind of outcome."""

    score: str
    kind: Kind
    outcome: str
    targets: int  # that it was judged on
    weighted_tau: Correlation
    kendall: Correlation
    regret: Correlation  # in points of accuracy
    top1: Correlation  # share of targets whose best source the score named


@dataclass(frozen=True, repr=False)
class Standings(JsonRecord, Shown):
    """What `benchmark` returns: all scores and baselines, for every kind of outcome."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    weights: Weights  # of the weighted tau
    level: float
    rows: tuple[Standing, ...]  # for each outcome from the best weighted tau down, undefined ones last
    left_out: dict[str, str]  # score -> why it has no row
    created: str  # of the outcomes

    def of(self, outcome: str) -> tuple[Standing, ...]:
        """The rows of one kind of outcome."""
        return tuple(row for row in self.rows if row.outcome == outcome)

    def view(self) -> View:
        """A table of scores for each kind of outcome, the best first."""
        return standing_tables(self)


def benchmark(
    scores: str | Sequence[str] | Mapping[str, Own] = "all",
    *,
    results: str | Path | None = None,
    weights: Weights = "both",
    level: float = 0.95,
    seed: int = 0,
    workers: Workers = 1,
    progress: Progress | bool | None = None,
) -> Standings:
    """Compare scores with outcomes of real transfers, target by target, and with baselines that a score should beat.

    The sources share one small architecture and differ in training data, so that no order of the sources is right for
    all targets. Outcomes are stored; only scores whose values are not stored are computed.

    Args:
        scores: "all", names (also as one text with commas), or your own: name -> function of a `Pair`, which has the
            arrays `features`, `logits`, `probs` and `labels` of one source and target.
        results: Folder that `headstart reproduce benchmark` wrote; the results shipped with headstart by default.
        weights: Whose ranks weigh the weighted tau; see `headstart.evaluation.forecast`.
        level: Coverage of the intervals of the means over the targets; fewer than six targets have none.
        seed: For the random order.
        workers: Processes, "ray" or "ray://HOST:PORT", for scores that must be computed.
        progress: As in `headstart.rank`; the counter is "scores".

    Raises:
        InputError: A score is unknown, a function returns something other than a finite number, `results` has no
            results, or an option is out of range.

    Example:
        >>> found = benchmark({"mean sharpness": lambda pair: float(pair.probs.max(axis=1).mean())})
        >>> [row.kind for row in found.of("head") if row.score == "mean sharpness"]
        ['score']
    """
    check_whole(0, seed=seed)
    check_options(weights, level)
    stored = read_stored(results)
    values, left_out = _scored(scores, stored, results, listener(progress), workers)
    kinds: dict[str, Kind] = dict.fromkeys(values, "score")
    rows: list[Standing] = []
    judge = partial(forecast, weights=weights, top=(1,), level=level)
    for outcome in stored.outcomes:
        seeds = np.array(stored.outcomes[outcome])
        mean = seeds.mean(axis=0)
        beside = _baselines(stored, mean, seed)
        tables = values | {name: table for name, (_, table) in beside.items()}
        kinds |= {name: kind for name, (kind, _) in beside.items()}
        found = [_standing(name, kinds[name], outcome, judge(table, mean)) for name, table in tables.items()]
        found += _ceiling(outcome, seeds, judge)
        rows += sorted(found, key=lambda row: np.inf if row.weighted_tau.value is None else -row.weighted_tau.value)
    return Standings(stored.sources, stored.targets, weights, level, tuple(rows), left_out, stored.created)


def static_list(outcomes: np.ndarray) -> np.ndarray:
    """For each target, the sources' mean outcome on the others: a list that never sees the target (T, S)."""
    others: np.ndarray = (outcomes.sum(axis=0) - outcomes) / (len(outcomes) - 1)
    return others


def _scored(
    scores: str | Sequence[str] | Mapping[str, Own],
    stored: Stored,
    results: str | Path | None,
    tell: Progress,
    workers: Workers,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(T, S) values by name, and why a name has none."""
    if isinstance(scores, Mapping):
        taken = {STATIC, ACCURACY, CLASSES, CHANCE, CEILING} & set(scores)
        if taken:
            raise InputError(f"`{min(taken)}` is the name of a baseline; give your score another name.")
        return _computed(scores, stored, results, tell, workers)
    given = scores.split(",") if isinstance(scores, str) else scores
    names = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"`scores` must be names, or functions by name; got {scores!r}.")
    names = [name.strip() for name in names if name.strip()]
    if given and not names:
        raise InputError(f'`scores` must name at least one score, or be "all"; got {scores!r}.')
    if names == ["all"]:
        names = [*stored.scores, *(name for name in SCORES if name not in stored.scores)]
    values = {name: np.array(stored.scores[name].values) for name in names if name in stored.scores}
    left_out = {name: stored.left_out[name] for name in names if name not in values and name in stored.left_out}
    own = {name: partial(_from_table, name) for name in names if name not in values and name not in left_out}
    if unknown := [name for name in own if name not in SCORES]:
        raise InputError(
            f"unknown score `{unknown[0]}`.{did_you_mean(unknown[0], SCORES)} `headstart scores` lists them."
        )
    computed, why_not = _computed(own, stored, results, tell, workers)
    values |= computed
    return {name: values[name] for name in names if name in values}, left_out | why_not


def _from_table(name: str, pair: Pair) -> float:
    found, reasons = evaluate([name], labels=pair.labels, logits=pair.logits, features=pair.features)
    if name in reasons:
        raise NotApplicableError(reasons[name])
    return found[name].value


def _computed(
    functions: Mapping[str, Own], stored: Stored, results: str | Path | None, tell: Progress, workers: Workers
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(T, S) values of each function, and why one has none; each target of each function is a job."""
    values = {name: np.empty((len(stored.targets), len(stored.sources))) for name in functions}
    left_out: dict[str, str] = {}
    jobs = [(name, target) for name in functions for target in stored.targets]
    tell(Event("scores", 0, len(functions)))
    with on_workers(workers) as on:
        for done, result in enumerate(map(partial(_row, functions, stored, results), jobs, on=on), start=1):
            name, target = result.item
            try:
                values[name][stored.targets.index(target)] = result.get()
            except NotApplicableError as error:
                left_out[name] = str(error)
            if done % len(stored.targets) == 0:
                tell(Event("scores", done // len(stored.targets), len(functions)))
    return {name: table for name, table in values.items() if name not in left_out}, left_out


def _row(functions: Mapping[str, Own], stored: Stored, results: str | Path | None, job: tuple[str, str]) -> list[float]:
    """A function's values for all sources on one target."""
    name, target = job
    values = []
    for pair in read_pairs(stored, results, only=target):
        value = functions[name](pair)
        if not _is_number(value):
            raise InputError(f"`{name}` must return one finite number; got {value} for {pair.source} on {pair.target}.")
        values.append(value)
    return values


def _is_number(value: object) -> bool:
    try:
        return np.ndim(value) == 0 and finite_or_none(float(value)) is not None  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _baselines(stored: Stored, outcomes: np.ndarray, seed: int) -> dict[str, tuple[Kind, np.ndarray]]:
    count = len(outcomes)
    accuracies = [value if value is not None else 0.0 for value in stored.source_accuracy]  # untrained: knows nothing
    return {
        STATIC: ("baseline", static_list(outcomes)),
        ACCURACY: ("baseline", np.tile(accuracies, (count, 1))),
        CLASSES: ("confound", np.tile(np.array(stored.source_classes, float), (count, 1))),
        CHANCE: ("baseline", np.random.default_rng(seed).random(outcomes.shape)),
    }


def _standing(name: str, kind: Kind, outcome: str, found: Forecast) -> Standing:
    by_name = {c.name.split(" (")[0]: c for c in found.correlations}
    regret = Correlation("regret", *(None if v is None else 100 * v for v in _ends(found.regret)))
    taus = by_name["weighted Kendall"], by_name["Kendall"]
    return Standing(name, kind, outcome, found.targets, *taus, regret, found.hits[1])


def _ceiling(outcome: str, seeds: np.ndarray, judge: Callable[[np.ndarray, np.ndarray], Forecast]) -> list[Standing]:
    """How well one run of the transfer predicts the mean of its other runs: the most a score could reach."""
    if len(seeds) < 2:
        return []
    rest = (seeds.sum(axis=0) - seeds) / (len(seeds) - 1)
    found = [judge(one, other) for one, other in zip(seeds, rest, strict=True)]
    each = [_standing(CEILING, "ceiling", outcome, one) for one in found]
    names = ("weighted_tau", "kendall", "regret", "top1")
    means = [_mean_of([getattr(row, name) for row in each]) for name in names]
    return [Standing(CEILING, "ceiling", outcome, seeds.shape[1], *means)]


def _mean_of(parts: Sequence[Correlation]) -> Correlation:
    columns = np.array([_ends(part) for part in parts], dtype=float)  # None is nan
    value, low, high = (finite_or_none(float(v)) for v in columns.mean(axis=0))
    return Correlation(parts[0].name, value, low, high)


def _ends(one: Correlation) -> tuple[float | None, float | None, float | None]:
    return one.value, one.low, one.high
