"""Leave-one-out accuracy of the nearest neighbours: a simple baseline that few scores beat."""

from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import NotApplicableError, check_features, check_labels
from headstart.scores._compiled import compiled
from headstart.scores._inputs import Inputs
from headstart.scores._neighbours import all_neighbours, neighbours
from headstart.scores._table import SCORES, Measured, Score

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
