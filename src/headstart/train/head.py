"""A linear head on features, trained to the optimum.

Minimises mean loss + penalty / 2 * |W|^2 (the bias is free) in float64: softmax cross entropy for classes, one
logistic loss per label for multi-label. Features are centred and turned into their principal axes first; in these
coordinates the curvature is nearly diagonal and known, so a handful of L-BFGS steps suffices where a solver on the raw
features needs hundreds. The penalty is chosen by approximate leave-one-out: each example's own pull is taken back by
one Newton step, class by class.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.tasks import Link
from headstart.train.lbfgs import minimise
from headstart.train.side_by_side import side_by_side

GRID = tuple(10.0 ** (-1.5 * k) for k in range(6))  # penalties to try, in units of the features' total variance
BETWEEN = (10.0**0.5, 10.0**-0.5)  # then these, times the best of them
ROUGH = (1e-2, 1e-4)  # the curvature at a rough solution makes the rest of the way short
LEAVE_ONE_OUT_COST = 2e10  # multiplications per penalty; above it a fifth is held out instead
SMALL = 10_000_000  # multiplications of one product with the features, below which several threads wait more than work


@dataclass(frozen=True, eq=False)
class LinearHead:
    """outputs = features @ weight.T + bias."""

    weight: np.ndarray  # (C, d)
    bias: np.ndarray  # (C,)
    penalty: float
    objective: float  # mean loss + penalty / 2 * |W|^2 at the solution
    chosen_by: str  # how the penalty was found
    estimate: float | None = None  # loss expected on fresh data, from the choice of the penalty

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Logits (n, C), or values (n, t) of a regression."""
        outputs: np.ndarray = features @ self.weight.T + self.bias
        return outputs

    def put_into(self, layer: nn.Linear) -> None:
        """Make a layer compute this head."""
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(self.weight))
            layer.bias.copy_(torch.as_tensor(self.bias))


def fit_head(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int | None = None,
    penalty: float | None = None,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> LinearHead:
    """The best linear classifier on `features`.

    Args:
        features: (n, d).
        labels: (n,) codes 0..classes-1; a class without examples gets zero weights and the prior of half an example. Or
            (n, C) of 0/1 for multi-label.
        classes: How many; one more than the largest code by default.
        penalty: Of mean loss + penalty / 2 * |W|^2. None: chosen by approximate leave-one-out, or on a fifth that is
            held out where leave-one-out would cost too much. (scikit-learn's C is 1 / (n * penalty).)
        seed: Decides which fifth.
        weights: (n,) of the examples in the loss; all alike by default.

    Raises:
        InputError: Shapes disagree, numbers are not finite, there are fewer than two classes, or the penalty is not
            positive.

    Example:
        >>> head = fit_head(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1]), penalty=0.1)
        >>> head.outputs(np.array([[0.5], [2.5]])).argmax(axis=1).tolist()
        [0, 1]
    """
    features, labels = np.asarray(features), np.asarray(labels)
    _check(features, labels, penalty)
    if labels.ndim == 2:
        return _solve_here(features, labels.astype(np.float64), "sigmoid", penalty, seed, weights)
    count = int(labels.max()) + 1 if classes is None else classes
    present = np.unique(labels)
    if len(present) < 2:
        raise InputError("a head needs examples of at least two classes, and `labels` holds one.")
    y = np.eye(len(present))[np.searchsorted(present, labels)]
    head = _solve_here(features, y, "softmax", penalty, seed, weights)
    return head if len(present) == count else _with_absent(head, present, count, features)


def fit_ridge(features: np.ndarray, values: np.ndarray, *, penalty: float | None = None) -> LinearHead:
    """Regression: mean squared error / 2 + penalty / 2 * |W|^2 in closed form, penalty by exact leave-one-out.

    Args:
        features: (n, d).
        values: (n,) or (n, t).
    """
    values = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    _check(np.asarray(features), values, penalty)
    basis = _Basis(torch.as_tensor(np.asarray(features), dtype=torch.float64))
    z, n = basis.z.numpy(), len(values)
    squares = (z**2).sum(axis=0)
    mean = values.mean(axis=0)
    along = z.T @ (values - mean)

    def solve(strength: float) -> tuple[np.ndarray, np.ndarray]:
        inverse = 1 / (squares + n * strength)
        leverage = 1 / n + (z**2) @ inverse
        return inverse[:, None] * along, leverage

    def left_out(strength: float) -> float:
        coefficients, leverage = solve(strength)
        residual = (values - mean - z @ coefficients) / np.maximum(1 - leverage, 1e-12)[:, None]
        return float((residual**2).mean())

    grid = [] if penalty is not None else [share * basis.scale for share in GRID]
    tried = {strength: left_out(strength) for strength in grid}
    if tried:
        best = min(tried, key=tried.__getitem__)
        tried |= {best * share: left_out(best * share) for share in BETWEEN}
    chosen = penalty if penalty is not None else min(tried, key=tried.__getitem__)
    coefficients, _ = solve(chosen)
    weight, bias = basis.back(torch.as_tensor(coefficients), torch.as_tensor(mean))
    error = ((values - mean - z @ coefficients) ** 2).sum(axis=1).mean() / 2
    objective = float(error + chosen / 2 * (coefficients**2).sum())
    how = "given" if penalty is not None else "leave-one-out"
    return LinearHead(weight.numpy(), bias.numpy(), chosen, objective, how, tried.get(chosen))


def _check(features: np.ndarray, labels: np.ndarray, penalty: float | None) -> None:
    if features.ndim != 2 or labels.ndim not in (1, 2) or len(features) != len(labels):
        raise InputError(
            "`features` must be (n, d) with one row of `labels` per example; "
            f"got the shapes {features.shape} and {labels.shape}."
        )
    if not np.isfinite(features).all():
        raise InputError(f"`features` must be finite; {int((~np.isfinite(features)).sum())} numbers are not.")
    if penalty is not None and not penalty > 0:
        raise InputError(f"`penalty` must be greater than 0; got {penalty}.")


def _with_absent(head: LinearHead, present: np.ndarray, count: int, features: np.ndarray) -> LinearHead:
    """Rows for the absent classes too: no weights, and at the mean example the odds of half an example."""
    weight, bias = np.zeros((count, head.weight.shape[1])), np.empty(count)
    weight[present] = head.weight
    bias[:] = np.logaddexp.reduce(head.outputs(features.mean(axis=0))) + np.log(0.5 / len(features))
    bias[present] = head.bias
    return replace(head, weight=weight, bias=bias)


class _Basis:
    """Centred features on their principal axes; a rotation, so penalties mean the same."""

    def __init__(self, x: Tensor) -> None:
        self.mean = x.mean(dim=0)
        centred = x - self.mean
        self.rows: Tensor | None = None
        n, d = x.shape
        if n < d:
            squares, u = torch.linalg.eigh(centred @ centred.mT)
            keep = squares > squares[-1] * 1e-14
            singular = squares.clamp_min(0).sqrt()
            inverse = torch.where(keep, 1 / singular.clamp_min(1e-300), 0.0)
            self.rows, self.axes = centred, u * inverse  # the axes themselves (d, n) are never needed
            self.z = torch.where(keep, u * singular, 0.0)
        else:
            _, self.axes = torch.linalg.eigh(centred.mT @ centred)
            self.z = centred @ self.axes
        self.scale = float(centred.square().sum() / n) or 1.0  # total variance

    def back(self, coefficients: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (C, d) and biases (C,) for the original features."""
        weight = self.axes @ coefficients
        weight = (weight if self.rows is None else self.rows.mT @ weight).mT
        return weight, bias - weight @ self.mean


class _Problem:
    """Loss, gradient and leave-one-out in the coordinates of a basis."""

    def __init__(self, z: Tensor, y: Tensor, link: Link, rows: Tensor | None = None) -> None:
        self.z, self.y, self.link = z, y, link
        self.n, self.r = z.shape
        self.weighted = rows is not None
        self.rows = z.new_full((self.n,), 1 / self.n) if rows is None else (rows / rows.sum()).to(z.dtype)
        self.squares = (z.square() * self.rows[:, None]).sum(dim=0)  # (r,)
        self.design = torch.cat([z, z.new_ones(self.n, 1)], dim=1)  # the last column is the bias's
        share = y.mean(dim=0).clamp(1e-3, 1 - 1e-3)
        bias = (share.log() if link == "softmax" else share.logit())[None]
        self.start = torch.cat([z.new_zeros(self.r, y.shape[1]), bias])  # knows the class frequencies only

    def losses_and_means(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (n,) and probabilities (n, C)."""
        if self.link == "sigmoid":
            losses = (torch.nn.functional.softplus(logits) - logits * self.y).sum(dim=1)
            return losses, logits.sigmoid()
        total = logits.logsumexp(dim=1)
        return total - (logits * self.y).sum(dim=1), (logits - total[:, None]).exp()

    def means(self, logits: Tensor) -> Tensor:
        """(n, C)."""
        return logits.softmax(dim=1) if self.link == "softmax" else logits.sigmoid()

    def curvature(self, solution: Tensor, penalty: float) -> Tensor:
        """About the diagonal of the Hessian (r + 1, 1): the axes give the shape, one number the sharpness."""
        p = self.means(self.design @ solution)
        sharpness = (p * (1 - p)).mean() + 1e-3
        return torch.cat([sharpness * self.squares + penalty, sharpness[None]])[:, None]

    def ridge(self, penalty: float) -> Tensor:
        """The penalty of each coefficient (r + 1,); the bias has none."""
        return torch.cat([self.z.new_full((self.r,), penalty), self.z.new_zeros(1)])

    def solve(self, penalty: float, start: Tensor, tolerance: float) -> tuple[Tensor, float]:
        """Coefficients (r + 1, C), the bias last, and the objective there."""
        ridge = self.ridge(penalty)[:, None]
        value = float("nan")
        for goal in (*(rough for rough in ROUGH if rough >= 100 * tolerance), tolerance):
            scaling = self.curvature(start, penalty).rsqrt()
            point, value = minimise(
                partial(self._objective, scaling=scaling, ridge=ridge), (start / scaling).flatten(), tolerance=goal
            )
            start = point.view(start.shape) * scaling
        return start, value

    def _objective(self, at: Tensor, scaling: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
        solution = at.view(self.start.shape) * scaling
        losses, means = self.losses_and_means(self.design @ solution)
        pull = ridge * solution
        value = losses @ self.rows + (pull * solution).sum() / 2
        error = (means - self.y) * self.rows[:, None]
        return value, ((self.design.mT @ error + pull) * scaling).flatten()

    def left_out(self, solution: Tensor, penalty: float) -> float:
        """Mean loss on each example by the head without it, to first order."""
        logits = self.design @ solution
        p = self.means(logits)
        share = self.n * self.rows[:, None] if self.weighted else 1.0
        weight = (p * (1 - p)).clamp_min(1e-12) * share
        design, ridge = self.design.float(), self.ridge(penalty).float()
        leverage = torch.empty_like(p)
        for c in range(p.shape[1]):
            hessian = design.mT @ (design * weight[:, c : c + 1].float())
            hessian.diagonal().add_(self.n * ridge + 1e-6 * hessian.diagonal())
            factor = torch.linalg.cholesky(hessian)
            half = torch.linalg.solve_triangular(factor.mT, design, upper=True, left=False)  # the fast side
            leverage[:, c] = half.square().sum(dim=1)
        own = (leverage * weight).clamp_max(1 - 1e-6)
        losses = self.losses_and_means(logits + leverage * share * (p - self.y) / (1 - own))[0]
        return float((losses * self.rows).sum() if self.weighted else losses.mean())

    def held_out(self, solution: Tensor) -> float:
        """Mean loss on the rows that this problem leaves out."""
        return float(self.losses_and_means(self.design @ solution)[0][self.rows == 0].mean())


def _solve_here(
    features: np.ndarray, y: np.ndarray, link: Link, penalty: float | None, seed: int, weights: np.ndarray | None
) -> LinearHead:
    """`_solve`, on one thread where more of them would mostly wait."""
    small = features.size * y.shape[1] <= SMALL
    x, wanted = torch.as_tensor(features, dtype=torch.float64), torch.as_tensor(y)
    rows = None if weights is None else torch.as_tensor(weights)
    return side_by_side(lambda x: _solve(x, wanted, link, penalty, seed, rows), [x], small=small)[0]


def _solve(x: Tensor, y: Tensor, link: Link, penalty: float | None, seed: int, weights: Tensor | None) -> LinearHead:
    basis = _Basis(x)
    problem = _Problem(basis.z, y, link, weights)
    start, estimate, how = problem.start, None, "given"
    if penalty is None:
        by_one = y.shape[1] * len(x) * basis.z.shape[1] ** 2 <= LEAVE_ONE_OUT_COST
        rows = weights
        if not by_one:
            rows = _without_a_fifth(len(x), seed) * (1 if weights is None else weights)
        penalty, estimate, start = _choose(_Problem(basis.z.float(), y.float(), link, rows), basis.scale, by_one)
        how = "leave-one-out" if by_one else "a held-out fifth"
    solution, value = problem.solve(penalty, start.double(), 1e-11)
    weight, bias = basis.back(solution[:-1], solution[-1])
    return LinearHead(weight.numpy(), bias.numpy(), penalty, value, how, estimate)


def _choose(problem: _Problem, scale: float, by_one: bool) -> tuple[float, float, Tensor]:
    """The best penalty of the grid, its loss on left-out examples, and its solution.

    From strong to weak, each solution the start of the next. Small penalties are slow to solve, so the search ends
    after two steps without an improvement. Then half a decade to either side of the best.
    """
    best, strength = float("inf"), scale
    solution = at_best = problem.start
    idle = 0

    def attempt(penalty: float, start: Tensor) -> tuple[bool, Tensor]:
        nonlocal best, strength, at_best
        found, _ = problem.solve(penalty, start, 1e-5)
        loss = problem.left_out(found, penalty) if by_one else problem.held_out(found)
        better = loss < best
        if better:
            best, strength, at_best = loss, penalty, found
        return better, found

    for share in GRID:
        better, solution = attempt(scale * share, solution)
        idle = 0 if better else idle + 1
        if idle == 2:
            break
    for share in BETWEEN:
        attempt(strength * share, at_best)
    return strength, best, at_best


def _without_a_fifth(n: int, seed: int) -> Tensor:
    """Row weights: 0 for a random fifth."""
    rows = torch.ones(n, dtype=torch.float64)
    rows[np.random.default_rng(seed).permutation(n)[: n // 5]] = 0
    return rows
