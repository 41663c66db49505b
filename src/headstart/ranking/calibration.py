"""Fit forecasts to recorded transfers, and judge them on targets that were left out."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import logit

from headstart.errors import InputError
from headstart.ranking.evidence import Evidence
from headstart.ranking.forecasts import EDGE, LEVEL, Belief, Calibration, belief, growth_terms, terms
from headstart.records import Table, View
from headstart.records.table import Column

SHIPPED = "recorded.csv"
ALIKE = 0.7  # examples of a probe and of a transfer whose ratio is above this, either way, count as equally many
PRIOR = 5  # transfers that a calibration counts as much as when it is adjusted to others
FEWEST = 3  # targets from which something can be left out
ENOUGH_ROWS = 10  # from which a part of a calibration is fitted
SMALLEST = 0.02  # variance of an outcome that a weight counts at least


@dataclass(frozen=True)
class Recorded:
    """What a probe's left-out predictions said of a source on a target, and what a transfer then reached."""

    target: str
    source: str
    examples: int  # that the probe saw
    classes: int
    hits: float
    confidence: float
    half: float | None  # the confidence on halves of the examples
    method: str  # "head" or "fine-tune"
    trained: int  # examples that the transfer had: 1, 2 or 4 times those of the probe
    accuracy: float  # of the transfer
    tested: int  # on so many fresh examples

    @property
    def evidence(self) -> Evidence:
        """What a forecast is made of."""
        seen = (self.examples, self.classes, self.hits, self.confidence, self.half)
        return Evidence("accuracy", self.hits, np.zeros(2), (), *seen)


@dataclass(frozen=True)
class Judged:
    """How forecasts of one kind held on targets that were left out."""

    method: str
    examples: int
    times: int  # examples of the transfer, as a multiple of those of the probe
    outcomes: int
    error: float  # mean absolute
    floor: float  # what sampling of the examples and of the test part alone would leave
    bias: float  # mean of reached minus forecast
    coverage: float  # of the intervals, for the test parts that the outcomes have


def read_recorded(path: Path | None = None) -> list[Recorded]:
    """Recorded transfers from a CSV file; those that headstart ships by default.

    Raises:
        InputError: The file is not there, or lacks a column.
    """
    place = resources.files("headstart.evaluation.benchmark").joinpath("shipped", SHIPPED) if path is None else path
    try:
        rows = list(csv.DictReader(io.StringIO(place.read_text(encoding="utf-8"))))
        return [_recorded(row) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"cannot read recorded transfers from {place}: {error}.") from error


def _recorded(row: dict[str, str]) -> Recorded:
    whole = {name: int(row[name]) for name in ("examples", "classes", "trained", "tested")}
    half = float(row["half"]) if row["half"] else None
    numbers = {name: float(row[name]) for name in ("hits", "confidence", "accuracy")}
    return Recorded(row["target"], row["source"], method=row["method"], half=half, **whole, **numbers)  # type: ignore[arg-type]


def as_csv(rows: Sequence[Recorded]) -> str:
    """The rows as `read_recorded` reads them."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, [one.name for one in fields(Recorded)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        named = asdict(row)
        writer.writerow({k: "" if v is None else f"{v:.4f}" if isinstance(v, float) else v for k, v in named.items()})
    return lines.getvalue()


def fit(rows: Sequence[Recorded], start: Calibration | None = None) -> Calibration:
    """A calibration from recorded transfers; what they do not show stays as in `start`.

    Weighted least squares on the log-odds scale; a size of data counts as the root of its transfers. How far forecasts
    are off is learnt from forecasts of each target by the transfers to the others, where there are three targets.

    Raises:
        InputError: There are too few heads to learn from.
    """
    design, targets = _design(rows), np.array([row.target for row in rows])
    if design.heads.sum() < ENOUGH_ROWS:
        raise InputError(
            f"{design.heads.sum()} recorded heads are too few to fit forecasts to; {ENOUGH_ROWS} are needed."
        )
    names, everything = sorted(set(targets)), np.ones(len(rows), dtype=bool)
    found = _means(design, everything, start or Calibration())
    others = {name: _means(design, targets != name, found) if len(names) >= FEWEST else found for name in names}
    mean = np.array([_belief(row, others[row.target]).mean for row in rows])
    return replace(_errors(rows, design, mean, found), transfers=len(rows), targets=len(names))


@dataclass(frozen=True, eq=False)
class _Design:
    """The rows as arrays."""

    examples: np.ndarray  # (n,) that the probe saw
    tested: np.ndarray  # (n,) in the test part
    base: np.ndarray  # (n,) log-odds of the hits
    head: np.ndarray  # (n, 5) what the coefficients of each part multiply
    growth: np.ndarray  # (n, 3)
    doublings: np.ndarray  # (n,)
    reached: np.ndarray  # (n,) log-odds
    weight: np.ndarray  # (n,)
    heads: np.ndarray  # (n,) heads on as many examples as the probe saw, as a mask
    grown: np.ndarray
    tuned: np.ndarray


def _design(rows: Sequence[Recorded]) -> _Design:
    bases, columns = zip(*(terms(row.evidence) for row in rows), strict=True) if rows else ((), ())
    reached = np.clip([row.accuracy for row in rows], EDGE, 1 - EDGE)
    sizes = [(row.examples, row.trained, row.tested) for row in rows]
    examples, trained, tested = np.array(sizes, dtype=float).reshape(-1, 3).T
    noise = 0.25 / examples + 0.25 / tested
    heads = np.array([row.method == "head" for row in rows], dtype=bool)
    return _Design(
        examples,
        tested,
        np.array(bases),
        np.array(columns),
        np.array([growth_terms(row.evidence) for row in rows]),
        np.log2(trained / examples),
        logit(reached),
        (reached * (1 - reached) + SMALLEST) / np.sqrt(noise + 4e-4) * _alike(rows),
        heads & (examples / trained > ALIKE) & (examples / trained < 1 / ALIKE),
        heads & (trained >= examples / ALIKE),
        ~heads,
    )


def _means(design: _Design, kept: np.ndarray, start: Calibration) -> Calibration:
    """What the rows that are kept say of the middle of forecasts, by parts with enough rows."""
    found = start

    def solved(rows: np.ndarray, columns: np.ndarray, offset: np.ndarray) -> list[float]:
        held = columns[rows] * design.weight[rows, None]
        shrunk = held.T @ held + 1e-3 * float((design.weight[rows] ** 2).mean()) * np.eye(columns.shape[1])
        gap = (design.reached - offset)[rows] * design.weight[rows]
        return [float(v) for v in np.linalg.solve(shrunk, held.T @ gap)]

    if (heads := kept & design.heads).sum() >= ENOUGH_ROWS:
        a, b, c, d, e = solved(heads, design.head, design.base)
        found = replace(found, head=(a, b, c, d, e))
    odds = design.base + design.head @ found.head
    if (grown := kept & design.grown).sum() >= ENOUGH_ROWS:
        g, h, k = solved(grown, design.doublings[:, None] * design.growth, odds)
        found = replace(found, growth=(g, h, k))
    if (tuned := kept & design.tuned).sum() >= ENOUGH_ROWS:
        u, v = solved(tuned, np.column_stack([np.ones(len(odds)), odds]), np.zeros(len(odds)))
        found = replace(found, tuned=(u, v))
    return found


def _errors(rows: Sequence[Recorded], design: _Design, mean: np.ndarray, found: Calibration) -> Calibration:
    """The variance of outcomes around forecasts that did not know their targets."""
    examples, tested = design.examples, design.tested
    pq, squares = mean * (1 - mean), (np.array([row.accuracy for row in rows]) - mean) ** 2

    def likeliest(kept: np.ndarray, parts: Sequence[np.ndarray], known: np.ndarray) -> list[float]:
        """The amounts of each part of the variance under which normal errors are likeliest."""
        columns = np.column_stack(parts)[kept]
        weight = _alike([row for row, one in zip(rows, kept, strict=True) if one]) ** 2

        def loss(logs: np.ndarray) -> float:
            variance = columns @ np.exp(logs) + known[kept]
            return float((weight * (np.log(variance) + squares[kept] / variance)).sum())

        start = np.log([1.0, 1e-3][-len(parts) :])
        return [float(amount) for amount in np.exp(minimize(loss, start, method="Nelder-Mead").x)]

    a, b = likeliest(design.heads, (pq / examples, np.sqrt(pq)), pq / tested)
    found, known = replace(found, error=(a, b)), a * pq / examples + b * np.sqrt(pq) + pq / tested
    if design.grown.sum() >= ENOUGH_ROWS:
        found = replace(found, growth_error=likeliest(design.grown, [(design.doublings * pq) ** 2], known)[0])
    if design.tuned.sum() >= ENOUGH_ROWS:
        found = replace(found, tuned_error=likeliest(design.tuned, [pq**2], known)[0])
    return found


def adjusted(rows: Sequence[Recorded], start: Calibration) -> Calibration:
    """A calibration moved towards a few transfers: how high heads and fine-tuning end, and how far errors spread.

    What `start` says counts as much as `PRIOR` of the transfers.
    """
    found = start
    for method in ("head", "fine-tune"):
        mine = [row for row in rows if row.method == method]
        reached = logit(np.clip([row.accuracy for row in mine], EDGE, 1 - EDGE))
        beliefs = [_belief(row, found) for row in mine]
        missed = reached - logit(np.clip([one.mean for one in beliefs], EDGE, 1 - EDGE))
        moved = float(missed.sum()) / (len(mine) + PRIOR)
        if method == "head":
            found = replace(found, head=(*found.head[:4], found.head[4] + moved))
        else:
            found = replace(found, tuned=(found.tuned[0] + moved, found.tuned[1]))
    beliefs = [_belief(row, found) for row in rows]
    ratios = np.array(
        [
            (row.accuracy - one.mean) ** 2 / (one.variance + one.mean * (1 - one.mean) / row.tested)
            for row, one in zip(rows, beliefs, strict=True)
        ]
    )
    wider = (float(ratios.sum()) + PRIOR) / (len(rows) + PRIOR)
    errors = (found.error[0] * wider, found.error[1] * wider)
    known = (start.transfers + len(rows), start.targets + len({row.target for row in rows}))
    return replace(found, error=errors, transfers=known[0], targets=known[1])


def _alike(rows: Sequence[Recorded]) -> np.ndarray:
    """Weights by which a size of data counts as the root of how many transfers of it are recorded."""
    kinds = [(row.examples, row.trained) for row in rows]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    return np.array([counts[kind] ** -0.25 for kind in kinds])


def _belief(row: Recorded, calibration: Calibration) -> Belief:
    return belief(row.evidence, calibration, row.trained / row.examples, row.method)


def left_out(
    rows: Sequence[Recorded], learn: Callable[[list[Recorded]], Calibration] = fit
) -> list[tuple[Recorded, Belief]]:
    """Every transfer with its forecast by what `learn` makes of the transfers to the other targets.

    Raises:
        InputError: There are fewer than three targets.
    """
    targets = sorted({row.target for row in rows})
    if len(targets) < FEWEST:
        raise InputError(f"transfers to {FEWEST} targets are needed to leave one out; there are {len(targets)}.")
    learnt = {target: learn([row for row in rows if row.target != target]) for target in targets}
    return [(row, _belief(row, learnt[row.target])) for row in rows]


def judge(rows: Sequence[Recorded], learn: Callable[[list[Recorded]], Calibration] = fit) -> list[Judged]:
    """How forecasts of every kind hold on targets that are left out; arguments and errors as in `left_out`."""
    kinds: dict[tuple[str, int, int], list[tuple[float, float, bool]]] = {}
    for row, one in left_out(rows, learn):
        kinds.setdefault((row.method, row.examples, round(row.trained / row.examples)), []).append(held(row, one))
    return [_judged(key, values) for key, values in sorted(kinds.items())]


def half_interval(row: Recorded, one: Belief) -> float:
    """Half of the interval of a forecast at `LEVEL`, for the test part that the outcome had."""
    return 1.6448536 * math.sqrt(one.variance + one.mean * (1 - one.mean) / row.tested)


def held(row: Recorded, one: Belief) -> tuple[float, float, bool]:
    """Reached minus forecast, the error that sampling alone would leave, and whether the interval held."""
    floor = math.sqrt(2 / math.pi * row.accuracy * (1 - row.accuracy) * (1 / row.examples + 1 / row.tested))
    return row.accuracy - one.mean, floor, abs(row.accuracy - one.mean) <= half_interval(row, one)


def _judged(key: tuple[str, int, int], values: Sequence[tuple[float, float, bool]]) -> Judged:
    misses, floors, inside = (np.array(column, dtype=float) for column in zip(*values, strict=True))
    return Judged(*key, len(values), *map(float, (np.abs(misses).mean(), floors.mean(), misses.mean(), inside.mean())))


def judged_view(judged: Sequence[Judged]) -> View:
    """How forecasts held, as a table."""
    show: list[tuple[str, Callable[[Judged], str]]] = [
        ("examples", lambda one: f"{one.examples:,}"),
        ("trained on", lambda one: f"{one.examples * one.times:,}"),
        ("outcomes", lambda one: f"{one.outcomes:,}"),
        ("mean error", lambda one: f"{one.error:.3f}"),
        ("by sampling alone", lambda one: f"{one.floor:.3f}"),
        ("bias", lambda one: f"{one.bias:+.3f}"),
        (f"inside {100 * LEVEL:.0f} %", lambda one: f"{100 * one.coverage:.0f} %"),
    ]
    columns = [Column("method", tuple(one.method for one in judged), right=False)]
    return [Table((*columns, *(Column(title, tuple(map(cell, judged))) for title, cell in show)))]
