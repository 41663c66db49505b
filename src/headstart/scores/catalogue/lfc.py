"""LFC: how well the similarity of features matches the similarity of labels."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import check_features, check_labels
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Measured, Score, subtract_groups

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
    x = _scaled(features)
    if centring == "double":
        if (features == features[0]).all():
            return 0.0
        x -= x.mean(axis=0)
    sums = class_sums(x, checked.codes, len(checked.counts))
    return _alignment(float(np.square(_gram(x)).sum()), sums, checked.counts, centring)


def _scaled(features: np.ndarray) -> Float[np.ndarray, "n d"]:
    """The score has no scale; dividing keeps fourth powers finite, and by a power of two every digit."""
    peak = max(abs(float(features.max())), abs(float(features.min())))
    return np.asarray(np.divide(features, 2.0 ** np.floor(np.log2(peak or 1.0)), dtype=np.float64))


def _gram(x: np.ndarray) -> np.ndarray:
    """F'F or F F', whichever is smaller: either has the Frobenius norm of the other."""
    return np.asarray(x.T @ x if x.shape[1] <= len(x) else x @ x.T)


def _alignment(squares: float, sums: Float[np.ndarray, "c d"], counts: np.ndarray, centring: Centring) -> float:
    """The score from the squared Frobenius norm of F F' and the sums of the features of each class."""
    n, total, sizes = float(counts.sum()), sums.sum(axis=0), counts.astype(np.float64)
    same = 2 * (sums**2).sum()  # <F F', 1[same]> doubled; the labels' matrix is 2 * 1[same] - 1
    if centring == "mean":
        kernel_sum, label_sum = (total**2).sum(), 2 * (sizes**2).sum() - n * n
        cross = same - kernel_sum - kernel_sum * label_sum / (n * n)
        kernel_norm = squares - kernel_sum**2 / (n * n)
        label_norm = n * n - label_sum**2 / (n * n)
    else:  # centred columns: the kernel is already doubly centred, and the constant in the labels' matrix drops out
        cross = same
        kernel_norm = squares
        label_norm = 4 * ((sizes**2).sum() - 2 * (sizes**3).sum() / n + (sizes**2).sum() ** 2 / (n * n))
    if kernel_norm <= 1e-14 * squares or label_norm <= 0:  # one value in every cell: nothing to correlate
        return 0.0
    return float(np.clip(cross / np.sqrt(kernel_norm * label_norm), -1.0, 1.0))


def _measure(inputs: Inputs) -> Measured:
    x, labels = _scaled(inputs.features), inputs.classes
    gram, sums = _gram(x), class_sums(x, labels.codes, len(labels.counts))
    squares = float(np.square(gram).sum())

    def again(rows: np.ndarray, counts: np.ndarray) -> float:
        if x.shape[1] <= len(x):
            left = float(np.square(gram - x[rows].T @ x[rows]).sum())
        else:
            left = squares - 2 * float(np.square(gram[rows]).sum()) + float(np.square(gram[np.ix_(rows, rows)]).sum())
        return _alignment(left, sums - class_sums(x[rows], labels.codes[rows], len(sums)), counts, "mean")

    return subtract_groups(inputs, _alignment(squares, sums, labels.counts, "mean"), again)


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
        measure=_measure,
    )
)
