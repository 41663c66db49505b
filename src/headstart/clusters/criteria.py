"""What can be said of clusters without labels, and what labels say where there are some."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.clusters.partition import Algorithm, Groups, Points, unstructured
from headstart.records import Index
from headstart.stats import jackknife, jackknife_groups

SPLITS = 6  # into halves
MOST = 2_000  # examples that take part in a split


@dataclass(frozen=True)
class Stability:
    """How alike the clusters of two halves of the data are."""

    value: float  # adjusted Rand index, mean over the splits
    deviation: float  # standard deviation over the splits
    chance: float  # the value for the same points without structure

    @property
    def above_chance(self) -> float:
        """What structure adds."""
        return self.value - self.chance


def stability(points: Points, algorithm: Algorithm, k: int, seed: int) -> Stability:
    """How alike the clusters of two halves of the data are, and how alike they are by chance.

    Both halves are clustered. Each example of the second is given the cluster of its nearest neighbour in the first,
    and the two groupings of the second half are compared by the adjusted Rand index: 1 if they are the same, 0 if they
    agree as two random groupings do. Few clusters are stable even without structure, hence the comparison.

    Reference: Lange, Roth, Braun and Buhmann, Neural Computation 16, 2004; Ben-Hur, Elisseeff and Guyon, PSB 2002.
    """
    found = _halves(points, algorithm, k, seed)
    chance = _halves(unstructured(points, seed), algorithm, k, seed)
    return Stability(float(np.mean(found)), float(np.std(found, ddof=1)), float(np.mean(chance)))


def _halves(points: Points, algorithm: Algorithm, k: int, seed: int) -> list[float]:
    from sklearn.metrics import adjusted_rand_score
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(seed)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(len(points))[:MOST]
        one, two = order[::2], order[1::2]
        first, second = algorithm(points[one], k, seed), algorithm(points[two], k, seed)
        nearest = NearestNeighbors(n_neighbors=1).fit(points[one]).kneighbors(points[two], return_distance=False)
        found.append(float(adjusted_rand_score(first[nearest[:, 0]], second)))
    return found


def agreement(groupings: Sequence[Groups]) -> list[float | None]:
    """Mean adjusted Rand index of each source's groups with those of the others; None for a single source.

    Example:
        >>> agreement([np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])])
        [1.0, 1.0, 1.0]
    """
    from sklearn.metrics import adjusted_rand_score

    return [
        float(np.mean([adjusted_rand_score(own, other) for j, other in enumerate(groupings) if j != i]))
        if len(groupings) > 1
        else None
        for i, own in enumerate(groupings)
    ]


def against_labels(groups: Groups, labels: Groups, seed: int) -> tuple[Index, Index]:
    """Adjusted Rand index and normalised mutual information with the labels, with 95 % jackknife intervals.

    Hubert and Arabie, Journal of Classification 2, 1985; Vinh, Epps and Bailey, JMLR 11, 2010 (arithmetic mean).
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    parts = jackknife_groups(len(labels), seed=seed)
    found = []
    for measure in (adjusted_rand_score, normalized_mutual_info_score):
        value = float(measure(labels, groups))
        deleted = [float(measure(labels[parts != part], groups[parts != part])) for part in np.unique(parts)]
        estimate = jackknife(value, np.array(deleted))
        found.append(Index(value, max(estimate.low, -1.0), min(estimate.high, 1.0)))
    return found[0], found[1]
