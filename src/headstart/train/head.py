"""A linear head on features, trained to the optimum; for one task or for many of the same shape at once.

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
from torch import Tensor

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
    gap: float  # estimate of how far that is above the minimum
    chosen_by: str  # how the penalty was found
    estimate: float | None = None  # loss expected on fresh data, from the choice of the penalty

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Logits (n, C), or values (n, t) of a regression."""
        return features @ self.weight.T + self.bias


def fit_head(
    features: np.ndarray, labels: np.ndarray, *, classes: int | None = None, penalty: float | None = None, seed: int = 0
) -> LinearHead:
    """The best linear classifier on `features`; see `fit_heads`.

    Args:
        features: (n, d).
        labels: (n,) codes 0..classes-1, or (n, C) of 0/1 for multi-label.

    Example:
        >>> head = fit_head(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1]), penalty=0.1)
        >>> head.outputs(np.array([[0.5], [2.5]])).argmax(axis=1).tolist()
        [0, 1]
    """
    return fit_heads(np.asarray(features)[None], np.asarray(labels)[None], classes=classes, penalty=penalty, seed=seed)[
        0
    ]


def fit_heads(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int | None = None,
    penalty: float | None = None,
    seed: int = 0,
    chunk: int = 16,
) -> list[LinearHead]:
    """One head for each of t tasks of the same shape.

    Args:
        features: (t, n, d).
        labels: (t, n) codes 0..classes-1; a class without examples gets zero weights and the prior of half an example.
            Or (t, n, C) of 0/1 for multi-label.
        classes: How many; one more than the largest code by default.
        penalty: Of mean loss + penalty / 2 * |W|^2. None: chosen by approximate leave-one-out, or on a fifth that is
            held out where leave-one-out would cost too much. (scikit-learn's C is 1 / (n * penalty).)
        seed: Decides which fifth.
        chunk: Tasks solved together; memory grows with it.

    Raises:
        InputError: Shapes disagree, numbers are not finite, a task has fewer than two classes, or a penalty is not
            positive.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    _check(features, labels, penalty)
    if labels.ndim == 3:
        return _solve_all(features, labels.astype(np.float64), "sigmoid", penalty, seed, chunk)
    count = int(labels.max()) + 1 if classes is None else classes
    present = [np.unique(row) for row in labels]
    if min(len(row) for row in present) < 2:
        raise InputError("a head needs examples of at least two classes; `labels` of a task holds one.")
    if all(len(row) == count for row in present):
        return _solve_all(features, np.eye(count)[labels], "softmax", penalty, seed, chunk)
    heads = []
    for x, y, kept in zip(features, labels, present, strict=True):
        small = fit_head(x, np.searchsorted(kept, y), penalty=penalty, seed=seed)
        heads.append(_with_absent(small, kept, count, x))
    return heads


def fit_linear(
    features: np.ndarray, labels: np.ndarray, *, link: Link, outputs: int, penalty: float | None = None, seed: int = 0
) -> LinearHead:
    """The head for a kind of task: `fit_ridge` where its link is the identity, else `fit_head`.

    Args:
        features: (n, d).
        labels: As the task codes them.
        link: The task's link.
        outputs: How many outputs the head has.
        penalty: See `fit_heads`.
        seed: See `fit_heads`.
    """
    if link == "identity":
        return fit_ridge(features, labels, penalty=penalty)
    return fit_head(features, labels, classes=outputs, penalty=penalty, seed=seed)


def fit_ridge(features: np.ndarray, values: np.ndarray, *, penalty: float | None = None) -> LinearHead:
    """Regression: mean squared error / 2 + penalty / 2 * |W|^2 in closed form, penalty by exact leave-one-out.

    Args:
        features: (n, d).
        values: (n,) or (n, t).
    """
    values = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    _check(np.asarray(features)[None], values[None], penalty)
    basis = _Basis(torch.as_tensor(np.asarray(features), dtype=torch.float64)[None])
    z, n = basis.z[0].numpy(), len(values)
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

    grid = [] if penalty is not None else [share * float(basis.scale) for share in GRID]
    tried = {strength: left_out(strength) for strength in grid}
    if tried:
        best = min(tried, key=tried.__getitem__)
        tried |= {best * share: left_out(best * share) for share in BETWEEN}
    chosen = penalty if penalty is not None else min(tried, key=tried.__getitem__)
    coefficients, _ = solve(chosen)
    weight, bias = basis.back(torch.as_tensor(coefficients)[None], torch.as_tensor(mean)[None])
    error = ((values - mean - z @ coefficients) ** 2).sum(axis=1).mean() / 2
    objective = float(error + chosen / 2 * (coefficients**2).sum())
    how = "given" if penalty is not None else "leave-one-out"
    return LinearHead(weight[0].numpy(), bias[0].numpy(), chosen, objective, 0.0, how, tried.get(chosen))


def _check(features: np.ndarray, labels: np.ndarray, penalty: float | None) -> None:
    if features.ndim != 3 or labels.ndim not in (2, 3) or features.shape[:2] != labels.shape[:2]:
        raise InputError(
            "`features` must be (n, d) with one row of `labels` per example (for many tasks (t, n, d) and (t, n)); "
            f"their shapes are {features.shape} and {labels.shape}."
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
        self.mean = x.mean(dim=1, keepdim=True)
        centred = x - self.mean
        self.rows: Tensor | None = None
        n, d = x.shape[1:]
        if n < d:
            squares, u = torch.linalg.eigh(centred @ centred.mT)
            keep = squares > squares[:, -1:] * 1e-14
            singular = squares.clamp_min(0).sqrt()
            inverse = torch.where(keep, 1 / singular.clamp_min(1e-300), 0.0)
            self.rows, self.axes = centred, u * inverse[:, None]  # the axes themselves (t, d, n) are never needed
            self.z = torch.where(keep[:, None], u * singular[:, None], 0.0)
        else:
            _, self.axes = torch.linalg.eigh(centred.mT @ centred)
            self.z = centred @ self.axes
        self.scale = centred.square().sum(dim=(1, 2)) / n  # (t,) total variance
        self.scale = torch.where(self.scale > 0, self.scale, 1.0)

    def back(self, coefficients: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (t, C, d) and biases (t, C) for the features as they came."""
        weight = self.axes @ coefficients
        weight = (weight if self.rows is None else self.rows.mT @ weight).mT
        return weight, bias - (weight @ self.mean.mT)[..., 0]


class _Problem:
    """Loss, gradient and leave-one-out of t tasks in the coordinates of a basis."""

    def __init__(self, z: Tensor, y: Tensor, link: Link, rows: Tensor | None = None) -> None:
        self.z, self.y, self.link = z, y, link
        self.t, self.n, self.r = z.shape
        self.c = y.shape[2]
        self.rows = z.new_full((self.n,), 1 / self.n) if rows is None else (rows / rows.sum()).to(z.dtype)
        self.squares = (z.square() * self.rows[:, None]).sum(dim=1)  # (t, r)
        self.design = torch.cat([z, z.new_ones(self.t, self.n, 1)], dim=2)  # the last column is the bias's
        share = y.mean(dim=1).clamp(1e-3, 1 - 1e-3)
        bias = (share.log() if link == "softmax" else share.logit())[:, None]
        self.start = torch.cat([z.new_zeros(self.t, self.r, self.c), bias], dim=1)  # knows the class frequencies only

    def losses_and_means(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (t, n) and the probabilities (t, n, C)."""
        if self.link == "sigmoid":
            losses = (torch.nn.functional.softplus(logits) - logits * self.y).sum(dim=2)
            return losses, logits.sigmoid()
        total = logits.logsumexp(dim=2)
        return total - (logits * self.y).sum(dim=2), (logits - total[..., None]).exp()

    def losses(self, logits: Tensor) -> Tensor:
        """(t, n)."""
        return self.losses_and_means(logits)[0]

    def means(self, logits: Tensor) -> Tensor:
        """(t, n, C)."""
        return logits.softmax(dim=2) if self.link == "softmax" else logits.sigmoid()

    def logits(self, solution: Tensor) -> Tensor:
        """(t, n, C)."""
        return self.design @ solution

    def curvature(self, solution: Tensor, penalty: Tensor) -> Tensor:
        """About the diagonal of the Hessian (t, r + 1, 1): the axes carry the shape, one number the sharpness."""
        p = self.means(self.logits(solution))
        sharpness = (p * (1 - p)).mean(dim=(1, 2)) + 1e-3
        return torch.cat([sharpness[:, None] * self.squares + penalty[:, None], sharpness[:, None]], dim=1)[..., None]

    def solve(self, penalty: Tensor, start: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients (t, r + 1, C), the bias last; objective values (t,); gaps (t,)."""
        ridge = torch.cat([penalty[:, None].expand(-1, self.r), penalty.new_zeros(self.t, 1)], dim=1)[..., None]
        for goal in (*(rough for rough in ROUGH if rough >= 100 * tolerance), tolerance):
            scaling = self.curvature(start, penalty).rsqrt()
            point, values, gaps = minimise(
                partial(self._objective, scaling=scaling, ridge=ridge),
                (start / scaling).reshape(self.t, -1),
                tolerance=goal,
            )
            start = point.view(start.shape) * scaling
        return start, values, gaps

    def _objective(self, at: Tensor, scaling: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
        solution = at.view(self.start.shape) * scaling
        losses, means = self.losses_and_means(self.logits(solution))
        pull = ridge * solution
        values = losses @ self.rows + (pull * solution).sum(dim=(1, 2)) / 2
        error = (means - self.y) * self.rows[:, None]
        return values, ((self.design.mT @ error + pull) * scaling).flatten(1)

    def left_out(self, solution: Tensor, penalty: Tensor) -> Tensor:
        """(t,) mean loss on each example by the head without it, to first order."""
        logits = self.logits(solution)
        p = self.means(logits)
        weight = (p * (1 - p)).clamp_min(1e-12)
        design = self.design.float()
        ridge = torch.cat([penalty[:, None].expand(-1, self.r), self.z.new_zeros(self.t, 1)], dim=1).float()
        leverage = torch.empty_like(p)
        for c in range(self.c):
            hessian = design.mT @ (design * weight[:, :, c : c + 1].float())
            hessian.diagonal(dim1=1, dim2=2).add_(self.n * ridge + 1e-6 * hessian.diagonal(dim1=1, dim2=2))
            factor = torch.linalg.cholesky(hessian)
            half = torch.linalg.solve_triangular(factor.mT, design, upper=True, left=False)  # the fast side
            leverage[:, :, c] = half.square().sum(dim=2)
        own = (leverage * weight).clamp_max(1 - 1e-6)
        return self.losses(logits + leverage * (p - self.y) / (1 - own)).mean(dim=1)

    def held_out(self, solution: Tensor) -> Tensor:
        """(t,) mean loss on the rows that this problem leaves out."""
        aside = (self.rows == 0).to(self.z.dtype)
        return (self.losses(self.logits(solution)) * aside).sum(dim=1) / aside.sum()


def _solve_all(
    features: np.ndarray, y: np.ndarray, link: Link, penalty: float | None, seed: int, chunk: int
) -> list[LinearHead]:
    def solve(start: int) -> list[LinearHead]:
        x = torch.as_tensor(features[start : start + chunk], dtype=torch.float64)
        return _solve(x, torch.as_tensor(y[start : start + chunk]), link, penalty, seed)

    small = features[0].size * y.shape[-1] <= SMALL
    return [head for heads in side_by_side(solve, range(0, len(features), chunk), small=small) for head in heads]


def _solve(x: Tensor, y: Tensor, link: Link, penalty: float | None, seed: int) -> list[LinearHead]:
    basis = _Basis(x)
    problem = _Problem(basis.z, y, link)
    start = problem.start
    estimates: list[float | None] = [None] * len(x)
    if penalty is not None:
        strengths, how = x.new_full((len(x),), penalty), "given"
    else:
        cost = y.shape[2] * x.shape[1] * basis.z.shape[2] ** 2
        by_one = cost <= LEAVE_ONE_OUT_COST
        rows = None if by_one else _without_a_fifth(x.shape[1], seed)
        strengths, found, start = _choose(_Problem(basis.z.float(), y.float(), link, rows), basis.scale.float(), by_one)
        estimates, how = found.tolist(), "leave-one-out" if by_one else "a held-out fifth"
    solution, values, gaps = problem.solve(strengths.double(), start.double(), 1e-11)
    weight, bias = basis.back(solution[:, :-1], solution[:, -1])
    parts = zip(weight, bias, strengths.tolist(), values.tolist(), gaps.tolist(), estimates, strict=True)
    return [LinearHead(w.numpy(), b.numpy(), s, v, g, how, e) for w, b, s, v, g, e in parts]


def _choose(problem: _Problem, scale: Tensor, by_one: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The best penalty of the grid for each task, the loss it promises, and its solution.

    From strong to weak, each solution the start of the next; weak penalties are dear, so the walk ends once no task
    has improved for two steps. Then half a decade to either side of the best.
    """
    best, strengths = torch.full_like(scale, torch.inf), scale.clone()
    solution = starts = problem.start
    idle = 0

    def attempt(penalty: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal best, strengths, starts
        solution, _, _ = problem.solve(penalty, start, 1e-5)
        loss = problem.left_out(solution, penalty) if by_one else problem.held_out(solution)
        better = loss < best
        best, strengths = torch.where(better, loss, best), torch.where(better, penalty, strengths)
        starts = torch.where(better[:, None, None], solution, starts)
        return better, solution

    for share in GRID:
        better, solution = attempt(scale * share, solution)
        idle = 0 if bool(better.any()) else idle + 1
        if idle == 2:
            break
    for share in BETWEEN:
        attempt(strengths * share, starts)
    return strengths, best, starts


def _without_a_fifth(n: int, seed: int) -> Tensor:
    """Row weights: 0 for a random fifth, the same for every task of the batch."""
    rows = torch.ones(n, dtype=torch.float64)
    rows[np.random.default_rng(seed).permutation(n)[: n // 5]] = 0
    return rows
