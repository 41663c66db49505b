"""A linear probe in closed form: ridge regression judged by leave-one-out, its penalty chosen the same way."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import linalg

from headstart.scores._checks import block_rows
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, Spectrum, residual_maker
from headstart.scores._sums import HELD_BYTES, Sums, whole_and_groups
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score, leave_groups_out
from headstart.tasks import task_of

GRID = 10.0 ** np.arange(-8, 2.25, 0.5)  # penalties, as shares of the largest eigenvalue of the scatter matrix
FIXED_PENALTY = "approximate interval: the penalty stays the one chosen on all examples"


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
    alone = (
        np.zeros(maker.n) if maker.complete else np.maximum(1 - np.einsum("ij,ij->i", maker.basis, maker.basis), 0.0)
    )
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


def _errors_by_block(maker: ResidualMaker, spectrum: Spectrum, kept: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k t"]:
    """Leave-one-out errors of the examples that are `kept`, the others being left out altogether."""
    rows = np.setdiff1d(np.arange(maker.n), kept)
    block = maker.block(spectrum, rows, maker.outside_block(rows))
    basis, own = maker.basis[kept], maker.targets[rows]
    shares = spectrum.kept - (0.0 if maker.complete else 1.0)
    across = (basis * shares) @ maker.basis[rows].T
    solved = np.linalg.solve(block, across.T)  # (m, k)
    residuals = maker.residuals(spectrum, kept) - across @ own
    gap = maker.residuals(spectrum, rows) - block @ own
    leverage = (0.0 if maker.complete else 1.0) + basis**2 @ shares - (across * solved.T).sum(axis=1)
    return np.asarray((residuals - solved.T @ gap) / leverage[:, None])


def _errors_by_sums(
    x: Float[np.ndarray, "k d"], targets: Float[np.ndarray, "k t"], sums: Sums, penalty: float
) -> Float[np.ndarray, "k t"]:
    """The same from sums over the kept examples, `x` being measured from the same point as the sums."""
    n, errors = sums.n, targets - targets.mean(axis=0)
    if np.isinf(penalty):
        return np.asarray(errors * n / (n - 1))
    scatter = sums.scatter
    scatter.flat[:: len(scatter) + 1] += penalty
    factor = linalg.cho_factor(scatter, lower=True, overwrite_a=True, check_finite=False)
    x = x - sums.x / n
    through = x @ linalg.cho_solve(factor, np.eye(len(scatter)), overwrite_b=True, check_finite=False)
    errors -= through @ sums.products
    return np.asarray(errors / (1 - 1 / n - np.einsum("ij,ij->i", through, x))[:, None])


def _measure(inputs: Inputs) -> Measured:
    targets = inputs.targets
    value = _quality(shared_left_out(inputs)[0], targets, inputs.task)
    return without_groups(inputs, value, lambda kept, errors: _quality(errors(), targets[kept], inputs.task))


def shared_left_out(inputs: Inputs) -> tuple[Float[np.ndarray, "n t"], float]:
    """Leave-one-out errors of one source's inputs and their penalty, computed for the first score that asks."""
    return inputs.once("ridge left out", lambda: left_out(residual_maker(inputs)))


def _errors_without(inputs: Inputs, group: int) -> Float[np.ndarray, "k t"]:
    """Leave-one-out errors of the other examples with a group left out, the penalty held."""
    n, d = inputs.features.shape
    _, penalty = shared_left_out(inputs)
    kept = inputs.kept(group)
    if n - inputs.largest_group > d:
        origin, whole, own = whole_and_groups(inputs)
        return _errors_by_sums(inputs.features[kept] - origin, inputs.targets[kept], whole - own(group), penalty)
    maker = residual_maker(inputs)
    return _errors_by_block(maker, maker.centred(penalty), kept)


def without_groups(
    inputs: Inputs,
    value: float,
    again: Callable[[np.ndarray, Callable[[], np.ndarray]], float],
    notes: tuple[str, ...] = (),
) -> Measured:
    """`value`, and `again(kept rows, what computes their leave-one-out errors)` with each group left out."""
    held = 8 * inputs.targets.size * inputs.group_count <= HELD_BYTES
    groups = iter(range(inputs.group_count))

    def one(kept: Int[np.ndarray, " k"]) -> float:
        group = next(groups)
        name = f"ridge errors {group}"
        errors = partial(_errors_without, inputs, group)
        return again(kept, partial(inputs.once, name, errors) if held else errors)

    measured = leave_groups_out(inputs, value, one, notes)
    return measured if measured.deleted is None else replace(measured, notes=(*notes, FIXED_PENALTY))


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
