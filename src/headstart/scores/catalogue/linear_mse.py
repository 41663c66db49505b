"""LinMSE and LabMSE: how well a linear map from the source's features, or from its outputs, gives numeric targets."""

import numpy as np
from jaxtyping import Float, Shaped
from scipy import linalg

from headstart.errors import InputError
from headstart.scores._checks import check_features, check_targets
from headstart.scores._decomposition import Decomposition, centred_blocks, decompose
from headstart.scores._inputs import Inputs
from headstart.scores._table import SCORES, Measured, Score, leave_groups_out

TASKS: frozenset[str] = frozenset({"regression", "multi-label"})


def linear_mse(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    penalty: float = 1.0,
    task: str = "regression",
) -> float:
    """LinMSE: minus the least regularised squared error of a linear map from features to targets.

    - min over A, b of mean |y - A f - b|^2 + penalty |A|^2, squared lengths summed over the targets.

    Args:
        features: One row per example.
        labels: Targets, (n,) or (n, t); 0/1 for multi-label.
        penalty: The paper reports 0 and 1. With 0 and no fewer features than examples the error vanishes whatever the
            features are.
        task: "regression" or "multi-label": how `labels` are checked.

    Returns:
        The score in squared units of the targets, at most 0.

    Raises:
        InputError: The arrays do not fit, a target does not vary, or `penalty` is negative.

    Example:
        A target that is the feature itself; shrinking by half costs 1/4 + 1/4:
        >>> round(linear_mse(np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])), 12)
        -0.5

    Reference: Nguyen et al., UAI 2023, eq. 3. https://arxiv.org/abs/2312.00656
    """
    targets = _check(labels, penalty, task)
    features = check_features(features, len(targets))
    if penalty == 0:
        return _by_directions(decompose(features), targets, penalty)
    return _by_solving(features, targets, penalty)


def label_mse(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    penalty: float = 1.0,
    task: str = "regression",
) -> float:
    """LabMSE: the same from the source's outputs, its guess at source labels for the target's examples.

    Args:
        probs: The source's outputs on the target: probabilities of a classifier, or predictions of a regressor.
        labels: Targets, (n,) or (n, t); 0/1 for multi-label.
        penalty: As for `linear_mse`.
        task: "regression" or "multi-label".

    Returns:
        The score in squared units of the targets, at most 0.

    Raises:
        InputError: The arrays do not fit, a target does not vary, or `penalty` is negative.

    Example:
        >>> round(label_mse(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0]), penalty=0.0), 12) == 0.0
        True

    Reference: Nguyen et al., UAI 2023, eq. 4. https://arxiv.org/abs/2312.00656
    """
    return linear_mse(probs, labels, penalty=penalty, task=task)


def _check(labels: np.ndarray, penalty: float, task: str) -> np.ndarray:
    if task not in TASKS:
        raise InputError(f'`task` must be "regression" or "multi-label"; got {task!r}.')
    if not (0 <= penalty < np.inf):
        raise InputError(f"`penalty` must be a finite number, at least 0; got {penalty}.")
    return check_targets(labels, task)


def _by_directions(parts: Decomposition, targets: Float[np.ndarray, "n t"], penalty: float = 1.0) -> float:
    """Direction k explains u_k of the centred targets; the penalty leaves u_k^2 penalty / (s_k + n penalty) of it."""
    n = len(targets)
    centred = targets - targets.mean(axis=0)
    along = ((parts.left.T @ centred) ** 2).sum(axis=1)  # (r,) u_k^2
    outside = max(0.0, float((centred**2).sum() - along.sum()))
    return -float(outside / n + (along * penalty / (parts.squares + n * penalty)).sum())


def _by_solving(features: np.ndarray, targets: Float[np.ndarray, "n t"], penalty: float) -> float:
    """The same by one Cholesky factor of the smaller Gram matrix."""
    n, d = features.shape
    centred, mean = targets - targets.mean(axis=0), features.mean(axis=0, dtype=np.float64)
    if n <= d:
        x = features - mean
        gram = x @ x.T
        gram.flat[:: n + 1] += n * penalty
        factor = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        return -penalty * float((centred * linalg.cho_solve(factor, centred)).sum())
    gram, moments = np.zeros((d, d)), np.zeros((d, targets.shape[1]))
    for block, x in centred_blocks(features, mean):
        gram += x.T @ x
        moments += x.T @ centred[block]
    gram.flat[:: d + 1] += n * penalty
    factor = linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    explained = float((moments * linalg.cho_solve(factor, moments)).sum())
    return float(-max(0.0, float((centred**2).sum()) - explained) / n)


def _measure_features(inputs: Inputs) -> Measured:
    value = _by_directions(inputs.decomposition, inputs.targets)
    features, labels, task = inputs.features, inputs.labels, inputs.task
    return leave_groups_out(inputs, value, lambda kept: linear_mse(features[kept], labels[kept], task=task))


def _measure_outputs(inputs: Inputs) -> Measured:
    probs, labels, task = inputs.probs, inputs.labels, inputs.task
    value = label_mse(probs, labels, task=task)
    return leave_groups_out(inputs, value, lambda kept: label_mse(probs[kept], labels[kept], task=task))


SCORES.add(
    Score(
        title="LinMSE",
        function=linear_mse,
        needs="features",
        tasks=TASKS,
        high=0.0,
        cost="O(n d^2 + d^3)",
        citation="Nguyen et al., UAI 2023, eq. 3. https://arxiv.org/abs/2312.00656",
        meaning="Minus the squared error of a penalised linear map from features to the numeric targets.",
        invariances={"order", "names", "unused", "shift", "rotation"},
        measure=_measure_features,
    )
)
SCORES.add(
    Score(
        title="LabMSE",
        function=label_mse,
        needs="probs",
        tasks=frozenset({"regression"}),
        high=0.0,
        cost="O(n z^2 + z^3)",
        citation="Nguyen et al., UAI 2023, eq. 4. https://arxiv.org/abs/2312.00656",
        meaning="Minus the squared error of a penalised linear map from the source's outputs to the numeric targets.",
        invariances={"order", "names", "unused"},
        measure=_measure_outputs,
    )
)
