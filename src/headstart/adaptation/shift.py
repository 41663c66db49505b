"""Label shift: the class frequencies of a domain without labels, from a classifier's answers.

Both estimates assume that the examples of a class look alike in both domains.
"""

import numpy as np
from scipy.optimize import nnls
from scipy.special import softmax

from headstart.train.head import fit_head

FOLDS, DRAWS = 5, 100


def held_out_probs(features: np.ndarray, labels: np.ndarray, classes: int, seed: int = 0) -> np.ndarray:
    """Probabilities (n, C) for labelled examples from heads that did not see them."""
    fold = np.random.default_rng(seed).permutation(np.arange(len(labels)) % FOLDS)
    probs = np.empty((len(labels), classes))
    for one in range(FOLDS):
        out = fold == one
        head = fit_head(features[~out], labels[~out], classes=classes, seed=seed)
        probs[out] = softmax(head.outputs(features[out]), axis=1)
    return probs


def by_confusion(probs: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Class frequencies (C,) of the new domain: those that explain its answers through the confusion matrix.

    Solves C w = mu with w >= 0, where C[a, y] is the share of labelled examples of class y that are answered a, and
    mu[a] the share of answers a in the new domain; w are the frequencies.

    Reference: Lipton, Wang and Smola, ICML 2018, https://arxiv.org/abs/1802.03916; with a regularised solution
    Azizzadenesheli et al., ICLR 2019, https://arxiv.org/abs/1903.09734

    Example:
        >>> probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])  # one of two of class 1 is taken for 0
        >>> by_confusion(probs, np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]))
        array([0.5, 0.5])
    """
    count = probs.shape[1]
    table = np.zeros((count, count))
    np.add.at(table, (probs.argmax(axis=1), labels), 1.0)
    answered = table / np.maximum(table.sum(axis=0), 1)
    mu = np.bincount(new.argmax(axis=1), minlength=count) / len(new)
    found, _ = nnls(answered, mu)
    return np.asarray(found / found.sum()) if found.sum() > 0 else mu


def by_em(prior: np.ndarray, new: np.ndarray, *, steps: int = 300) -> np.ndarray:
    """Class frequencies (C,) of largest likelihood for probabilities (m, C) from a classifier with that prior.

    Each step divides the probabilities by the old frequencies, multiplies them by the new ones, and averages.

    Reference: Saerens, Latinne and Decaestecker, Neural Computation 14, 2002.

    Example:
        >>> new = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]])
        >>> bool(by_em(np.array([0.5, 0.5]), new)[0] > 0.99)  # 9 of 10 answers, and the tenth may be a mistake
        True
    """
    ratio = new / np.maximum(prior, 1e-12)
    found = prior
    for _ in range(steps):
        weighted = ratio * found
        after = (weighted / np.maximum(weighted.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
        moved, found = np.abs(after - found).max(), after
        if moved < 1e-6:
            break
    return np.asarray(found)


def frequencies(how: str, probs: np.ndarray, labels: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The estimate "em" or "confusion" from held-out probabilities (n, C), labels and new probabilities (m, C)."""
    if how == "confusion":
        return by_confusion(probs, labels, new)
    prior = np.bincount(labels, minlength=probs.shape[1]) / len(labels)
    return by_em(prior, new)


def interval(
    how: str, probs: np.ndarray, labels: np.ndarray, new: np.ndarray, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Ends (C,) of 95 % intervals of the estimate: its quantiles over bootstrap samples of both domains."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        rows, others = (rng.integers(len(one), size=len(one)) for one in (labels, new))
        drawn.append(frequencies(how, probs[rows], labels[rows], new[others]))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high
