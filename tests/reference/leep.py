"""The LEEP family written out plainly and slowly, from the papers and DESIGN's formulas, one example at a time."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp


def leep(probs: np.ndarray, labels: np.ndarray) -> float:
    total = 0.0
    for row, label in zip(probs, labels, strict=True):
        inside = 0.0
        for z in range(probs.shape[1]):
            if probs[:, z].sum() > 0:
                inside += probs[labels == label, z].sum() / probs[:, z].sum() * row[z]
        total += np.log(inside)
    return total / len(labels)


def leep_loo(probs: np.ndarray, labels: np.ndarray, prior: float, groups: np.ndarray | None = None) -> float:
    """Brute force: count again for every example, without it (or without its group)."""
    groups = np.arange(len(labels)) if groups is None else groups
    classes = len(set(labels.tolist()))
    total = 0.0
    for i in range(len(labels)):
        others = groups != groups[i]
        same = others & (labels == labels[i])
        frequency = (same.sum() + 0.5) / (others.sum() + classes / 2)
        inside = 0.0
        for z in range(probs.shape[1]):
            mass = probs[others, z].sum() + prior
            if mass > 0:
                inside += (probs[same, z].sum() + prior * frequency) / mass * probs[i, z]
        total += np.log(inside)
    return total / len(labels)


def guess_loo(labels: np.ndarray) -> float:
    """Log-likelihood of the leave-one-out label frequencies."""
    n, classes = len(labels), len(set(labels.tolist()))
    return float(np.mean([np.log(((labels == y).sum() - 0.5) / (n - 1 + classes / 2)) for y in labels]))


def nce(probs: np.ndarray, labels: np.ndarray) -> float:
    hard = probs.argmax(axis=1)
    total = 0.0
    for z, y in zip(hard, labels, strict=True):
        total += np.log(((hard == z) & (labels == y)).sum() / (hard == z).sum())
    return total / len(labels)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    raised = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def em(probs: np.ndarray, labels: np.ndarray, steps: int) -> list[float]:
    """Plain expectation maximisation from the label frequencies: the log-likelihood after each step."""
    classes, codes = np.unique(labels, return_inverse=True)
    head = np.tile((np.bincount(codes) / len(codes))[:, None], (1, probs.shape[1]))
    values = []
    for _ in range(steps):
        responsibility = head[codes] * probs
        responsibility /= responsibility.sum(axis=1, keepdims=True)
        joint = np.array([responsibility[codes == c].sum(axis=0) for c in range(len(classes))])
        head = joint / np.maximum(joint.sum(axis=0), 1e-300)
        values.append(float(np.log((head[codes] * probs).sum(axis=1)).mean()))
    return values


def leep_gaussian(logits: np.ndarray, labels: np.ndarray, prior: float, groups: np.ndarray | None = None) -> float:
    """Brute force: densities of Gaussians around class means without the example, the variance by a general search."""
    return float(gaussian_likelihoods(logits, labels, prior, groups)[np.arange(len(labels)), _codes(labels)].mean())


def gaussian_likelihoods(
    logits: np.ndarray, labels: np.ndarray, prior: float, groups: np.ndarray | None = None
) -> np.ndarray:
    """Log probability of every class, (n, C)."""
    x = logits - logits.mean(axis=1, keepdims=True)
    x = x - x.mean(axis=0)
    groups = np.arange(len(labels)) if groups is None else groups
    classes = np.unique(labels)
    squares = np.empty((len(labels), len(classes)))
    for i in range(len(labels)):
        others = groups != groups[i]
        for c, y in enumerate(classes):
            there = others & (labels == y)
            mean = x[there].sum(axis=0) / (there.sum() + prior) if there.sum() + prior > 0 else 0 * x[0]
            squares[i, c] = ((x[i] - mean) ** 2).sum()
    return scaled_likelihoods(-squares / 2, labels, groups)


def scaled_likelihoods(evidence: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """log softmax of scale * evidence + log frequencies, the scale by a general search."""
    classes = np.unique(labels)
    frequencies = np.empty(evidence.shape)
    for i in range(len(labels)):
        others = groups != groups[i]
        there = (labels[others, None] == classes).sum(axis=0)
        frequencies[i] = (there + 0.5) / (others.sum() + len(classes) / 2)

    def likelihoods(log_scale: float) -> np.ndarray:
        joint = np.exp(log_scale) * evidence + np.log(frequencies)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    def loss(log_scale: float) -> float:
        return -float(likelihoods(log_scale)[np.arange(len(labels)), _codes(labels)].mean())

    starts = np.linspace(-40, 8, 49)
    best = starts[int(np.argmin([loss(s) for s in starts]))]
    return likelihoods(minimize_scalar(loss, bounds=(best - 1, best + 1), method="bounded", options={"xatol": 1e-9}).x)


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]
