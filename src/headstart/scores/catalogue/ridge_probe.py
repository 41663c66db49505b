"""A linear probe in closed form: ridge regression judged by leave-one-out, its penalty chosen the same way."""

from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float, Shaped

from headstart.scores._checks import block_rows
from headstart.scores._decomposition import centred_blocks
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, residual_maker
from headstart.scores._sums import HELD_BYTES, Sums, whole_and_groups
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score, without_each_group
from headstart.tasks import task_of

GRID = 10.0 ** np.arange(-8, 2.25, 0.5)  # penalties, as shares of the largest eigenvalue of the scatter matrix
MANY = 4  # examples a feature from which leverages without a group follow from those of all examples


def ridge_probe(
    features: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n *t"],
    *,
    task: str = "classification",
) -> float:
    """Leave-one-out quality of ridge regression on the features (higher is better).

    A linear model with a free intercept is fitted to every target column (the classes one against the rest, as 0/1).
    One penalty serves all columns: of a grid, the one with the least leave-one-out squared error. Both come in closed
    form from one decomposition, the left-out error being the residual over one minus the leverage. Classification is
    judged by accuracy, which is what a linear probe reports and compares with `knn`; squared error chooses the penalty,
    being smooth. Other tasks are judged by R^2 against the leave-one-out mean, averaged over columns.

    Args:
        labels: (n,) classes; for regression (n,) or (n, t) numbers; for multi-label (n, t) of 0 and 1.

    Returns:
        Accuracy from 0 to 1, or R^2 at most 1.

    Example:
        >>> ridge_probe(np.array([[0.0], [0.2], [5.0], [5.1]]), np.array([0, 0, 1, 1]))
        1.0

    Reference: Allen, Technometrics 1974 (leave-one-out in closed form). https://doi.org/10.1080/00401706.1974.10489157
    """
    return _measure(Inputs(labels, features=features, task=task)).value


def left_out(maker: ResidualMaker) -> tuple[Float[np.ndarray, "n t"], float]:
    """Leave-one-out errors at the best penalty, and that penalty (infinite: the mean alone is best)."""
    everything = slice(None)
    alone = _unreached(maker)
    top = float(maker.parts.squares.max(initial=0.0))
    best, chosen, least = np.empty(0), np.inf, np.inf
    penalties = [np.inf, *(top * GRID[::-1] if top > 0 else [])]  # from the simplest: ties keep it
    spectra = [maker.centred(float(penalty)) for penalty in penalties]
    leverages = _weighed_squares(maker.basis, np.column_stack([spectrum.kept for spectrum in spectra]))
    for penalty, spectrum, leverage in zip(penalties, spectra, leverages.T, strict=True):
        errors = maker.residuals(spectrum, everything)
        errors /= (alone + leverage)[:, None]  # one minus the leverage, positive
        loss = float(np.vdot(errors, errors))
        if loss < least * (1 - 1e-12):
            best, chosen, least = errors, float(penalty), loss
    return best, chosen


def _unreached(maker: ResidualMaker) -> Float[np.ndarray, " n"]:
    """Squared length of the part of each example's unit vector that no direction of the features reaches."""
    if maker.complete:
        return np.zeros(maker.n)
    return np.asarray(np.maximum(1 - np.einsum("ij,ij->i", maker.basis, maker.basis), 0.0))


def _weighed_squares(basis: Float[np.ndarray, "n k"], kept: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "n p"]:
    """Sums of the squares of each row, weighed by each column of `kept`."""
    step = block_rows(basis)
    return np.concatenate([basis[at : at + step] ** 2 @ kept for at in range(0, len(basis), step)])


def _quality(errors: Float[np.ndarray, "n t"], targets: Float[np.ndarray, "n t"], task: str) -> float:
    """Accuracy of the left-out predictions, equal ones sharing the hit; or R^2."""
    if task_of(task).single_class:
        predictions = targets - errors
        top = predictions >= predictions.max(axis=1, keepdims=True) - 1e-9
        return float(((top * targets).sum(axis=1) / top.sum(axis=1)).mean())
    n = len(targets)
    from_mean = (targets - targets.mean(axis=0)) * n / (n - 1)  # each example's error from the mean of the others
    varies = (from_mean**2).sum(axis=0) > 0  # left-out groups may take all variety of a column
    return float((1 - (errors**2).sum(axis=0)[varies] / (from_mean**2).sum(axis=0)[varies]).mean())


def _at_penalty(inputs: Inputs) -> tuple[Float[np.ndarray, "n t"], Float[np.ndarray, " n"]]:
    """Residuals of all examples at the chosen penalty, and one minus their leverages."""

    def compute() -> tuple[np.ndarray, np.ndarray]:
        maker = residual_maker(inputs)
        spectrum = maker.centred(shared_left_out(inputs)[1])
        leverages = _weighed_squares(maker.basis, spectrum.kept[:, None])[:, 0]
        return maker.residuals(spectrum, slice(None)), _unreached(maker) + leverages

    return inputs.once("ridge at its penalty", compute)


def _errors_by_block(inputs: Inputs, group: int, penalty: float) -> Float[np.ndarray, "k t"]:
    """Leave-one-out errors of the examples outside a group, the group being left out altogether."""
    maker, kept, rows = residual_maker(inputs), inputs.kept(group), np.flatnonzero(inputs.groups == group)
    residuals, spared = _at_penalty(inputs)
    shares = maker.centred(penalty).kept - (not maker.complete)
    across = maker.basis @ (shares[:, None] * maker.basis[rows].T)  # columns of the residual maker, less the identity's
    block = across[rows] + np.eye(len(rows)) * (not maker.complete)
    across, own = across[kept], maker.targets[rows]
    solved = np.linalg.solve(block, across.T)  # (m, k)
    gap = residuals[rows] - block @ own
    errors = residuals[kept] - across @ own - solved.T @ gap
    return np.asarray(errors / (spared[kept] - np.einsum("km,mk->k", across, solved))[:, None])


def _errors_by_sums(inputs: Inputs, group: int, penalty: float) -> Float[np.ndarray, "k t"]:
    """The same for many examples, whose leverages grow in proportion as they get fewer: from sums over them."""
    if _held(inputs):
        every = inputs.once("ridge changes", lambda: _changes(inputs, penalty, range(inputs.group_count)))
        change = every[:, group]
    else:
        change = _changes(inputs, penalty, [group])[:, 0]
    kept, (residuals, spared) = inputs.kept(group), _at_penalty(inputs)
    left, leverages = len(kept), 1 - spared[kept] - 1 / inputs.n
    return np.asarray((residuals[kept] + change[kept]) / (1 - 1 / left - leverages * inputs.n / left)[:, None])


def _changes(inputs: Inputs, penalty: float, groups: Sequence[int]) -> Float[np.ndarray, "n g t"]:
    """By how much the errors of all examples change as each group leaves, in the precision of the features."""
    origin, whole, own = whole_and_groups(inputs)
    left = [whole - own(group) for group in groups]
    weights = [_weights(sums, penalty) for sums in left]
    means = [sums.y / sums.n - sums.x / sums.n @ each for sums, each in zip(left, weights, strict=True)]
    constants = np.concatenate(whole.y / whole.n - np.array(means))
    apart = np.concatenate(_weights(whole, penalty) - np.array(weights), axis=1)
    changes = np.empty((inputs.n, len(constants)), np.float32 if inputs.features.dtype.itemsize <= 4 else np.float64)
    apart = apart.astype(changes.dtype)
    for block, centred in centred_blocks(inputs.features, origin):
        np.matmul(centred.astype(changes.dtype), apart, out=changes[block])
    changes += constants.astype(changes.dtype)
    return changes.reshape(inputs.n, len(groups), -1)


def _weights(sums: Sums, penalty: float) -> Float[np.ndarray, "d t"]:
    """Of ridge regression."""
    if np.isinf(penalty):
        return np.zeros_like(sums.xy)
    scatter = sums.scatter
    scatter.flat[:: len(scatter) + 1] += penalty
    solved = scipy.linalg.solve(scatter, sums.products, assume_a="pos", overwrite_a=True, check_finite=False)
    return np.asarray(solved)


def _held(inputs: Inputs) -> bool:
    """Whether a number for each example, target and group is little enough to be kept."""
    return 8 * inputs.targets.size * inputs.group_count <= HELD_BYTES


def _measure(inputs: Inputs) -> Measured:
    value = _quality(shared_left_out(inputs)[0], inputs.targets, inputs.task)

    def again(group: int) -> float:
        return _quality(errors_without(inputs, group), inputs.targets[inputs.kept(group)], inputs.task)

    return without_each_group(inputs, value, again)


def shared_left_out(inputs: Inputs) -> tuple[Float[np.ndarray, "n t"], float]:
    """Leave-one-out errors of one source's inputs and their penalty, computed for the first score that asks."""
    return inputs.once("ridge left out", lambda: left_out(residual_maker(inputs)))


def errors_without(inputs: Inputs, group: int) -> Float[np.ndarray, "k t"]:
    """Leave-one-out errors of the other examples with a group left out, the penalty held; kept where they fit."""

    def compute() -> np.ndarray:
        _, penalty = shared_left_out(inputs)
        if inputs.n - inputs.largest_group > MANY * inputs.features.shape[1]:
            return _errors_by_sums(inputs, group, penalty)
        return _errors_by_block(inputs, group, penalty)

    return inputs.once(f"ridge without {group}", compute) if _held(inputs) else compute()


SCORES.add(
    Score(
        title="ridge probe",
        function=ridge_probe,
        needs="features",
        tasks=ANY_TASK,
        high=1.0,
        cost="O(n d min(n, d))",
        meaning="How well a linear model on the features does on examples it has not seen, without any training.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
