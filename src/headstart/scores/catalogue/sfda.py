"""SFDA: how surely a Fisher discriminant tells the classes apart once hard examples are made harder."""

import numpy as np
import scipy
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores._checks import Labels, NotApplicableError, block_rows, check_features, check_labels
from headstart.scores._inputs import Inputs
from headstart.scores._sums import class_sums
from headstart.scores._table import SCORES, Measured, Score, without_each_group
from headstart.scores.catalogue.leep_gaussian import of_own_class

LEAST = 1e-10  # smallest shrinkage, as published
ITERATED = 100  # features above which an eigenvalue is found by iterating


def sfda(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    *,
    shrinkage: float | None = None,
    challenge: bool = True,
    log: bool = False,
) -> float:
    """SFDA: mean probability of the true class under a regularised, self-challenging Fisher discriminant.

    A first discriminant gives each example its confidence; every example is then drawn towards the mean of the other
    classes' means by what its confidence lacks, and a second discriminant is scored on these. The caller's array is
    not touched.

    Args:
        shrinkage: Weight of the scaled identity in the covariance, in (0, 1]; None takes the paper's
            exp(-5 largest eigenvalue), which depends on the scale of the features. The scale is the trace over the
            directions that n examples can span, min(d, n - 1).
        challenge: False scores the first discriminant.
        log: True takes the mean of the log probabilities, as the paper's equation; False, as its released code.

    Returns:
        A mean probability in [0, 1], or with `log` a mean log probability, at most 0.

    Example:
        >>> features = np.array([[0.0], [0.1], [5.0], [5.1]])
        >>> sfda(features, np.array([0, 0, 1, 1])) > 0.99
        True

    Reference: Shao et al., ECCV 2022, section 3. https://arxiv.org/abs/2207.03036
    """
    checked = check_labels(labels)
    features = check_features(features, len(checked.codes))
    if shrinkage is not None and not 0 < shrinkage <= 1:
        raise InputError(f"`shrinkage` must lie in (0, 1], or be None for the paper's rule; got {shrinkage}.")
    true = true_probabilities(centred(features), checked, shrinkage, challenge)
    if not log:
        return float(true.mean())
    return float(np.log(np.maximum(true, np.finfo(float).tiny)).mean())


def centred(features: np.ndarray) -> Float[np.ndarray, "n k"]:
    """Features less their mean in float64; constant ones, which tell nothing, dropped.

    Raises:
        NotApplicableError: The features do not vary.
    """
    x = np.asarray(features, dtype=np.float64)
    vary = (x != x[0]).any(axis=0)
    if not vary.any():
        raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
    x = x if vary.all() else x[:, vary]
    return np.asarray(x - x.mean(axis=0))


def true_probabilities(
    x: Float[np.ndarray, "n k"], labels: Labels, shrinkage: float | None = None, challenge: bool = True
) -> Float[np.ndarray, " n"]:
    """Probability of each example's class under the discriminant, or the second one of the challenge; x is centred."""
    posterior, means, strength = _first(x, labels, shrinkage)
    if challenge:
        x = _challenged(x, labels, posterior, means)
        posterior = _first(x, labels, strength)[0]
    return of_own_class(posterior, labels.codes)


def _first(
    x: Float[np.ndarray, "n k"], labels: Labels, shrinkage: float | None
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "c k"], float]:
    """The posterior of the discriminant, the class means and the shrinkage."""
    if labels.counts.max() == 1:
        raise NotApplicableError("no class has two examples, so there is no spread within classes to compare with.")
    means, within = _within_covariance(x, labels.codes, labels.counts)
    strength = _published_shrinkage(within) if shrinkage is None else shrinkage
    width = min(x.shape[1], len(x) - 1)
    return _discriminant_posterior(x, labels.counts, means, within, strength, width), means, strength


def _challenged(
    x: Float[np.ndarray, "n k"], labels: Labels, posterior: Float[np.ndarray, "n c"], means: Float[np.ndarray, "c k"]
) -> Float[np.ndarray, "n k"]:
    """The examples, each drawn to the mean of the other classes' means by what its confidence lacks."""
    raised = np.exp(posterior)  # softened, as published, so that sure examples move too
    sure = (of_own_class(raised, labels.codes) / raised.sum(axis=1))[:, None]
    others = (means.sum(axis=0) - means) / (len(means) - 1)  # mean of the other classes' means
    return np.asarray(x * sure + others[labels.codes] * (1 - sure))


def shared_first(inputs: Inputs) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, float]]:
    """The centred features of one source and their first discriminant, for the first score that asks."""
    x = inputs.once("centred features", lambda: centred(inputs.features))
    return x, inputs.once("first discriminant", lambda: _first(x, inputs.classes, None))


def coordinates(inputs: Inputs) -> Float[np.ndarray, "n k"]:
    """Rows as far apart as the centred features, in no more coordinates than there are examples."""
    return shared_first(inputs)[0] if inputs.n > inputs.features.shape[1] else inputs.decomposition.reduced


class Without:
    """The first discriminant of all rows but a group's, from sums over the others."""

    def __init__(self, inputs: Inputs, x: Float[np.ndarray, "n k"]) -> None:
        self.inputs, self.x = inputs, x
        self.scatter, self.sums = x.T @ x, class_sums(x, inputs.classes.codes, len(inputs.classes.counts))

    def __call__(self, group: int, shrinkage: float | None = None) -> float:
        """Mean probability of the true class; the shrinkage is the published one unless it is given."""
        inputs, kept, rows = self.inputs, self.inputs.kept(group), np.flatnonzero(self.inputs.groups == group)
        labels, own = check_labels(inputs.labels[kept]), self.x[rows]
        if labels.counts.max() == 1:
            raise NotApplicableError("no class has two examples")
        sums = self.sums - class_sums(own, inputs.classes.codes[rows], len(self.sums))
        means = sums[np.isin(inputs.classes.classes, labels.classes)] / labels.counts[:, None]
        within = self.scatter - own.T @ own
        within -= (means.T * labels.counts) @ means
        within /= len(kept)
        strength = _published_shrinkage(within, near=True) if shrinkage is None else shrinkage
        first = inputs.features[kept[0]]
        width = min(int((inputs.features[kept] != first).any(axis=0).sum()), len(kept) - 1)
        posterior = _discriminant_posterior(self.x[kept], labels.counts, means, within, strength, width)
        return float(of_own_class(posterior, labels.codes).mean())


def _within_covariance(
    x: Float[np.ndarray, "n r"], codes: Int[np.ndarray, " n"], counts: np.ndarray
) -> tuple[Float[np.ndarray, "c r"], Float[np.ndarray, "r r"]]:
    """Class means and the pooled covariance about them, divided by n."""
    means = class_sums(x, codes, len(counts)) / counts[:, None]
    total = np.zeros((x.shape[1], x.shape[1]))
    step = block_rows(x)
    for at in range(0, len(x), step):
        left = x[at : at + step] - means[codes[at : at + step]]
        total += left.T @ left
    return means, total / len(x)


def _published_shrinkage(within: np.ndarray, near: bool = False) -> float:
    """exp(-5 times the largest eigenvalue of the within-class covariance), at least 1e-10; `near`: to nine digits."""
    last = len(within) - 1
    if near and last > ITERATED and np.trace(within) > 0:
        start = np.random.default_rng(0).standard_normal(len(within))
        largest = scipy.sparse.linalg.eigsh(within, 1, v0=start, tol=1e-10, return_eigenvectors=False)[0]
    else:
        largest = scipy.linalg.eigvalsh(within, subset_by_index=[last, last], check_finite=False)[0]
    return max(float(np.exp(-5 * largest)), LEAST)


def _discriminant_posterior(
    x: Float[np.ndarray, "n r"],
    counts: Int[np.ndarray, " c"],
    means: Float[np.ndarray, "c r"],
    within: Float[np.ndarray, "r r"],
    shrinkage: float,
    width: int,
) -> Float[np.ndarray, "n c"]:
    """P(class given x) of Gaussians that share the shrunk covariance (1 - s) W + s tr(W) / width I.

    `width` is the number of directions in which features can vary, however many coordinates x has.
    """
    shrunk = (1.0 - shrinkage) * within
    shrunk.flat[:: len(within) + 1] += max(shrinkage * np.trace(within) / width, np.finfo(float).tiny)
    # classes without any spread: distances to the means are infinite, which this least spread stands for
    shrunk.flat[:: len(within) + 1] += 1e-14 * max(np.abs(means).max() ** 2, np.finfo(float).tiny)
    factor = scipy.linalg.cho_factor(shrunk.T, lower=True, overwrite_a=True, check_finite=False)  # in place
    weights = scipy.linalg.cho_solve(factor, means.T, check_finite=False).T  # (C, r)
    offsets = np.log(counts / counts.sum()) - 0.5 * np.einsum("cr,cr->c", means, weights)
    return np.asarray(scipy.special.softmax(x @ weights.T + offsets, axis=1))


def _measure(inputs: Inputs) -> Measured:
    (x, (posterior, means, strength)), labels = shared_first(inputs), inputs.classes
    moved = _challenged(x, labels, posterior, means)
    value = float(of_own_class(_first(moved, labels, strength)[0], labels.codes).mean())
    notes = () if inputs.n > x.shape[1] else ("saturated: no more examples than features",)
    if inputs.groups is None:
        return Measured(value, None, notes)
    apart = coordinates(inputs)
    if apart is not x:  # the move is the same in any coordinates
        moved = _challenged(
            apart, labels, posterior, class_sums(apart, labels.codes, len(means)) / labels.counts[:, None]
        )
    without = Without(inputs, moved)
    held = "approximate interval: examples are moved as by the first discriminant of all examples"
    return without_each_group(inputs, value, lambda group: without(group, strength), (*notes, held))


SCORES.add(
    Score(
        title="SFDA",
        function=sfda,
        needs="features",
        low=0.0,
        high=1.0,
        cost="O(n d^2 + d^3)",
        meaning="Mean probability that a linear discriminant gives the true class after unsure examples were pushed "
        "towards the other classes.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure,
    )
)
