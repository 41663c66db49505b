"""Leave-one-out LEEP: each example is scored by a table counted without it, in closed form."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.errors import InputError
from headstart.scores import _kernels
from headstart.scores._checks import check_groups
from headstart.scores._head_counts import (
    PRIOR,
    HeadCounts,
    deleted_means,
    likelihoods_without_group,
    likelihoods_without_own,
    prior_without,
    read_probs,
)
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score

ALONE = "no interval: each example is alone in its class, so without it the class is unknown"


def leep_loo(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, " n"],
    *,
    prior: float = PRIOR,
    groups: Shaped[np.ndarray, " n"] | None = None,
    temperature: float = 1.0,
) -> float:
    """Leave-one-out LEEP: LEEP as it would be on fresh data (higher is better).

    Mean over i of log sum_z p_i[z] (J[y_i, z] - p_i[z] + a b_i) / (M[z] - p_i[z] + a), where J[y, z] sums p[z] over the
    examples of class y, M[z] over all, a is `prior` and b_i the frequency of y_i among the other examples, half an
    example added to each class. Unlike plain LEEP it may fall below -H(Y): then the source is worse than no source.

    Args:
        prior: float count a behind each source class; 0 trusts the counts alone.
        groups: Leave out the example's whole group instead (the image of a pixel, the sentence of a token, a fold).
        temperature: The log probabilities are divided by it first; 0 keeps the largest only.

    Returns:
        The score in nats, at most 0.

    Example:
        >>> probs = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> leep_loo(probs, np.array([0, 0, 1, 1]), prior=0.0)  # each example is predicted by its twin
        0.0
        >>> round(leep_loo(probs, np.array([0, 0, 1, 1]), prior=1.0), 6)  # log((1 + 3/8) / (1 + 1))
        -0.374693

    Reference: headstart's own; LEEP itself from Nguyen et al., ICML 2020. https://arxiv.org/abs/2002.12462
    """
    check_prior(prior)
    head = read_probs(probs, labels, temperature)
    if groups is None:
        return mean_log(likelihoods_without_own(head, prior), head)
    return mean_log(likelihoods_without_group(head, check_groups(groups, head.rows.n), prior), head)


def check_prior(prior: float) -> None:
    """A prior count is a finite number from 0 up."""
    if not 0 <= prior < np.inf:
        raise InputError(f"`prior` must be a finite count, 0 or more; got {prior}.")


def mean_log(likelihood: Float[np.ndarray, " n"], head: HeadCounts) -> float:
    """Mean log of leave-one-out likelihoods.

    Raises:
        InputError: One of them is zero, so the mean would be minus infinity.
    """
    impossible = np.flatnonzero(likelihood <= 0)
    if impossible.size:
        name = head.labels.classes[head.labels.codes[impossible[0]]]
        raise InputError(
            f"example {impossible[0]} of class {name!s} has probability 0 once it is left out ({impossible.size} such "
            "examples), and its logarithm is not finite; use a `prior` above 0."
        )
    return min(0.0, float(np.log(likelihood).mean()))


def loo_deleted(head: HeadCounts, groups: Int[np.ndarray, " n"], prior: float) -> Float[np.ndarray, " g"]:
    """Leave-one-out LEEP of the examples outside each group, the group taken out of the counts as well."""

    def prepare(joint: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return joint + prior * prior_without(counts, 1)[:, None], joint.sum(axis=0) + prior

    return deleted_means(head, groups, prepare, _kernels.likelihood_without_own)


def _measure(inputs: Inputs) -> Measured:
    groups = inputs.groups
    value = mean_log(inputs.likelihoods_without_own, inputs.head)
    if groups is None:
        return Measured(value)
    if inputs.classes.counts.max() == 1:
        return Measured(value, None, (ALONE,))
    return Measured(value, inputs.once("leep_loo deleted", lambda: loo_deleted(inputs.head, groups, PRIOR)))


SCORES.add(
    Score(
        title="leave-one-out LEEP",
        function=leep_loo,
        needs="probs",
        high=0.0,
        cost="O(n z)",
        meaning="LEEP without its optimism: each example is judged by a table counted on the others.",
        invariances={"order", "names", "unused"},
        measure=_measure,
    )
)
