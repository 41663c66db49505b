"""Features as points to group, and the ways to group them."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from headstart.errors import InputError, did_you_mean

COMPONENTS = 50  # of the points: distances in hundreds of dimensions are mostly noise
LARGEST = 20_000  # examples that agglomerative clustering can hold all distances of
COUNTS = (2, 3, 4, 6, 8, 10, 14, 20, 30)  # clusters that `k="auto"` considers
EACH = 5  # examples per cluster, at least, that `k="auto"` considers
SAMPLE = 2_000  # examples a silhouette is computed on

Points = Float[np.ndarray, "n p"]
Groups = Int[np.ndarray, " n"]
Algorithm = Callable[[Points, int, int], Groups]


def points_of(features: np.ndarray[Any, np.dtype[Any]]) -> Points:
    """Features (n, d) as points: centred, each of length one, in their first 50 principal components.

    The length of a feature vector mostly tells how strongly a network responds, not to what.

    Example:
        >>> points_of(np.array([[0.0, 1.0], [0.0, 5.0], [3.0, 3.0]])).shape
        (3, 2)
    """
    from sklearn.decomposition import PCA

    centred = np.asarray(features, dtype=np.float64) - np.mean(features, axis=0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    kept = min(COMPONENTS, *unit.shape)
    return np.asarray(PCA(kept, svd_solver="auto", random_state=0).fit_transform(unit))


def k_means(points: Points, k: int, seed: int) -> Groups:
    """Lloyd's algorithm, the best of several starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():  # half of the data may hold fewer than k different points
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(KMeans(k, n_init=5, random_state=seed).fit_predict(points), dtype=np.int64)


def agglomerative(points: Points, k: int, seed: int) -> Groups:
    """Ward's method: the two groups whose union grows the least in variance are joined, until k are left."""
    from sklearn.cluster import AgglomerativeClustering

    return np.asarray(AgglomerativeClustering(k).fit_predict(points), dtype=np.int64)


def hdbscan(points: Points, k: int, seed: int) -> Groups:
    """Dense regions of any shape; it finds their number itself, and -1 marks examples in none of them."""
    from sklearn.cluster import HDBSCAN

    least = max(EACH, len(points) // 100)
    return np.asarray(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(points), dtype=np.int64)


ALGORITHMS: Mapping[str, Algorithm] = {"k-means": k_means, "agglomerative": agglomerative, "hdbscan": hdbscan}


def check_options(algorithm: str, k: int | str) -> None:
    """Refuse what no data can be grouped by.

    Raises:
        InputError: The algorithm or `k` cannot be used.
    """
    if algorithm not in ALGORITHMS:
        hint = did_you_mean(str(algorithm), ALGORITHMS)
        raise InputError(f"`algorithm` must be one of {', '.join(ALGORITHMS)}; got {algorithm!r}.{hint}")
    if k != "auto" and (isinstance(k, bool) or not isinstance(k, int)):
        raise InputError(f'`k` must be "auto" or a whole number of clusters; got {k!r}.')
    if isinstance(k, int) and algorithm == "hdbscan":
        raise InputError('`k` has no effect with `algorithm="hdbscan"`, which finds the number itself; leave it out.')
    if isinstance(k, int) and k < 2:
        raise InputError(f"`k` must be at least 2 clusters; got {k}. One cluster would hold every example.")


def check_points(algorithm: str, k: int | str, n: int, distinct: int) -> None:
    """Refuse n examples, `distinct` of which differ, where they cannot be grouped so.

    Raises:
        InputError: There are too few or too many, or all of them are the same.
    """
    if distinct < 2:
        raise InputError(f"all {n} examples have the same features, so there is nothing to tell apart.")
    if n < 2 * EACH:
        raise InputError(f"there are {n} examples; clusters need at least {2 * EACH}.")
    if isinstance(k, int) and k > distinct // 2:
        raise InputError(
            f"`k` is {k}, but there are {distinct} different examples; ask for at most {distinct // 2} clusters."
        )
    if algorithm == "agglomerative" and n > LARGEST:
        raise InputError(
            f"agglomerative clustering holds all distances between examples, which is too much for {n:,}. Set "
            f"`limit` to at most {LARGEST:,}, or use k-means."
        )


def counts(points: Points) -> list[int]:
    """The numbers of clusters that `k="auto"` considers: 2 to 30, ever further apart.

    Example:
        >>> counts(np.arange(60.0)[:, None])
        [2, 3, 4, 6, 8, 10]
    """
    last = len(np.unique(points, axis=0)) // EACH
    return [k for k in COUNTS if k == COUNTS[0] or k <= last]


def best_k(points: Points, algorithm: Algorithm, seed: int) -> int:
    """The number of clusters whose silhouette lies furthest above that of the same points without structure.

    The plain silhouette prefers two clusters almost always (see benchmarks/RESULTS.md).

    Reference: Rousseeuw, J. Comput. Appl. Math. 20, 1987; Tibshirani, Walther and Hastie, J. R. Stat. Soc. B 63, 2001.
    """
    mixed = unstructured(points, seed)

    def excess(k: int) -> float:
        return sum(
            sign * (silhouette(these, algorithm(these, k, seed)) or 0.0) for sign, these in ((1, points), (-1, mixed))
        )

    return max(counts(points), key=excess)


def unstructured(points: Points, seed: int) -> Points:
    """Points whose coordinates have the same values, each in an order of its own: no groups, the same spread."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.permutation(column) for column in points.T])


def silhouette(points: Points, groups: Groups) -> float | None:
    """Mean silhouette in [-1, 1] of the grouped examples: near 1 where groups are tight and far apart.

    It favours sources whose features have few dimensions. None where it is not defined: fewer than two groups.
    """
    from sklearn.metrics import silhouette_score

    inside = groups >= 0
    count = len(np.unique(groups[inside]))
    if not 2 <= count < inside.sum():
        return None
    rows = np.flatnonzero(inside)
    if len(rows) > SAMPLE:
        rows = np.random.default_rng(0).choice(rows, SAMPLE, replace=False)
        if len(np.unique(groups[rows])) < 2:
            return None
    return float(silhouette_score(points[rows], groups[rows]))
