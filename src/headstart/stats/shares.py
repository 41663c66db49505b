"""Exact intervals of a share."""

import scipy


def share_interval(hits: float, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of hits / n (Biometrika 26, 1934).

    Example:
        >>> [round(end, 3) for end in share_interval(8, 10)]
        [0.444, 0.975]
    """
    low = float(scipy.stats.beta.ppf(0.025, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(scipy.stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
