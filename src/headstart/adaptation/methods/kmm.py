"""Kernel mean matching: weights under which the labelled examples' mean in a kernel's space is the new domain's.

Huang, Smola, Gretton, Borgwardt and Schölkopf, "Correcting Sample Selection Bias by Unlabeled Data", NIPS 2006, eq. 12:
minimise w' K w / 2 - kappa' w with 0 <= w_i <= B and |mean(w) - 1| <= eps, where K holds the kernel of labelled
examples and kappa_i = n / m times the sum of k(x_i, z_j) over the new ones.
"""

from dataclasses import dataclass

import numpy as np

from headstart.adaptation.kernels import gaussian, median_distance
from headstart.adaptation.method import Domains, Weighting, adaptation
from headstart.records.options import option

STEPS, EXACT = 2000, 1e-7  # of the solver: steps at most, and the change of a weight at which it stops


@adaptation("kmm")
@dataclass(frozen=True)
class KernelMeanMatching(Weighting):
    """Weight labelled examples by kernel mean matching, block by block (Huang et al., 2006)."""

    largest: float = option(20.0, "Largest weight, in units of the mean weight", above=1)
    width: float | None = option(None, "Width of the Gaussian kernel", above=0, usual="the median distance")
    block: int = option(1000, "Labelled examples matched together", low=2)
    memory: int = option(256, "Most memory for kernels", low=1, unit="MiB")

    def weights(self, domains: Domains) -> tuple[np.ndarray, tuple[str, ...]]:
        """The weights, and a note on how many blocks were matched."""
        width = self.width or median_distance(domains.features, domains.new)
        numbers = self.memory * 2**20 // 8
        size = min(self.block, int(np.sqrt(numbers)))
        count = -(-len(domains.features) // size)
        order = np.random.default_rng(domains.seed).permutation(len(domains.features))
        found = np.empty(len(order))
        for rows in np.array_split(order, count):
            examples = domains.features[rows]
            pull = np.zeros(len(rows))
            for new in np.array_split(domains.new, -(-len(rows) * len(domains.new) // numbers)):
                pull += gaussian(examples, new, width).sum(axis=1)
            pull *= len(rows) / len(domains.new)
            found[rows] = matched(gaussian(examples, examples, width), pull, self.largest)
        notes = (f"labelled examples were matched to the new domain in {count} blocks",) if count > 1 else ()
        return found / found.mean(), notes


def matched(kernel: np.ndarray, pull: np.ndarray, largest: float) -> np.ndarray:
    """The weights (n,) that minimise w' K w / 2 - pull' w with 0 <= w_i <= largest and |mean(w) - 1| <= eps.

    eps is (sqrt(n) - 1) / sqrt(n), as the paper advises. Solved by accelerated projected gradients with restarts
    (O'Donoghue and Candes, 2015).

    Example:
        >>> matched(np.eye(2), np.array([0.5, 9.0]), 3.0).round(6).tolist()  # the mean is at its limit
        [0.0, 2.585786]
    """
    n = len(pull)
    slack = (np.sqrt(n) - 1) / np.sqrt(n)
    step = 1 / max(float(np.abs(kernel).sum(axis=1).max()), 1e-12)
    found = ahead = _projected(np.ones(n), largest, slack)
    speed = 1.0
    for _ in range(STEPS):
        new = _projected(ahead - step * (kernel @ ahead - pull), largest, slack)
        if (ahead - new) @ (new - found) > 0:
            speed = 1.0
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        ahead = new + (speed - 1) / faster * (new - found)
        moved = float(np.abs(new - found).max())
        found, speed = new, faster
        if moved < EXACT:
            break
    return found


def _projected(weights: np.ndarray, largest: float, slack: float) -> np.ndarray:
    """The nearest weights within the limits: all are shifted alike until their mean is."""
    n = len(weights)
    inside = np.clip(weights, 0, largest)
    goal = np.clip(inside.sum(), n * (1 - slack), n * (1 + slack))
    if inside.sum() == goal:
        return np.asarray(inside)
    low, high = -float(weights.max()), largest - float(weights.min())
    for _ in range(100):
        shift = (low + high) / 2
        if np.clip(weights + shift, 0, largest).sum() < goal:
            low = shift
        else:
            high = shift
    return np.asarray(np.clip(weights + high, 0, largest))
