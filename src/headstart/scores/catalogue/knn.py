"""Leave-one-out accuracy of the nearest neighbours: a simple baseline that few scores beat.

Neighbours are those by exact distance: candidates come from a fast product and are sorted by distances taken one by
one.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError, check_features, check_labels
from headstart.scores._compiled import compiled
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score
from headstart.scores._threads import one_matrix_thread, thread_count

TILE = 1024  # examples a side of one block of approximate distances: 4 MB
BLOCK = 2048  # examples whose candidates are sorted at one time
ROUNDING = 4e-6  # bound on the error of an approximate squared distance between points of length at most 1


def neighbours(
    points: Float[np.ndarray, "n d"], wanted: int
) -> Iterator[tuple[slice, Int[np.ndarray, "b w"], Float[np.ndarray, "b w"], Float[np.ndarray, " b"]]]:
    """For blocks of examples: their nearest others, the squared distances, nearest first, and a radius.

    All neighbours nearer than the radius are listed; it is infinite where all others are. Equal distances are exactly
    equal, whatever the order of the examples, since each is computed by itself in float64.
    """
    n = len(points)
    wanted = min(wanted, n - 1)
    small, unit = _small(points)
    near, edge = _candidates(small, wanted)
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        exact = np.empty(near[block].shape)
        _distances(points, np.arange(block.start, block.stop), near[block], exact)
        order = np.argsort(exact, axis=1)
        radius = np.full(len(exact), np.inf) if wanted == n - 1 else (edge[block] - ROUNDING) * unit**2
        yield block, np.take_along_axis(near[block], order, axis=1), np.take_along_axis(exact, order, axis=1), radius


def _candidates(
    small: Float32[np.ndarray, "n d"], wanted: int
) -> tuple[Int[np.ndarray, "n w"], Float[np.ndarray, " n"]]:
    """The `wanted` others that are nearest by float32 distances, and the largest of these distances.

    A product of two blocks of examples serves both: only blocks on and above the diagonal are made. Each thread makes
    one, without the matrix library's own threads, which would go on spinning; then all choose from each, with rows and
    columns of their own.
    """
    n = len(small)
    lengths = np.einsum("ij,ij->i", small, small)
    near = np.zeros((n, wanted), dtype=np.int64)
    rough = np.full((n, wanted), np.inf, dtype=np.float32)  # each lacks the example's own length, which orders nothing
    worst = np.zeros(n, dtype=np.int64)  # where in `rough` the largest stands
    threads = thread_count()
    corners = [(top, left) for top in range(0, n, TILE) for left in range(top, n, TILE)]

    def product(corner: tuple[int, int]) -> np.ndarray:
        top, left = corner
        return np.asarray(small[top : top + TILE] @ small[left : left + TILE].T)

    with one_matrix_thread(), ThreadPoolExecutor(threads) as pool:
        for at in range(0, len(corners), threads):
            tiles = list(pool.map(product, corners[at : at + threads]))
            for tile, (top, left) in zip(tiles, corners[at : at + threads], strict=True):
                jobs = [
                    pool.submit(_choose, tile, top, left, lengths, mine, threads, near, rough, worst)
                    for mine in range(threads)
                ]
                for job in jobs:
                    job.result()
    return near, rough.max(axis=1).astype(np.float64) + lengths


@compiled
@no_type_check
def _choose(tile, top, left, lengths, mine, threads, near, rough, worst):
    """Offer a tile's columns to its rows as neighbours, and off the diagonal its rows to its columns.

    This call serves rows `mine`, `mine` + `threads`, ... and one run of columns, which no other call touches.
    """
    for i in range(mine, tile.shape[0], threads):
        row = top + i
        bar = rough[row, worst[row]]
        for j in range(tile.shape[1]):
            value = lengths[left + j] - 2 * tile[i, j]
            if value < bar and row != left + j:
                bar = _replace(row, left + j, value, near, rough, worst)
    if top == left:
        return
    first = tile.shape[1] * mine // threads
    last = tile.shape[1] * (mine + 1) // threads
    for i in range(tile.shape[0]):
        for j in range(first, last):
            value = lengths[top + i] - 2 * tile[i, j]
            if value < rough[left + j, worst[left + j]]:
                _replace(left + j, top + i, value, near, rough, worst)


@compiled
@no_type_check
def _replace(row, other, value, near, rough, worst):
    """Put a nearer neighbour in the place of the farthest one; return the distance of the one now farthest."""
    near[row, worst[row]] = other
    rough[row, worst[row]] = value
    farthest = 0
    for k in range(1, rough.shape[1]):
        if rough[row, k] > rough[row, farthest]:
            farthest = k
    worst[row] = farthest
    return rough[row, farthest]


def all_neighbours(points: Float[np.ndarray, "n d"], row: int) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """All other examples, nearest first, with their squared distances."""
    others = np.delete(np.arange(len(points)), row)[None]
    exact = np.empty(others.shape)
    _distances(points, np.array([row]), others, exact)
    order = np.argsort(exact[0])
    return others[0][order], exact[0][order]


def _small(points: Float[np.ndarray, "n d"]) -> tuple[Float32[np.ndarray, "n d"], float]:
    """The points around their mean in float32, the longest of length 1, and the length that was."""
    centred = points - points.mean(axis=0, dtype=np.float64).astype(points.dtype)
    unit = float(np.sqrt(np.einsum("ij,ij->i", centred, centred, dtype=np.float64).max()))
    return (centred / (unit or 1.0)).astype(np.float32, copy=False), unit


@compiled
@no_type_check
def _distances(points, rows, others, out):
    """out[a, b] = squared distance between points rows[a] and others[a, b]."""
    for a in range(others.shape[0]):
        one = points[rows[a]]
        for b in range(others.shape[1]):
            other = points[others[a, b]]
            total = 0.0
            for k in range(one.size):
                step = np.float64(one[k]) - np.float64(other[k])
                total += step * step
            out[a, b] = total


NEIGHBOURS = 5
MOST = 20_000  # examples in a ranking, since time grows with n^2
SPARE = 24  # candidates beyond k, so that ties and left-out groups seldom ask for a second look

Metric = Literal["euclidean", "cosine"]


def knn(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    k: int = NEIGHBOURS,
    metric: Metric = "euclidean",
) -> float:
    """Leave-one-out accuracy of a vote among the k nearest other examples (higher is better).

    Ties are shared: examples tied at the k-th distance share the remaining votes, classes tied
    in votes share the hit. So neither the order of the samples nor the names of the classes matter, and duplicates are
    neighbours like any other.

    Args:
        k: Number of neighbours, below n.
        metric: Straight distance, or the angle seen from zero.

    Returns:
        The score, from 0 to 1.

    Example:
        >>> knn(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 0, 1, 1]), k=1)
        1.0

    Reference: Cover and Hart, 1967, https://doi.org/10.1109/TIT.1967.1053964; as a transferability score in Renggli et
    al., CVPR 2022, https://arxiv.org/abs/2010.06402
    """
    checked = check_labels(labels)
    array = check_features(features, len(checked.codes))
    if metric not in ("euclidean", "cosine"):
        raise InputError(f'`metric` must be "euclidean" or "cosine"; got {metric!r}.')
    if not 1 <= k < len(array):
        raise InputError(f"`k` must be from 1 to {len(array) - 1}, the number of other examples; got {k}.")
    hits, _ = _hits(_points(array, metric), checked.codes, k, None)
    return float(hits.mean())


def _points(features: np.ndarray, metric: Metric) -> Float[np.ndarray, "n d"]:
    """Points whose straight distances order as the metric does."""
    points = np.ascontiguousarray(features, dtype=np.float32 if features.dtype.itemsize <= 4 else np.float64)
    if metric == "euclidean":
        return points
    lengths = np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(points / np.where(lengths > 0, lengths, 1.0))


def _hits(
    points: Float[np.ndarray, "n d"], codes: Int[np.ndarray, " n"], k: int, groups: Int[np.ndarray, " n"] | None
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n g"]]:
    """Expected hit of each example, and its hit when each group is left out, from one search for neighbours."""
    n = len(points)
    inside = np.zeros(n, dtype=np.int64) if groups is None else groups
    count = 0 if groups is None else int(groups.max()) + 1
    hits, without = np.empty(n), np.empty((n, count))
    votes = np.zeros(int(codes.max()) + 1)
    for block, near, distances, radius in neighbours(points, k + SPARE):
        complete = np.empty(len(near), dtype=np.bool_)
        _vote(near, distances, radius, codes[block], codes, inside, k, votes, hits[block], without[block], complete)
        for row in np.flatnonzero(~complete) + block.start:  # the decision lies beyond the candidates: take all
            every, exact = all_neighbours(points, int(row))
            one = slice(row, row + 1)
            _vote(
                every[None], exact[None], np.array([np.inf]), codes[one], codes, inside, k, votes,
                hits[one], without[one], np.empty(1, dtype=np.bool_),
            )  # fmt: skip
    return hits, without


@compiled
@no_type_check
def _vote(near, distances, radius, own, codes, groups, k, votes, hits, without, complete):
    """Fill `hits` and `without` for a block of examples; `complete` is False where candidates do not suffice."""
    for row in range(near.shape[0]):
        hits[row], last = _hit(near[row], distances[row], radius[row], own[row], codes, groups, -1, k, votes)
        complete[row] = last >= 0
        for group in range(without.shape[1]):
            without[row, group] = hits[row]
        for j in range(last + 1):  # only the groups among the voters change the vote
            group = groups[near[row, j]]
            if without.shape[1] > 0 and complete[row]:
                without[row, group], reached = _hit(
                    near[row], distances[row], radius[row], own[row], codes, groups, group, k, votes
                )
                complete[row] = reached >= 0


@compiled
@no_type_check
def _hit(near, distances, radius, own, codes, groups, skipped, k, votes):
    """Expected hit without the group `skipped`, and the place of the last voter (-1: beyond the candidates)."""
    seen = 0
    reach = np.inf
    for j in range(near.size):
        if groups[near[j]] != skipped:
            seen += 1
            if seen == k:
                reach = distances[j]
                break
    if seen < k or not reach < radius:
        return 0.0, -1
    nearer = 0
    tied = 0
    last = 0
    for j in range(near.size):
        if distances[j] > reach:
            break
        last = j
        if groups[near[j]] != skipped:
            if distances[j] < reach:
                nearer += 1
            else:
                tied += 1
    most = 0.0
    for j in range(last + 1):
        if groups[near[j]] != skipped:
            votes[codes[near[j]]] += 1.0 if distances[j] < reach else (k - nearer) / tied
            most = max(most, votes[codes[near[j]]])
    hit = votes[own] >= most - 1e-9
    winners = 0
    for j in range(last + 1):
        if votes[codes[near[j]]] >= most - 1e-9:
            winners += 1
        votes[codes[near[j]]] = 0.0
    return (1.0 / winners if hit else 0.0), last


def _measure(inputs: Inputs) -> Measured:
    if inputs.n - inputs.largest_group <= NEIGHBOURS:
        raise NotApplicableError(f"{inputs.n} examples are too few for {NEIGHBOURS} neighbours and an interval")
    rows, notes = inputs.sample(MOST, "knn")
    groups = None if inputs.groups is None else inputs.groups[rows]
    points = _points(inputs.features[rows] if notes else inputs.features, "euclidean")
    hits, without = _hits(points, inputs.classes.codes[rows], NEIGHBOURS, groups)
    if groups is None:
        return Measured(float(hits.mean()), None, notes)
    outside = groups[:, None] != np.arange(inputs.group_count)
    return Measured(float(hits.mean()), np.where(outside, without, 0.0).sum(axis=0) / outside.sum(axis=0), notes)


SCORES.add(
    Score(
        title="nearest neighbours",
        function=knn,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n^2 d), in a ranking for at most 20,000 examples",
        meaning="How often an example's nearest neighbours among the features carry its label.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        default=8,
        measure=_measure,
    )
)
