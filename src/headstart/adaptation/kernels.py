"""The Gaussian kernel of kernel mean matching and of the domain distance."""

import numpy as np

SAMPLE = 500  # examples of each domain whose distances give the width


def gaussian(rows: np.ndarray, others: np.ndarray, width: float) -> np.ndarray:
    """exp(-|x - y|^2 / (2 width^2)) for all pairs of rows (n, d) and (m, d)."""
    return np.asarray(np.exp(-_squares(rows, others) / (2 * width**2)))


def _squares(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * rows @ others.T
    return np.asarray(np.maximum(squares, 0.0))


def median_distance(features: np.ndarray, new: np.ndarray) -> float:
    """The median distance between examples of both domains; 1 where most are equal.

    Example:
        >>> median_distance(np.array([[0.0], [3.0]]), np.array([[5.0]]))
        3.0
    """
    both = np.concatenate([rows[:: -(-len(rows) // SAMPLE)] for rows in (features, new)])
    return float(np.sqrt(np.median(_squares(both, both)[np.triu_indices(len(both), 1)]))) or 1.0


def mmd(
    features: np.ndarray, new: np.ndarray, width: float, *, permutations: int = 0, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two samples, unbiased, and the p-value of a permutation test.

    mean of k(x, x') over pairs of the first + the same of the second - 2 mean of k(x, y); around 0, and so sometimes
    below it, where both samples come from one distribution. The p-value is 1 without permutations.

    Reference: Gretton et al., JMLR 13, 2012, eq. 3. https://jmlr.org/papers/v13/gretton12a.html
    """
    n, m = len(features), len(new)
    kernel = gaussian(*(np.concatenate([features, new]),) * 2, width)
    np.fill_diagonal(kernel, 0.0)
    first = np.zeros((n + m, permutations + 1))
    first[:n, 0] = 1.0
    rng = np.random.default_rng(seed)
    for column in range(1, permutations + 1):
        first[rng.permutation(n + m)[:n], column] = 1.0
    along = kernel @ first
    within, whole = (first * along).sum(axis=0), kernel.sum()
    across = along.sum(axis=0) - within
    other = whole - within - 2 * across
    values = within / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)
    return float(values[0]), float((values >= values[0] - 1e-12).mean())
