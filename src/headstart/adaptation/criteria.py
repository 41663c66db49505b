"""Criteria that choose a method without labels of the new domain. All are larger for what they would choose.

Large studies find that none of them is reliable, and that simple ones are often best (Musgrave, Belongie and Lim,
"Three New Validators and a Large-Scale Benchmark Ranking for Unsupervised Domain Adaptation", 2022.
https://arxiv.org/abs/2208.07360).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax, xlogy

CRITERIA = {
    "source-risk": "accuracy on held-out labelled examples",
    "importance-weighted": "the same, each example weighted by how much it looks like the new domain",
    "entropy": "how sure the answers on the new domain are: minus their mean entropy, in nats",
    "density": "soft neighbourhood density of the answers on the new domain, in nats",
    "agreement": "share of answers on the new domain that agree with the other methods' answers",
}  # name -> what it measures
ROWS = 2000  # examples whose pairs are compared


def source_risk(probs: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Accuracy of answers (n, C) on labelled examples, weighted if wanted (Sugiyama et al., JMLR 8, 2007).

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> source_risk(probs, np.array([0, 1])), source_risk(probs, np.array([0, 1]), np.array([3.0, 1.0]))
        (0.5, 0.75)
    """
    return float(np.average(probs.argmax(axis=1) == labels, weights=weights))


def certainty(probs: np.ndarray) -> float:
    """Minus the mean entropy of answers (m, C), in nats; 0 where every answer is sure, also of a wrong class.

    Reference: Morerio, Cavazza and Murino, ICLR 2018. https://arxiv.org/abs/1711.10288

    Example:
        >>> round(certainty(np.array([[0.5, 0.5], [1.0, 0.0]])), 6)  # -log(2) / 2
        -0.346574
    """
    return float(xlogy(probs, probs).sum(axis=1).mean())


def neighbourhood_density(probs: np.ndarray, temperature: float = 0.05) -> float:
    """Soft neighbourhood density of answers (m, C): the mean entropy of each one's similarities to the others.

    Similarities are cosines, divided by the temperature and made a distribution over the other examples. It is large
    where answers form dense groups, and largest where all are alike.

    Example:
        >>> bool(np.isclose(neighbourhood_density(np.tile([0.2, 0.8], (5, 1))), np.log(4)))
        True

    Reference: Saito et al., ICCV 2021, eq. 3. https://arxiv.org/abs/2108.10860
    """
    rows = probs[np.linspace(0, len(probs) - 1, min(len(probs), ROWS)).astype(int)]
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similar = unit @ unit.T / temperature
    np.fill_diagonal(similar, -np.inf)
    near = softmax(similar, axis=1)
    return float(-xlogy(near, near).sum(axis=1).mean())


def agreement(answers: Sequence[np.ndarray]) -> list[float]:
    """For each of k lists of answers (m,), the share that agrees with the others' answers; 1 for a single list.

    Example:
        >>> agreement([np.array([0, 1]), np.array([0, 1]), np.array([0, 0])])
        [0.75, 0.75, 0.5]
    """
    found = np.stack(answers)
    if len(found) == 1:
        return [1.0]
    same = (found[:, None] == found[None]).mean(axis=2)
    return [float(value) for value in (same.sum(axis=1) - 1) / (len(found) - 1)]
