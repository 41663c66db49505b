"""LEEP: the log expected empirical prediction, plain and normalised."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.scores import _kernels
from headstart.scores._head_counts import HeadCounts, conditional, deleted_means, likelihoods, read_probs
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score


def leep(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"], *, temperature: float = 1.0) -> float:
    """LEEP: label log-likelihood under a source head's classes (higher is better).

    Mean over samples i of log sum_z P(y_i given z) probs[i, z]; P(y given z) is counted on the same data, so the value
    is optimistic: `leep_loo` corrects that.

    Args:
        temperature: The log probabilities are divided by it first; 0 keeps the largest only, which makes it NCE.

    Returns:
        The score in nats, from -H(Y), minus the entropy of the labels, to 0.

    Example:
        >>> leep(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))  # = -log 2
        -0.6931471805599453

    Reference: Nguyen et al., ICML 2020, eq. 2. https://arxiv.org/abs/2002.12462
    """
    return _leep(read_probs(probs, labels, temperature))


def leep_normalized(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Normalised LEEP: the share of the labels' entropy that LEEP explains (higher is better).

    (LEEP + H(Y)) / H(Y). LEEP is never below -H(Y), where the source is blind to its input, so this compares across
    targets with different numbers of classes.

    Returns:
        The score, from 0 to 1.

    Example:
        >>> leep_normalized(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))  # the labels follow from the source
        1.0

    Reference: the bound follows from LEEP being the first EM step from the label frequencies; LEEP itself from Nguyen
    et al., ICML 2020, eq. 2. https://arxiv.org/abs/2002.12462
    """
    head = read_probs(probs, labels)
    return float(_normalized(_leep(head), head.labels.counts))


def _leep(head: HeadCounts) -> float:
    return _mean_log(likelihoods(head, conditional(head.joint, head.mass)))


def _mean_log(likelihood: Float[np.ndarray, " n"]) -> float:
    return min(0.0, float(np.log(likelihood).mean()))


def _normalized(leep_value: np.ndarray | float, counts: np.ndarray) -> np.ndarray:
    """Values with the entropies of `counts` (..., C); 0 where only one class is left, which needs no explaining."""
    share = counts / counts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(share > 0, share * np.log(share), 0.0).sum(axis=-1)
        return np.asarray(np.clip(np.where(entropy > 0, 1 + leep_value / entropy, 0.0), 0.0, 1.0))


def _deleted(head: HeadCounts, groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
    """LEEP without each group, from the joint counts minus the group's own."""
    return deleted_means(head, groups, lambda joint, _: (conditional(joint, joint.sum(axis=0)),), _kernels.likelihood)


def _measure(inputs: Inputs) -> Measured:
    head, groups = inputs.head, inputs.groups
    value, notes = _mean_log(inputs.likelihoods), _optimism(head)
    if groups is None:
        return Measured(value, None, notes)
    return Measured(value, inputs.once("leep deleted", lambda: _deleted(head, groups)), notes)


def _measure_normalized(inputs: Inputs) -> Measured:
    head, groups = inputs.head, inputs.groups
    value, notes = float(_normalized(_mean_log(inputs.likelihoods), inputs.classes.counts)), _optimism(head)
    if groups is None:
        return Measured(value, None, notes)
    deleted = inputs.once("leep deleted", lambda: _deleted(head, groups))
    return Measured(value, _normalized(deleted, inputs.classes.counts_without(groups)), notes)


def _optimism(head: HeadCounts) -> tuple[str, ...]:
    if head.rows.n >= 5 * head.rows.z:
        return ()
    return (f"optimistic: {head.rows.z} source classes are counted on {head.rows.n} examples; see leep_loo",)


SCORES.add(
    Score(
        title="LEEP",
        function=leep,
        needs="probs",
        high=0.0,
        cost="O(n z)",
        meaning="How well the source's own classes predict the target's, scored on the data that made the table.",
        invariances={"order", "names", "unused"},
        default=4,
        measure=_measure,
    )
)
SCORES.add(
    Score(
        title="normalised LEEP",
        function=leep_normalized,
        needs="probs",
        low=0.0,
        high=1.0,
        cost="O(n z)",
        meaning="LEEP as the share of the labels' entropy it explains, which compares across numbers of classes.",
        invariances={"order", "names", "unused"},
        measure=_measure_normalized,
    )
)
