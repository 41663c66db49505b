"""PARC: rank correlation between how far apart examples are in features and in labels."""

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError, block_rows, check_features, check_labels
from headstart.scores._compiled import compiled
from headstart.scores._decomposition import decompose, principal_components
from headstart.scores._inputs import Inputs
from headstart.scores._sums import in_class_order
from headstart.scores._table import SCORES, Measured, Score, without_each_group
from headstart.scores._threads import one_matrix_thread, over_shares, thread_count

LEVELS = 1 << 20  # distances lie in [0, 2] and are told apart in steps of 2 / LEVELS: equal rows tie despite rounding
COARSE = 1 << 13  # steps of left-out values; what they cost on all examples is added again
MOST = 20_000  # examples in a ranking, since time grows with n^2
HELD = "approximate interval: columns stay standardised as over all examples"
_TILE = 1024  # rows in one block of distances: at most 8 MB for each thread


def parc(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], *, dims: int | None = None) -> float:
    """PARC: 100 times the Spearman correlation, over pairs of examples, of feature distance and label distance.

    Feature distance is one minus the Pearson correlation of two rows whose columns were standardised first. Label
    distance takes two values, same class or not, so its ranks are known beforehand and the correlation is a rank sum:
    the distances are counted in a fine histogram, tile by tile, and neither n x n matrix exists.

    Args:
        features: One row per example, at least two features that vary.
        dims: Principal components kept first (the paper's variant uses 32); None, as in eq. 4, keeps the features.

    Returns:
        The score in [-100, 100].

    Example:
        Pairs of one class are nearer than all others:
        >>> features = np.array([[1.0, 0.1, 0.0], [1.0, 0.0, 0.1], [0.0, 1.0, 0.9], [0.1, 0.9, 1.0]])
        >>> round(parc(features, np.array([0, 0, 1, 1])), 4)  # 100 times sqrt(24 / 35), as far as ties allow
        82.8079

    Reference: Bolya, Mittapalli, Hoffman, NeurIPS 2021, eq. 4. https://arxiv.org/abs/2111.06977
    """
    checked = check_labels(labels)
    features = check_features(features, len(checked.codes))
    if dims is not None and dims < 2:
        raise InputError(f"`dims` must be at least 2, or None: one feature has no correlation; got {dims}.")
    x = features if dims is None else principal_components(decompose(features), dims)
    # float32 products are off by less than a tenth of a step of the histogram, and take half the time
    directions = _directions(x, np.float32 if features.dtype.itemsize <= 4 else np.float64)
    order, _ = in_class_order(checked.codes, len(checked.counts))
    return _spearman(*_histograms(directions[order], checked.codes[order]))


def _directions(x: np.ndarray, dtype: type) -> np.ndarray:
    """Rows whose inner products are the Pearson correlations of the rows of the standardised columns."""
    step = block_rows(x)
    blocks = [slice(at, at + step) for at in range(0, len(x), step)]
    peaks = np.max([np.abs(x[block]).max(axis=0) for block in blocks], axis=0).astype(np.float64)
    scale = np.where(peaks > 0, peaks, 1.0)
    mean = sum((x[block] / scale).sum(axis=0) for block in blocks) / len(x)
    spread = np.sqrt(sum(((x[block] / scale - mean) ** 2).sum(axis=0) for block in blocks) / len(x))
    vary = spread > 1e-12  # standardising rounding noise would make a feature of it
    if np.count_nonzero(vary) < 2:
        raise NotApplicableError(
            f"PARC correlates rows, so at least two features must vary; {np.count_nonzero(vary)} of {len(peaks)} do."
        )
    chosen = slice(None) if vary.all() else vary
    rows: np.ndarray = np.empty((len(x), np.count_nonzero(vary)), dtype)
    for block in blocks:
        part = (x[block][:, chosen] / scale[vary] - mean[vary]) / spread[vary]
        part -= part.mean(axis=1, keepdims=True)
        lengths = np.sqrt((part**2).sum(axis=1, keepdims=True))
        if (lengths <= 1e-12).any():
            raise NotApplicableError(
                "a row of `features` has one value in every standardised column, so it has no correlation with other "
                "rows; drop such examples."
            )
        rows[block] = part / lengths
    return rows


def _histograms(
    rows: np.ndarray, codes: np.ndarray, others: tuple[np.ndarray, np.ndarray] | None = None, levels: int = LEVELS
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (levels + 1,) of the rounded distances of pairs within and between classes; `codes` in order.

    Of all pairs of `rows`, or of each of them with each of the `others` and their codes. Tiles, above the diagonal
    where there is one, are shared between threads, each with its own products and its own histograms.
    """
    beside, beside_codes = (rows, codes) if others is None else others
    tiles = [
        (slice(top, top + _TILE), slice(left, left + _TILE))
        for top in range(0, len(rows), _TILE)
        for left in range(0 if others is not None else top, len(beside), _TILE)
    ]

    def count(runs: Sequence[slice]) -> tuple[np.ndarray, np.ndarray]:
        every, within = np.zeros(levels + 1, dtype=np.int64), np.zeros(levels + 1, dtype=np.int64)
        for top, left in tiles[runs[0].start : runs[-1].stop]:
            diagonal = others is None and top == left
            _count(rows[top] @ beside[left].T, codes[top], beside_codes[left], diagonal, every, within)
        return every, within

    with one_matrix_thread():
        shares = over_shares(count, [slice(at, at + 1) for at in range(len(tiles))], thread_count())
    every, within = (np.sum(part, axis=0) for part in zip(*shares, strict=True))
    return within, every - within


@compiled
@no_type_check
def _count(tile, one, other, diagonal, every, within):
    """Count a tile, above the diagonal where it lies on it; a row's own class is one run, counted once more."""
    half = (every.shape[0] - 1) / 2
    levels = np.empty(tile.shape[1], dtype=np.int32)
    for i in range(tile.shape[0]):
        row = tile[i]
        for j in range(row.size):  # without the counting, this runs in vector registers
            levels[j] = np.int32(min(max((1.0 - row[j]) * half, 0.0), 2 * half) + 0.5)
        first = i + 1 if diagonal else 0
        for j in range(first, row.size):
            every[levels[j]] += 1
        if one[i] <= other[-1]:
            for j in range(max(first, np.searchsorted(other, one[i])), row.size):
                if other[j] != one[i]:
                    break
                within[levels[j]] += 1


def _spearman(within: np.ndarray, between: np.ndarray) -> float:
    """100 times the Spearman correlation of levels with the indicator of `between`, ties at their mean rank."""
    same, different = int(within.sum()), int(between.sum())
    if same == 0:
        raise NotApplicableError("every example has a class of its own; PARC needs pairs that share one.")
    used = np.flatnonzero(within + between)
    tied = (within[used] + between[used]).astype(np.float64)
    pairs = float(same + different)
    ranks = np.cumsum(tied) - (tied - 1) / 2 - (pairs + 1) / 2  # mean rank of each level, centred
    spread = np.sqrt((tied * ranks**2).sum())
    if spread == 0:  # all pairs equally far apart
        return 0.0
    apart = (between[used] * ranks).sum()  # covariance with the indicator; `ranks` is centred
    return float(np.clip(100 * apart / (spread * np.sqrt(same * (different / pairs))), -100.0, 100.0))


def _measure(inputs: Inputs) -> Measured:
    sample, notes = inputs.sample(MOST, "parc")
    features = inputs.features[sample] if notes else inputs.features
    directions = _directions(features, np.float32 if features.dtype.itemsize <= 4 else np.float64)
    codes = inputs.classes.codes[sample]
    order, _ = in_class_order(codes, len(inputs.classes.counts))
    rows, codes = directions[order], codes[order]
    fine = _histograms(rows, codes)
    value = _spearman(*fine)
    if inputs.groups is None:
        return Measured(value, None, notes)
    groups = inputs.groups[sample][order]
    whole = tuple(_coarse(one) for one in fine)
    off = value - _spearman(*whole)

    def again(group: int) -> float:
        own, kept = groups == group, groups != group
        check_labels(codes[kept])
        inside = _histograms(rows[own], codes[own], None, COARSE) if own.any() else (0, 0)
        across = _histograms(rows[own], codes[own], (rows[kept], codes[kept]), COARSE) if own.any() else (0, 0)
        return _spearman(*(every - one - other for every, one, other in zip(whole, inside, across, strict=True))) + off

    return without_each_group(inputs, value, again, (*notes, HELD))


def _coarse(counts: np.ndarray) -> np.ndarray:
    """Counts of the coarse steps from those of the fine ones, each joined to the nearest."""
    step = LEVELS // COARSE
    return np.asarray(np.add.reduceat(counts, [0, *range((step + 1) // 2, LEVELS + 1, step)]))


SCORES.add(
    Score(
        title="PARC",
        function=parc,
        needs="features",
        low=-100.0,
        high=100.0,
        cost="O(n^2 d), in a ranking for at most 20,000 examples",
        meaning="Whether examples that are near in features share a label: a rank correlation over all pairs, in "
        "hundredths.",
        invariances={"order", "names", "unused", "scale", "shift"},
        measure=_measure,
    )
)
