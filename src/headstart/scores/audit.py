"""Audit a table of transferability scores: find values, columns and correlations that cannot be."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import scipy
from numpy.typing import ArrayLike

from headstart.errors import InputError
from headstart.scores._table import SCORES

Statistic = Literal["pearson", "spearman", "kendall", "weighted_tau"]
Kind = Literal["range", "missing", "copy", "claim", "which_tau", "units"]

_Facts = Mapping[str, np.ndarray | None]  # what is known of the target, in each row
_ORDER: tuple[Kind, ...] = ("missing", "range", "claim", "copy", "units", "which_tau")
_LEEPS = ("leep", "nce", "soft_nce", "nleep")  # all lie between -H(Y) and 0
_EMPTY = ("", "None", "<NA>")  # text of a missing value, the last is pandas'
_WEIGHTS = {"truth": "weights from the outcome", "score": "weights from the score", "both": "the mean of both"}


@runtime_checkable
class Table(Protocol):
    """Columns by name: a mapping, or a pandas DataFrame."""

    def __iter__(self) -> Iterator[str]: ...

    def __getitem__(self, name: str, /) -> ArrayLike: ...


@dataclass(frozen=True)
class Claim:
    """A correlation as published."""

    score: str  # column of the score
    outcome: str  # column of the outcome
    statistic: Statistic
    value: float
    decimals: int = 2  # digits after the point as printed


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that a reader must know."""

    kind: Kind
    columns: tuple[str, ...]
    rows: tuple[int, ...]  # 0-based; empty where the whole column is meant
    text: str

    def __str__(self) -> str:
        return self.text


def audit(
    table: Table,
    *,
    outcomes: Sequence[str] = (),
    claims: Sequence[Claim] = (),
    classes: int | Sequence[int] | None = None,
    features: int | Sequence[int] | None = None,
    entropy: float | Sequence[float] | None = None,
    directions: Mapping[str, Literal["higher", "lower"]] | None = None,
) -> list[Finding]:
    """Check a table of scores, one row per source (or per task), against what the scores can be.

    Args:
        table: Columns by name, as in a dict or a pandas DataFrame. Columns named like a score ("H-score", "N-LEEP") are
            held to its range; others are only compared. Columns of text that is not numbers are skipped.
        outcomes: Columns that hold results of training, such as accuracies; they are not scores.
        claims: Published correlations to recompute from the columns.
        classes: Number of target classes, one for all rows or one for each: bounds H-score by C - 1, GBC by -C (C - 1),
            and the LEEP family by -log C where `entropy` is not given.
        features: Width of the features, one or one for each row: bounds H-score too.
        entropy: Entropy of the target's labels in nats, one or one for each row: bounds the LEEP family below.
        directions: Columns whose published sign is turned ("lower" is better); they are negated before their range is
            checked.

    Returns:
        What was found, most serious first; an empty list when nothing was.

    Example:
        >>> found = audit({"H-score": [12.0, 46.5]}, classes=47)
        >>> print(found[0])
        `H-score`, row 1: 46.5 is above 46, the most an H-score can be with 47 classes. (1 of 2 values.)
    """
    for name, direction in (directions or {}).items():
        if direction not in ("higher", "lower"):
            raise InputError(f'`directions` must say "higher" or "lower"; for {name!r} it says {direction!r}.')
    columns = _columns(
        table, [*outcomes, *(directions or {}), *(c.score for c in claims), *(c.outcome for c in claims)]
    )
    count = len(next(iter(columns.values()))) if columns else 0
    given = {"classes": classes, "features": features, "entropy": entropy}
    facts = {name: _per_row(name, value, count) for name, value in given.items()}
    turned = {name: -column if (directions or {}).get(name) == "lower" else column for name, column in columns.items()}
    found: list[Finding] = []
    for name, column in turned.items():
        found += _missing(name, column)
        if name in outcomes:
            found += _units(name, column)
        else:
            found += _out_of_range(name, column, facts)
    found += _copies({name: column for name, column in columns.items() if name not in outcomes})
    for claim in claims:
        found += _check_claim(claim, columns[claim.score], columns[claim.outcome])
    return sorted(found, key=lambda finding: _ORDER.index(finding.kind))


def weighted_taus(score: ArrayLike, outcome: ArrayLike) -> dict[str, float]:
    """The three statistics that are called weighted Kendall tau: weights from the truth, from the score, or both.

    All weigh an exchange by the ranks of the two items it concerns, hyperbolically; they differ in whose ranks. "both"
    is the mean of the other two and the default of `scipy.stats.weightedtau`.

    Raises:
        InputError: Columns of different lengths or with fewer than two values.

    Example:
        >>> taus = weighted_taus([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0])
        >>> sorted(taus)
        ['both', 'score', 'truth']
    """
    a, b = np.asarray(score, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise InputError(
            f"`score` and `outcome` need one value for each of at least two sources; got {a.shape}, {b.shape}."
        )
    by_score = float(scipy.stats.weightedtau(a, b, rank=None).statistic)
    by_truth = float(scipy.stats.weightedtau(b, a, rank=None).statistic)
    return {"truth": by_truth, "score": by_score, "both": (by_truth + by_score) / 2}


def _columns(table: Table, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    if not isinstance(table, Table) or isinstance(table, (Sequence, np.ndarray)):
        raise InputError(
            f"`table` must hold columns by name, as {{'leep': [-0.9, -1.2]}} or a pandas DataFrame do; got a "
            f"{type(table).__name__}. Rows become columns by `pandas.DataFrame(rows)`."
        )
    columns = {}
    for name in table:
        values = np.asarray(table[name])
        if values.ndim != 1:
            raise InputError(
                f"column {str(name)!r} must hold one value per source; got shape {values.shape}. "
                "Give a list for each, and each column a name of its own."
            )
        numbers = _numbers(str(name), values, str(name) in wanted or score_named(str(name)) is not None)
        if numbers is not None:
            columns[str(name)] = numbers
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"all columns need one value per source; got lengths {lengths}.")
    for name in wanted:
        if name not in columns:
            raise InputError(f"{name!r} is not a column of numbers; the table has {', '.join(columns) or 'none'}.")
    return columns


def _numbers(name: str, values: np.ndarray, needed: bool) -> np.ndarray | None:
    """The column in float64, or None where it is text (names, say) and not needed."""
    if values.dtype.kind in "fiub":
        return values.astype(np.float64)
    texts = [str(value).strip() for value in values.tolist()]
    numbers = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text in _EMPTY:
            continue
        try:
            numbers[row] = float(text)
        except ValueError:
            if not needed:
                return None
            raise InputError(
                f"column {name!r}, row {row}: {text!r} is not a number. Leave the entry empty where there is none, or "
                "give a column that is not a score another name."
            ) from None
    return numbers if needed or not set(texts) <= set(_EMPTY) else None


def _per_row(name: str, value: Any, count: int) -> np.ndarray | None:
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"`{name}` must be one number, or one for each of the {count} rows; got {value!r}.") from None
    least = 0 if name == "entropy" else 1
    bad = ~(np.isfinite(array) & (array >= least))
    if bad.any():
        raise InputError(f"`{name}` must be a number from {least} up; got {array[bad][0]:g}.")
    if array.ndim == 0:
        return np.full(count, float(array))
    if array.shape != (count,):
        raise InputError(f"`{name}` must be one number, or one for each of the {count} rows; got shape {array.shape}.")
    return array


def score_named(column: str) -> str | None:
    """The score a column is named after, or None.

    Example:
        >>> score_named("N-LEEP"), score_named("H score"), score_named("accuracy")
        ('nleep', 'h_score', None)
    """
    plain = re.sub(r"[^a-z0-9]", "", column.lower())
    names = {re.sub(r"[^a-z0-9]", "", name): name for name in SCORES}
    titles = {re.sub(r"[^a-z0-9]", "", row.title.lower()): row.name for row in SCORES.values()}
    return names.get(plain) or titles.get(plain)


def _missing(name: str, column: np.ndarray) -> list[Finding]:
    rows = np.flatnonzero(~np.isfinite(column))
    if not rows.size:
        return []
    text = f"`{name}`, row {rows[0]}: {column[rows[0]]} is not a score; a failed computation was kept as a value. "
    return [Finding("missing", (name,), tuple(rows.tolist()), f"{text}({rows.size} of {len(column)} values.)")]


def _units(name: str, column: np.ndarray) -> list[Finding]:
    finite = column[np.isfinite(column)]
    shares, percents = (finite >= 0) & (finite <= 1), finite > 1
    if (finite < 0).any() or not (0 < percents.sum() < len(finite)) or finite.max() > 100:
        return []
    few, what = (shares, "shares in [0, 1]") if shares.sum() <= percents.sum() else (percents, "percentages")
    if few.sum() > max(1, len(finite) // 4):  # a column of small numbers of another kind, not two units
        return []
    rows = np.flatnonzero(np.isin(column, finite[few]))
    text = f"`{name}` mixes units: row {rows[0]} ({column[rows[0]]:g}) looks like {what}, most others do not."
    return [Finding("units", (name,), tuple(rows.tolist()), text)]


def _bounds(score: str, facts: _Facts, count: int) -> list[tuple[Literal["low", "high"], np.ndarray, str]]:
    """Every bound of `score` as (side, limit in each row, in words)."""
    row = SCORES[score]
    found: list[tuple[Literal["low", "high"], np.ndarray, str]] = []
    if math.isfinite(row.low):
        found.append(("low", np.full(count, row.low), f"the least a {row.title} can be"))
    if math.isfinite(row.high):
        found.append(("high", np.full(count, row.high), f"the most a {row.title} can be"))
    classes, features, entropy = facts["classes"], facts["features"], facts["entropy"]
    if score in _LEEPS and entropy is not None:
        found.append(("low", -entropy, "minus the entropy of the labels, which a source blind to its input attains"))
    elif score in _LEEPS and classes is not None:
        found.append(("low", -np.log(classes), "minus the log of the number of classes, the least for balanced labels"))
    if score == "gbc" and classes is not None:
        found.append(("low", -classes * (classes - 1), "-C (C - 1), when all classes coincide"))
    if score in ("h_score", "regularized_h_score"):
        if classes is not None:
            found.append(("high", classes - 1, f"the most an {row.title} can be with {_range(classes)} classes"))
        if features is not None:
            found.append(("high", features, f"the most an {row.title} can be with {_range(features)} features"))
    return found


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _out_of_range(name: str, column: np.ndarray, facts: _Facts) -> list[Finding]:
    score = score_named(name)
    if score is None:
        return []
    found = []
    for side, limit, words in _bounds(score, facts, len(column)):
        slack = 1e-6 * np.maximum(1.0, np.abs(limit))
        with np.errstate(invalid="ignore"):
            bad = column < limit - slack if side == "low" else column > limit + slack
        rows = np.flatnonzero(bad & np.isfinite(column))
        if rows.size:
            first, where = rows[0], "below" if side == "low" else "above"
            text = f"`{name}`, row {first}: {column[first]:g} is {where} {limit[first]:g}, {words}. "
            text += f"({rows.size} of {len(column)} values.){_advice(score, side, column)}"
            found.append(Finding("range", (name,), tuple(rows.tolist()), text))
    return found


def _advice(score: str, side: str, column: np.ndarray) -> str:
    if score in _LEEPS and side == "high" and (column[np.isfinite(column)] >= 0).all():
        if column[np.isfinite(column)].max() <= 1:
            return " All lie in [0, 1]: the logarithm was left out."
        return " No value is negative: the sign was turned."
    return ""


def _copies(columns: Mapping[str, np.ndarray]) -> list[Finding]:
    found = []
    for (one, a), (other, b) in combinations(columns.items(), 2):
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() < 3 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
            continue
        if np.allclose(a[both], b[both], rtol=1e-9, atol=0):
            how = "are equal"
        elif both.sum() >= 4 and abs(scipy.stats.pearsonr(a[both], b[both]).statistic) > 1 - 1e-9:
            how = "are a straight line of each other"
        else:
            continue
        text = (
            f"`{one}` and `{other}` {how} in all {both.sum()} rows: one of them is a copy, or both measure one thing."
        )
        found.append(Finding("copy", (one, other), (), text))
    return found


def _check_claim(claim: Claim, score: np.ndarray, outcome: np.ndarray) -> list[Finding]:
    both = np.isfinite(score) & np.isfinite(outcome)
    columns = (claim.score, claim.outcome)
    if both.sum() < 3 or np.ptp(score[both]) == 0 or np.ptp(outcome[both]) == 0:
        text = f"`{claim.score}` against `{claim.outcome}`: fewer than three usable rows, or a constant column; the "
        return [Finding("claim", columns, (), text + f"published {claim.statistic} {claim.value:g} cannot follow.")]
    a, b = score[both], outcome[both]
    half = 0.5 * 10.0**-claim.decimals + 1e-12
    if claim.statistic == "weighted_tau":
        return _which_tau(claim, weighted_taus(a, b), half)
    one = {"pearson": scipy.stats.pearsonr, "spearman": scipy.stats.spearmanr, "kendall": scipy.stats.kendalltau}
    if claim.statistic not in one:
        raise InputError(f"`statistic` must be pearson, spearman, kendall or weighted_tau; got {claim.statistic!r}.")
    value = float(one[claim.statistic](a, b).statistic)
    if abs(value - claim.value) <= half:
        return []
    others = {name: float(function(a, b).statistic) for name, function in one.items() if name != claim.statistic}
    others |= {f"weighted tau ({_WEIGHTS[k]})": tau for k, tau in weighted_taus(a, b).items()}
    near = [name for name, other in others.items() if abs(other - claim.value) <= half]
    hint = f" It is the {' and the '.join(near)} of these columns." if near else ""
    turned = f" Its sign is turned ({value:.{claim.decimals}f})." if abs(value + claim.value) <= half and value else ""
    text = (
        f"`{claim.score}` against `{claim.outcome}`: the columns give {claim.statistic} "
        f"{value:.{claim.decimals}f}, published is {claim.value:.{claim.decimals}f}.{hint}{turned}"
    )
    return [Finding("claim", columns, (), text)]


def _which_tau(claim: Claim, taus: Mapping[str, float], half: float) -> list[Finding]:
    columns = (claim.score, claim.outcome)
    fits = [name for name, value in taus.items() if abs(value - claim.value) <= half]
    named = ", ".join(f"{value:.{claim.decimals}f} ({_WEIGHTS[name]})" for name, value in taus.items())
    start, published = (
        f"`{claim.score}` against `{claim.outcome}`: weighted tau is ",
        f"{claim.value:.{claim.decimals}f}",
    )
    if not fits:
        return [Finding("claim", columns, (), f"{start}{named}; published is {published}, which is none of the three.")]
    if len(fits) == len(taus):
        text = f"{start}{published} under all three weightings to {claim.decimals} digits."
    else:
        text = f"{start}{named}; published {published} takes {' or '.join(_WEIGHTS[name] for name in fits)}."
    return [Finding("which_tau", columns, (), text)]
