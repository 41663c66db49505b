"""Class separation: how tight the classes are, seen as directions; and the nearest class mean, left out once."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.scores._checks import NotApplicableError, check_features, check_labels
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Measured, Score, subtract_groups


def class_separation(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Class separation R2: one minus the mean cosine distance within classes over that between all examples.

    Classes weigh the same whatever their size: both means run over pairs of examples within a pair of classes first and
    over classes then. A pair of an example with itself counts, as in the paper.

    Args:
        features: One row per example; a row of zeros has no direction and is refused.

    Returns:
        The score in [0, 1]; 1 when every class is a single direction, 0 when directions say nothing of the class.

    Example:
        >>> class_separation(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]), np.array([0, 0, 1]))
        1.0

    Reference: Kornblith et al., NeurIPS 2021, eq. 11. https://arxiv.org/abs/2010.16402
    """
    checked = check_labels(labels)
    directions = _directions(check_features(features, len(checked.codes)))
    return _separation(class_sums(directions, checked.codes, len(checked.counts)), checked.counts)


def _directions(features: np.ndarray) -> Float[np.ndarray, "n d"]:
    x = np.asarray(features, dtype=np.float64)
    x = x / np.maximum(
        np.abs(x).max(axis=1, keepdims=True), np.finfo(float).tiny
    )  # squares neither vanish nor overflow
    lengths = np.sqrt((x**2).sum(axis=1))
    if (lengths == 0).any():
        raise NotApplicableError(
            f"{np.count_nonzero(lengths == 0)} of the {len(x)} rows of `features` are all zeros and have no direction; "
            "drop such examples."
        )
    x /= lengths[:, None]
    return np.asarray(x)


def _separation(sums: Float[np.ndarray, "c d"], counts: Int[np.ndarray, " c"]) -> float:
    """The score from the sums of the directions of each class."""
    present = counts > 0
    means = sums[present] / counts[present, None]
    centre = means.mean(axis=0)
    total = 1.0 - float(centre @ centre)  # mean cosine distance over all pairs of classes
    between = float(((means - centre) ** 2).sum(axis=1).mean())  # total less the mean within classes, without loss
    return min(1.0, between / total) if total > 1e-14 else 0.0


def _measure_separation(inputs: Inputs) -> Measured:
    directions, labels = _directions(inputs.features), inputs.classes
    sums = class_sums(directions, labels.codes, len(labels.counts))

    def again(rows: np.ndarray, counts: np.ndarray) -> float:
        return _separation(sums - class_sums(directions[rows], labels.codes[rows], len(sums)), counts)

    return subtract_groups(inputs, _separation(sums, labels.counts), again)


def nearest_mean(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Share of examples whose nearest class mean, counted without them, is that of their own class.

    Leave-one-out in closed form: taking an example out of its class multiplies its squared distance to that mean by
    (m / (m - 1)) squared, m the size of the class. Equal distances share the point; the only example of a class has no
    mean to go to and scores 0.

    Returns:
        A share in [0, 1].

    Example:
        >>> nearest_mean(np.array([[0.0], [1.0], [9.0], [8.0]]), np.array([0, 0, 1, 1]))
        1.0

    Reference: nearest class mean, as a baseline in Renggli et al., CVPR 2022. https://arxiv.org/abs/2010.06402
    """
    return _measure_nearest(Inputs(labels, features=features)).value


def _hit_rate(
    products: Float[np.ndarray, "n c"],
    lengths: Float[np.ndarray, " n"],
    sums: Float[np.ndarray, "c d"],
    codes: Int[np.ndarray, " n"],
    counts: Int[np.ndarray, " c"],
) -> float:
    """The score from the inner products of all examples with the sums of each class, and their squared lengths."""
    present, rows = counts > 0, np.arange(len(codes))
    sizes, squares = np.maximum(counts, 1), (sums**2).sum(axis=1)
    apart = lengths[:, None] - 2 * products / sizes + squares / sizes**2  # squared distances
    own = apart[rows, codes]
    apart[:, ~present] = np.inf
    size = counts[codes].astype(np.float64)
    apart[rows, codes] = np.where(size > 1, own * (size / np.maximum(size - 1, 1)) ** 2, np.inf)
    # distances that differ by rounding only are equal: features of a few distinct values tie often
    slack = 1e-12 * (1.0 + apart.min(axis=1, keepdims=True))
    nearest = apart <= apart.min(axis=1, keepdims=True) + slack
    return float((nearest[rows, codes] / nearest.sum(axis=1)).mean())


def _measure_nearest(inputs: Inputs) -> Measured:
    x, labels = np.asarray(inputs.features, dtype=np.float64), inputs.classes
    x = x - x.mean(axis=0)
    x /= np.abs(x).max() or 1.0
    lengths, sums = np.einsum("ij,ij->i", x, x), class_sums(x, labels.codes, len(labels.counts))
    products = x @ sums.T

    def again(rows: np.ndarray, counts: np.ndarray) -> float:
        own, kept = class_sums(x[rows], labels.codes[rows], len(sums)), np.delete(np.arange(inputs.n), rows)
        left = products[kept] - x[kept] @ own.T
        return _hit_rate(left, lengths[kept], sums - own, labels.codes[kept], counts)

    return subtract_groups(inputs, _hit_rate(products, lengths, sums, labels.codes, labels.counts), again)


SCORES.add(
    Score(
        title="class separation",
        function=class_separation,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n d)",
        meaning="How tightly each class points in a direction of its own. High separation on the source's own classes "
        "is known to go with worse transfer; on the target's it is a plain separability score.",
        invariances={"order", "names", "unused", "scale", "rotation"},
        measure=_measure_separation,
    )
)
SCORES.add(
    Score(
        title="nearest class mean",
        function=nearest_mean,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n d C)",
        meaning="Accuracy of the simplest classifier, which sends each example to the nearest class mean.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure_nearest,
    )
)
