"""A linear probe in closed form: ridge regression judged by leave-one-out, its penalty chosen the same way."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import linalg

from headstart.scores._checks import block_rows
from headstart.scores._inputs import Inputs
from headstart.scores._residual_maker import ResidualMaker, Spectrum, residual_maker
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
        features: What goes into the source's head.
        labels: (n,) classes; for regression (n,) or (n, t) numbers; for multi-label (n, t) of 0 and 1.
        task: What the labels are.

    Returns:
        Accuracy from 0 to 1, or R^2 at most 1.

    Raises:
        InputError: Shapes disagree, `features` is not finite, or the labels do not fit the task.

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


def _errors_without(
    maker: ResidualMaker, spectrum: Spectrum, rows: Int[np.ndarray, " m"], diagonal: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "k t"]:
    """Leave-one-out errors of the other examples when `rows` are left out altogether."""
    others = np.setdiff1d(np.arange(maker.n), rows)
    block = maker.block(spectrum, rows, maker.outside_block(rows))
    across = maker.basis[others] @ (spectrum.kept[:, None] * maker.basis[rows].T)
    if not maker.complete:
        across -= maker.basis[others] @ maker.basis[rows].T
    solved = np.linalg.solve(block, across.T)  # (m, k)
    own = maker.targets[rows]
    residuals = maker.residuals(spectrum, others) - across @ own
    gap = maker.residuals(spectrum, rows) - block @ own
    leverage = diagonal[others] - (across * solved.T).sum(axis=1)
    return np.asarray((residuals - solved.T @ gap) / leverage[:, None])


def _errors_by_sums(maker: ResidualMaker, penalty: float, kept: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k t"]:
    """The same from sums over the other examples."""
    targets, n = maker.targets[kept], len(kept)
    errors = targets - targets.mean(axis=0)
    if np.isinf(penalty):
        return np.asarray(errors * n / (n - 1))
    gram, sums = maker.sums_without(np.setdiff1d(np.arange(maker.n), kept))
    points = maker.parts.left[kept]
    mean = points.mean(axis=0)
    gram -= n * np.outer(mean, mean)
    gram.flat[:: len(gram) + 1] += penalty / maker.parts.squares
    inverse = linalg.cho_solve(linalg.cho_factor(gram, lower=True, check_finite=False), np.eye(len(gram)))
    points = points - mean
    through = points @ inverse
    errors -= through @ (sums - np.outer(mean, targets.sum(axis=0)))
    return np.asarray(errors / (1 - 1 / n - np.einsum("ij,ij->i", through, points))[:, None])


def _measure(inputs: Inputs) -> Measured:
    maker = residual_maker(inputs)
    errors, penalty = shared_left_out(inputs)
    value = _quality(errors, maker.targets, inputs.task)
    if inputs.groups is None:
        return Measured(value)
    errors_of = errors_among(maker, penalty, inputs.groups)
    return at_one_penalty(
        leave_groups_out(inputs, value, lambda kept: _quality(errors_of(kept), maker.targets[kept], inputs.task))
    )


def shared_left_out(inputs: Inputs) -> tuple[Float[np.ndarray, "n t"], float]:
    """Leave-one-out errors of one source's inputs and their penalty, computed for the first score that asks."""
    return inputs.once("ridge left out", lambda: left_out(residual_maker(inputs)))


def errors_among(
    maker: ResidualMaker, penalty: float, groups: Int[np.ndarray, " n"]
) -> Callable[[Int[np.ndarray, " k"]], Float[np.ndarray, "k t"]]:
    """From examples that are kept to their leave-one-out errors when all others are left out altogether."""
    if not maker.has_small(groups):
        return lambda kept: _errors_by_sums(maker, penalty, kept)
    spectrum = maker.centred(penalty)
    alone = np.zeros(maker.n) if maker.complete else np.maximum(1 - (maker.basis**2).sum(axis=1), 0.0)
    diagonal = alone + maker.basis**2 @ spectrum.kept
    return lambda kept: _errors_without(maker, spectrum, np.setdiff1d(np.arange(maker.n), kept), diagonal)


def at_one_penalty(measured: Measured) -> Measured:
    """With the caveat of an interval whose penalty was chosen once."""
    return measured if measured.deleted is None else replace(measured, notes=(*measured.notes, FIXED_PENALTY))


SCORES.add(
    Score(
        title="ridge probe",
        function=ridge_probe,
        needs="features",
        tasks=ANY_TASK,
        high=1.0,
        cost="O(n d min(n, d))",
        citation="Allen, Technometrics 1974, https://doi.org/10.1080/00401706.1974.10489157",
        meaning="How well a linear model on the features does on examples it has not seen, without any training.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
