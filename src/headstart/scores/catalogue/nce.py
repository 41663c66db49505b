"""NCE and soft NCE: negative conditional entropy of the target's labels given the source's predictions."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from headstart.scores._checks import check_labels, check_probs
from headstart.scores._head_counts import read_probs, without_groups
from headstart.scores._inputs import Inputs
from headstart.scores._prob_rows import ProbRows
from headstart.scores._table import SCORES, Measured, Score


def nce(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"]) -> float:
    """NCE: minus the entropy of the label given the source class with the largest probability (higher is better).

    Sum over (y, z) of P(y, z) log P(y given z), counted over the examples, where z is the argmax of each row; the first
    of several equal ones. LEEP at temperature 0.

    Args:
        labels: Target classes; any integers or strings.

    Returns:
        The score in nats, from -H(Y) to 0.

    Example:
        >>> nce(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))  # one source class for both: -log 2
        -0.6931471805599453

    Reference: Tran, Nguyen, Hassner, ICCV 2019, eq. 4. https://arxiv.org/abs/1908.08142
    """
    checked = check_labels(labels)
    rows = ProbRows(check_probs(probs, len(checked.codes)))
    return _nce(_argmax(rows), checked.codes, None).value


def _argmax(rows: ProbRows) -> Int[np.ndarray, " n"]:
    """Column of the largest entry of each row."""
    return np.concatenate([np.argmax(rows.given(s), axis=1) for s in rows.slices()])


def _nce(hard: Int[np.ndarray, " n"], codes: Int[np.ndarray, " n"], groups: Int[np.ndarray, " n"] | None) -> Measured:
    """The score, with groups also without each, from counts over the cells (z, y) that occur."""
    cells, cell = np.unique(hard * (codes.max() + 1) + codes, return_inverse=True)
    _, column = np.unique(cells // (codes.max() + 1), return_inverse=True)
    counts = np.bincount(cell)
    value = float(_from_counts(counts[:, None], column)[0])
    if groups is None:
        return Measured(value)
    count = groups.max() + 1
    by_group = np.bincount(cell * count + groups, minlength=len(cells) * count).reshape(len(cells), count)
    return Measured(value, _from_counts(counts[:, None] - by_group, column))


def _from_counts(counts: Int[np.ndarray, "k g"], column: Int[np.ndarray, " k"]) -> Float[np.ndarray, " g"]:
    """NCE for each column of counts; `column[k]` is the source class of cell k."""
    mass = np.zeros((column.max() + 1, counts.shape[1]))
    np.add.at(mass, column, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / mass[column]), 0.0)
    return np.asarray(terms.sum(axis=0) / counts.sum(axis=0) + 0.0)  # + 0.0: no -0.0


def _measure(inputs: Inputs) -> Measured:
    return _nce(_argmax(inputs.rows), inputs.classes.codes, inputs.groups)


SCORES.add(
    Score(
        title="NCE",
        function=nce,
        needs="probs",
        high=0.0,
        cost="O(n z)",
        meaning="How well the source's single best guess tells the target's classes apart.",
        invariances={"order", "names", "unused"},
        default=5,
        measure=_measure,
    )
)


def soft_nce(probs: Float[np.ndarray, "n z"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Minus H(Y given Z) under the joint of labels and source probabilities (higher is better).

    OTCE without source data: OTCE couples target examples with labelled source examples by optimal transport, here
    the source's own classifier couples them with source classes. Never above LEEP.

    Returns:
        The score in nats, from -H(Y) to 0.

    Example:
        >>> soft_nce(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))  # = -log 2
        -0.6931471805599453

    Reference: Tan et al., CVPR 2021, eq. 5, the joint taken from the source's probabilities.
    https://arxiv.org/abs/2103.13843
    """
    return _soft(read_probs(probs, labels).joint)


def _soft(joint: Float[np.ndarray, "c z"]) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log(joint / joint.sum(axis=0)), 0.0)
    return min(0.0, float(terms.sum() / joint.sum()))


def _measure_soft(inputs: Inputs) -> Measured:
    value = _soft(inputs.head.joint)
    if inputs.groups is None:
        return Measured(value)
    return Measured(
        value, np.array([_soft(joint) for _, part in without_groups(inputs.head, inputs.groups) for joint in part])
    )


SCORES.add(
    Score(
        title="soft NCE",
        function=soft_nce,
        needs="probs",
        high=0.0,
        cost="O(n z)",
        meaning="How much a source class drawn from the source's probabilities tells about the target class.",
        invariances={"order", "names", "unused"},
        measure=_measure_soft,
    )
)
