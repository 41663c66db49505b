"""LFC: how well the similarity of features matches the similarity of labels."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import check_features, check_labels
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Score

Centring = Literal["mean", "double"]


def lfc(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], *, centring: Centring = "mean") -> float:
    """Label-feature correlation: alignment of the kernel F F' with the +1 / -1 matrix of equal labels.

    Both n x n matrices are centred, then the cosine between them (Frobenius) is taken. They are never formed: every sum
    in the formula is a sum over classes or over features.

    Args:
        centring: "mean" subtracts each matrix's mean entry (the paper: a Pearson correlation over all pairs); "double"
            subtracts row and column means, which is centred kernel alignment and does not change when a constant row
            is added to the features.

    Returns:
        A correlation in [-1, 1]; 0 for features that are the same for every example.

    Example:
        Features that are the labels themselves, two balanced classes:
        >>> lfc(np.array([[1.0], [1.0], [-1.0], [-1.0]]), np.array([0, 0, 1, 1]))
        1.0

    Reference: Deshpande et al. 2021, "A linearized framework and a new benchmark for model selection for fine-tuning",
    section 3.3. https://arxiv.org/abs/2102.00084
    """
    checked = check_labels(labels)
    features = check_features(features, len(checked.codes))
    if centring not in ("mean", "double"):
        raise InputError(f'`centring` must be "mean" or "double"; got {centring!r}.')
    peak = max(abs(float(features.max())), abs(float(features.min())))
    if peak == 0 or (centring == "double" and (features == features[0]).all()):
        return 0.0
    # the score has no scale; dividing keeps fourth powers finite, and by a power of two every digit
    x = np.divide(features, 2.0 ** np.floor(np.log2(peak)), dtype=np.float64)
    if centring == "double":
        x = x - x.mean(axis=0)
    return _alignment(x, checked.codes, checked.counts.astype(np.float64), centring)


def _alignment(x: np.ndarray, codes: np.ndarray, counts: np.ndarray, centring: Centring) -> float:
    n = float(len(x))
    sums = class_sums(x, codes, len(counts))  # (C, d)
    total = sums.sum(axis=0)
    gram = x.T @ x if x.shape[1] <= len(x) else x @ x.T  # either has the Frobenius norm of F F'
    squares = float(np.square(gram, out=gram).sum(dtype=np.float64))
    del gram
    same = 2 * (sums**2).sum()  # <F F', 1[same]> doubled; the labels' matrix is 2 * 1[same] - 1
    if centring == "mean":
        kernel_sum, label_sum = (total**2).sum(), 2 * (counts**2).sum() - n * n
        cross = same - kernel_sum - kernel_sum * label_sum / (n * n)
        kernel_norm = squares - kernel_sum**2 / (n * n)
        label_norm = n * n - label_sum**2 / (n * n)
    else:  # centred columns: the kernel is already doubly centred, and the constant in the labels' matrix drops out
        cross = same
        kernel_norm = squares
        label_norm = 4 * ((counts**2).sum() - 2 * (counts**3).sum() / n + (counts**2).sum() ** 2 / (n * n))
    if kernel_norm <= 1e-14 * squares or label_norm <= 0:  # one value in every cell: nothing to correlate
        return 0.0
    return float(np.clip(cross / np.sqrt(kernel_norm * label_norm), -1.0, 1.0))


SCORES.add(
    Score(
        title="label-feature correlation",
        function=lfc,
        needs="features",
        low=-1.0,
        high=1.0,
        cost="O(n d min(n, d))",
        meaning="Correlation, over all pairs of examples, between having similar features and having the same label.",
        invariances={"order", "names", "unused", "scale", "rotation"},
    )
)
