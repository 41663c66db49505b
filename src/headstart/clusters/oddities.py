"""Examples worth a look: suspected duplicates, outliers, and those in the middle of each cluster."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from headstart.clusters.partition import Groups, Points

NEAR = 0.1  # of the usual distance to the nearest example: so near are suspected duplicates
NEIGHBOURS = 20  # an example's density is compared with theirs
SPARSE = 1.5  # local outlier factor above which an example is listed
MOST = 50  # listed of each kind
CENTRAL = 6  # shown of each cluster


def duplicates(points: Points) -> list[tuple[int, int]]:
    """Pairs of examples that are far nearer to each other than examples usually are, nearest first.

    Example:
        >>> line = np.array([[0.0], [1.0], [2.0], [2.001], [3.0]])
        >>> duplicates(line)
        [(2, 3)]
    """
    from sklearn.neighbors import NearestNeighbors

    distances, nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()
    usual = float(np.median(distances[:, 0]))
    found: dict[tuple[int, int], float] = {}
    for row in np.flatnonzero(distances[:, 0] <= NEAR * usual):
        pair = (min(row, nearest[row, 0]), max(row, nearest[row, 0]))
        found[int(pair[0]), int(pair[1])] = float(distances[row, 0])
    return sorted(found, key=lambda pair: (found[pair], pair))[:MOST]


def different(points: Points) -> tuple[Points, Int[np.ndarray, " n"]]:
    """The points without copies, and the place of each of the given ones among them: copies mislead neighbour searches.

    Example:
        >>> distinct, place = different(np.array([[2.0], [1.0], [2.0]]))
        >>> distinct.ravel().tolist(), place.tolist()
        ([2.0, 1.0], [0, 1, 0])
    """
    _, first, place = np.unique(points.round(9), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return points[first[order]], np.argsort(order)[place]


def outliers(points: Points) -> list[tuple[int, float]]:
    """Examples in far sparser surroundings than their neighbours', with their local outlier factor, largest first.

    Reference: Breunig, Kriegel, Ng and Sander, SIGMOD 2000.
    """
    from sklearn.neighbors import LocalOutlierFactor

    distinct, place = different(points)
    if len(distinct) <= NEIGHBOURS:
        return []
    factor = LocalOutlierFactor(NEIGHBOURS).fit(distinct)
    density = -factor.negative_outlier_factor_[place]
    return [(int(row), float(density[row])) for row in np.argsort(-density)[:MOST] if density[row] > SPARSE]


def central(points: Points, groups: Groups, number: int) -> list[int]:
    """The examples nearest to the mean of a cluster, nearest first."""
    rows = np.flatnonzero(groups == number)
    distance = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1)
    return [int(row) for row in rows[np.argsort(distance, kind="stable")][:CENTRAL]]


def names(probs: Float[np.ndarray, "n z"], classes: Sequence[str], groups: Groups, number: int) -> tuple[str, ...]:
    """Up to three source classes that a cluster's examples resemble far more than the other examples do.

    Of a class with several names ("jersey, T-shirt, tee shirt") the first is given.

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
        >>> names(probs, ["cat", "dog"], np.array([0, 0, 1]), 1)
        ('dog',)
    """
    excess = probs[groups == number].mean(axis=0) - probs.mean(axis=0)
    order = np.argsort(-excess, kind="stable")[:3]
    least = max(excess[order[0]] / 3, min(0.01, 1 / len(classes)))
    return tuple(classes[column].partition(",")[0] for column in order if excess[column] > least)
