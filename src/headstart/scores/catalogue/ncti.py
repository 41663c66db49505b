"""NCTI: how near the features are to neural collapse, the shape that training to the end gives them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, check_labels
from headstart.scores._decomposition import principal_components
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums, in_class_order
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out
from headstart.scores.catalogue.etran import sum_of_scaled
from headstart.scores.catalogue.sfda import LEAST

DIMS = 64


@dataclass(frozen=True)
class NCTIParts:
    """The three distances to neural collapse, before they are scaled over a set of sources."""

    geometry: float  # log of the nuclear norm of the discriminant features: how many directions the classes fill
    nearest: float  # mean probability of the true class, the nearest-centre classifier's
    variability: float  # log of the summed nuclear norms of each class's probabilities; lower is more collapsed

    @property
    def total(self) -> float:
        """geometry + nearest - variability."""
        return self.geometry + self.nearest - self.variability


def ncti(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """NCTI of one source: geometry + nearest centre - variability (higher is nearer to collapse).

    log |X V|_* + mean_i p(y_i given x_i) - log sum_c |P_c|_*, where |.|_* sums singular values, V are the C - 1
    directions of a linear discriminant on at most 64 principal components X, p are its probabilities, and P_c are
    their rows of class c.

    The paper scales each part to [0, 1] over the set of sources before adding: `ncti_among` does that. This is the sum
    of the unscaled parts, nuclear norms as logarithms, which does not depend on what else is ranked.

    Returns:
        The score, unbounded.

    Example:
        >>> tight, loose = np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([[0.0], [3.0], [2.0], [5.0]])
        >>> ncti(tight, np.array([0, 0, 1, 1])) > ncti(loose, np.array([0, 0, 1, 1]))
        True

    Reference: Wang et al., ICCV 2023, eq. 4 to 9.
    https://openaccess.thecvf.com/content/ICCV2023/html/Wang_How_Far_Pre-trained_Models_Are_from_Neural_Collapse_on_the_ICCV_2023_paper.html
    """
    return ncti_parts(features, labels).total


def ncti_parts(features: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> NCTIParts:
    """The three parts of NCTI."""
    inputs = Inputs(labels, features=features)
    return _parts(principal_components(inputs.decomposition, DIMS), inputs.classes)


def ncti_among(parts: Sequence[NCTIParts]) -> Float[np.ndarray, " m"]:
    """NCTI of a set of sources as in the paper: each part scaled to [0, 1] over the set, then added.

    The sum depends on which sources are in the set: adding one can reorder the others.

    Raises:
        InputError: There are no sources.

    Example:
        >>> ncti_among([NCTIParts(1.0, 0.5, 3.0), NCTIParts(2.0, 0.7, 1.0)])
        array([-1.,  2.])

    Reference: Wang et al., ICCV 2023, eq. 9.
    """
    if not parts:
        raise InputError("`parts` is empty; give one `ncti_parts(...)` per source.")
    gained = sum_of_scaled([[part.geometry for part in parts], [part.nearest for part in parts]])
    return np.asarray(gained - sum_of_scaled([[part.variability for part in parts]]))


def _parts(x: Float[np.ndarray, "n k"], labels: Labels) -> NCTIParts:
    codes, counts, n = labels.codes, labels.counts, len(x)
    means = class_sums(x, codes, len(counts)) / counts[:, None]
    left = x - means[codes]
    within, total = left.T @ left / n, x.T @ x / n
    shrinkage = float(np.exp(-np.diagonal(total)[:32].sum() * n / (n - 1)))
    whole = total  # within plus between: its directions relative to `within` are those of between
    if shrinkage > LEAST:
        within, whole = _shrunk(within, shrinkage), _shrunk(total, shrinkage)
    # classes without any spread would have no inverse; this least spread is rounding beside the features' own
    within.flat[:: len(within) + 1] += 1e-12 * np.trace(total) / len(total)
    kept = min(len(counts) - 1, len(within))
    _, vectors = scipy.linalg.eigh(whole, within, subset_by_index=[len(within) - kept, len(within) - 1])
    filled = np.sqrt(np.maximum(scipy.linalg.eigvalsh(vectors.T @ (total * n) @ vectors), 0.0)).sum()
    weights = scipy.linalg.solve(within, means.T, assume_a="pos").T
    logits = x @ weights.T + np.log(counts / n) - 0.5 * np.einsum("cr,cr->c", means, weights)
    posterior = scipy.special.softmax(logits, axis=1)
    order, edges = in_class_order(codes, len(counts))
    norms = sum(_nuclear_norm(posterior[order[edges[c] : edges[c + 1]]]) for c in range(len(counts)))
    return NCTIParts(float(np.log(filled)), float(posterior[np.arange(n), codes].mean()), float(np.log(norms)))


def _nuclear_norm(part: np.ndarray) -> float:
    """Sum of the singular values; columns too small to move it are left out first."""
    return float(scipy.linalg.svdvals(part[:, part.max(axis=0) > 1e-13], check_finite=False).sum())


def _shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    shrunk = (1 - shrinkage) * covariance
    shrunk.flat[:: len(shrunk) + 1] += shrinkage * np.trace(covariance) / len(covariance)
    return shrunk


def _measure(inputs: Inputs) -> Measured:
    x, labels = principal_components(inputs.decomposition, DIMS), inputs.labels

    def again(kept: np.ndarray) -> float:  # the components, which see no labels, are kept
        return _parts(x[kept] - x[kept].mean(axis=0), check_labels(labels[kept])).total

    return leave_groups_out(inputs, _parts(x, inputs.classes).total, again)


SCORES.add(
    Score(
        title="NCTI",
        function=ncti,
        needs="features",
        cost="O(n d^2 + n C^2)",
        meaning="How near the features are to the shape that training a classifier to the end would give them.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure,
    )
)
