"""LinMSE and LabMSE: how well a linear map from the source's features, or from its outputs, gives numeric targets."""

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.errors import InputError
from headstart.scores._checks import check_features, check_targets
from headstart.scores._decomposition import centred_blocks
from headstart.scores._table import SCORES, Score

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
        labels: Targets, (n,) or (n, t); 0/1 for multi-label.
        penalty: The paper reports 0 and 1. With 0 and no fewer features than examples the error vanishes whatever the
            features are.
        task: "regression" or "multi-label": how `labels` are checked.

    Returns:
        The score in squared units of the targets, at most 0.

    Example:
        A target that is the feature itself; shrinking by half costs 1/4 + 1/4:
        >>> round(linear_mse(np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])), 12)
        -0.5

    Reference: Nguyen et al., UAI 2023, eq. 3. https://arxiv.org/abs/2312.00656
    """
    if task not in TASKS:
        raise InputError(f'`task` must be "regression" or "multi-label"; got {task!r}.')
    if not (0 <= penalty < np.inf):
        raise InputError(f"`penalty` must be a finite number, at least 0; got {penalty}.")
    targets = check_targets(labels, task)
    return _least_error(check_features(features, len(targets)), targets - targets.mean(axis=0), penalty)


def label_mse(
    probs: Float[np.ndarray, "n z"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    penalty: float = 1.0,
    task: str = "regression",
) -> float:
    """LabMSE: minus the least regularised squared error of a linear map from the source's outputs to the targets.

    `linear_mse` with the outputs p in the place of features: - min over A, b of mean |y - A p - b|^2 + penalty |A|^2.

    Args:
        probs: The source's outputs on the target: probabilities of a classifier, or predictions of a regressor.
        labels: Targets, (n,) or (n, t); 0/1 for multi-label.

    Returns:
        The score in squared units of the targets, at most 0.

    Example:
        >>> round(label_mse(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0]), penalty=0.0), 12) == 0.0
        True

    Reference: Nguyen et al., UAI 2023, eq. 4. https://arxiv.org/abs/2312.00656
    """
    return linear_mse(probs, labels, penalty=penalty, task=task)


def _least_error(features: np.ndarray, centred: Float[np.ndarray, "n t"], penalty: float) -> float:
    """By one Cholesky factor of the smaller Gram matrix; without a penalty by least squares."""
    (n, d), mean = features.shape, features.mean(axis=0, dtype=np.float64)
    if penalty == 0:
        x = features - mean
        return -float(((centred - x @ np.linalg.lstsq(x, centred)[0]) ** 2).sum() / n)
    if n <= d:
        x = features - mean
        gram = x @ x.T
        gram.flat[:: n + 1] += n * penalty
        factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        return -penalty * float((centred * scipy.linalg.cho_solve(factor, centred)).sum())
    gram, moments = np.zeros((d, d)), np.zeros((d, centred.shape[1]))
    for block, x in centred_blocks(features, mean):
        gram += x.T @ x
        moments += x.T @ centred[block]
    gram.flat[:: d + 1] += n * penalty
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    explained = float((moments * scipy.linalg.cho_solve(factor, moments)).sum())
    return float(-max(0.0, float((centred**2).sum()) - explained) / n)


SCORES.add(
    Score(
        title="LinMSE",
        function=linear_mse,
        needs="features",
        tasks=TASKS,
        high=0.0,
        cost="O(n d^2 + d^3)",
        meaning="Minus the squared error of a penalised linear map from features to the numeric targets.",
        invariances={"order", "names", "unused", "shift", "rotation"},
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
        meaning="Minus the squared error of a penalised linear map from the source's outputs to the numeric targets.",
        invariances={"order", "names", "unused"},
    )
)
