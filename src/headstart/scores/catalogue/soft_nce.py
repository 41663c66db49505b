"""Soft NCE: conditional entropy of the labels given the source's classes, with probabilities for hard guesses."""

import numpy as np
from jaxtyping import Float, Shaped

from headstart.scores._head_counts import HeadCounts, read_probs
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out


def soft_nce(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Minus H(Y given Z) under the joint of labels and source probabilities (higher is better).

    The source-free kin of OTCE: OTCE couples target examples with labelled source examples by optimal transport, here
    the source's own classifier couples them with source classes. Never above LEEP.

    Args:
        probs: Source-class probabilities; each row sums to 1.
        labels: Target classes; integers or strings.

    Returns:
        The score in nats, from -H(Y) to 0.

    Raises:
        InputError: Shapes disagree, a row of `probs` is not a distribution, or fewer than two classes.

    Example:
        >>> soft_nce(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))  # = -log 2
        -0.6931471805599453

    Reference: Tan et al., CVPR 2021, eq. 5, the joint taken from the source's probabilities.
    https://arxiv.org/abs/2103.13843
    """
    return _soft_nce(read_probs(probs, labels))


def _soft_nce(head: HeadCounts) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(head.joint > 0, head.joint * np.log(head.joint / head.mass), 0.0)
    return min(0.0, float(terms.sum() / head.joint.sum()))


def _measure(inputs: Inputs) -> Measured:
    probs, labels = inputs.probs, inputs.labels
    return leave_groups_out(inputs, _soft_nce(inputs.head), lambda kept: soft_nce(probs[kept], labels[kept]))


SCORES.add(
    Score(
        title="soft NCE",
        function=soft_nce,
        needs="probs",
        high=0.0,
        cost="O(n z)",
        citation="Tan et al., CVPR 2021, eq. 5, with the source's own probabilities. https://arxiv.org/abs/2103.13843",
        meaning="How much the source's class, drawn from its probabilities, tells of the target's class.",
        invariances={"order", "names", "unused"},
        measure=_measure,
    )
)
