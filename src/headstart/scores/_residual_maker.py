"""Residuals of ridge regression, for all examples and with each group of them left out.

For features with Gram matrix K and a penalty t, the residual maker is A = (I + K/t)^-1: A Y are the residuals of the
columns of Y, Y' A Y their penalised sums of squares, and log det A enters the evidence of LogME. H-score, LogME and the
ridge probe are all functions of it. In the basis of the shared decomposition A is diagonal plus one outer product, so
further penalties are cheap.

There are two ways to leave out a group g. A group with fewer examples than the features have directions needs only the
block A_gg: the residual maker of the other examples is A_rest - A_rest,g A_gg^-1 A_g,rest, and its log determinant is
that of A minus that of A_gg. A larger group is subtracted from the sums over all examples (`sums_without`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from jaxtyping import Float, Int

from headstart.scores._decomposition import Decomposition
from headstart.scores._inputs import Inputs


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A = (part outside the basis) + basis (diag(kept) + outer(spike, spike)) basis'."""

    kept: Float[np.ndarray, " k"]  # along each basis vector, the share that stays unexplained
    spike: Float[np.ndarray, " k"] | None  # what a mean that is not taken out adds
    log_determinant: float  # of A^-1


class ResidualMaker:
    """The basis (directions of the features, then the ones vector) with targets, prepared once for many penalties."""

    def __init__(self, decomposition: Decomposition, targets: Float[np.ndarray, "n t"]) -> None:
        n = len(targets)
        self.n = n
        self.parts = decomposition
        self.targets = targets
        self.basis = np.column_stack([decomposition.left, np.full(n, n**-0.5)])  # (n, k)
        self.inside = self.basis.T @ targets  # (k, t)
        self.complete = self.basis.shape[1] >= n  # the basis spans everything: nothing lies outside it
        self.outside = np.zeros_like(targets) if self.complete else targets - self.basis @ self.inside

    @cached_property
    def outside_squares(self) -> Float[np.ndarray, " t"]:
        """Squared length of each target's part that no direction of the features reaches."""
        return np.asarray((self.outside**2).sum(axis=0))

    def centred(self, penalty: float) -> Spectrum:
        """Ridge with a free intercept; penalty 0 is least squares, infinity the mean alone.

        The log determinant is of the penalised directions only.
        """
        squares = self.parts.squares
        if np.isinf(penalty):
            return Spectrum(np.append(np.ones(len(squares)), 0.0), None, 0.0)
        kept = penalty / (penalty + squares)
        return Spectrum(np.append(kept, 0.0), None, -float(np.log(kept).sum()) if penalty > 0 else np.inf)

    def uncentred(self, penalty: float) -> Spectrum:
        """Ridge without an intercept, the mean of the features taking part: A = (I + F F' / penalty)^-1."""
        squares, along = self.parts.squares, self.parts.mean_inside
        total = penalty + squares
        corner = 1 + self.n * (self.parts.mean_outside / penalty + (along**2 / total).sum())
        spike = np.append(-np.sqrt(self.n * squares) * along / total, 1.0) / np.sqrt(corner)
        log_determinant = float(np.log1p(squares / penalty).sum() + np.log(corner))
        return Spectrum(np.append(penalty / total, 0.0), spike, log_determinant)

    def squares(self, spectrum: Spectrum) -> Float[np.ndarray, " t"]:
        """diag(Y' A Y): the penalised sum of squares of each target."""
        total = self.outside_squares + spectrum.kept @ self.inside**2
        return np.asarray(total if spectrum.spike is None else total + (spectrum.spike @ self.inside) ** 2)

    def residuals(self, spectrum: Spectrum, rows: Int[np.ndarray, " m"] | slice) -> Float[np.ndarray, "m t"]:
        """Rows of A Y."""
        along = spectrum.kept[:, None] * self.inside
        if spectrum.spike is not None:
            along += np.outer(spectrum.spike, spectrum.spike @ self.inside)
        return np.asarray(self.outside[rows] + self.basis[rows] @ along)

    def outside_block(self, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m m"]:
        """The part of A_gg that lies outside the basis; the same for every penalty."""
        if self.complete:
            return np.zeros((len(rows), len(rows)))
        own = self.basis[rows]
        return np.asarray(np.eye(len(rows)) - own @ own.T)

    def block(self, spectrum: Spectrum, rows: Int[np.ndarray, " m"], outside: np.ndarray) -> Float[np.ndarray, "m m"]:
        """A_gg."""
        own = self.basis[rows]
        total = outside + (own * spectrum.kept) @ own.T
        if spectrum.spike is not None:
            along = own @ spectrum.spike
            total += np.outer(along, along)
        return np.asarray(total)

    def squares_without(
        self, spectrum: Spectrum, rows: Int[np.ndarray, " m"], outside: Float[np.ndarray, "m m"]
    ) -> tuple[Float[np.ndarray, " t"], float]:
        """diag(Y' A Y) and log det A^-1 of the other examples when `rows` are left out of everything."""
        if not len(rows):
            return self.squares(spectrum), spectrum.log_determinant
        block = self.block(spectrum, rows, outside)
        own, residuals = self.targets[rows], self.residuals(spectrum, rows)
        through = block @ own
        others = self.squares(spectrum) - 2 * (own * residuals).sum(axis=0) + (own * through).sum(axis=0)
        gap = residuals - through
        explained, log_determinant = self._through(block, gap, exact=bool(np.isinf(spectrum.log_determinant)))
        return np.maximum(others - explained, 0.0), spectrum.log_determinant + log_determinant

    def _through(self, block: np.ndarray, gap: np.ndarray, exact: bool) -> tuple[np.ndarray, float]:
        """diag(gap' block^-1 gap) and log det block; without a penalty the block may be singular."""
        if not exact:
            root = scipy.linalg.cholesky(block, lower=True, check_finite=False)
            solved = scipy.linalg.solve_triangular(root, gap, lower=True, check_finite=False)
            return (solved**2).sum(axis=0), 2 * float(np.log(np.diag(root)).sum())
        values, vectors = scipy.linalg.eigh(block, check_finite=False)
        used = values > 1e-9  # the others are rows that the features pin down exactly
        return ((vectors[:, used].T @ gap) ** 2 / values[used, None]).sum(axis=0), 0.0


def residual_maker(inputs: Inputs) -> ResidualMaker:
    """The residual maker of one source's features and targets, made for the first score that asks."""
    return inputs.once("residual maker", lambda: ResidualMaker(inputs.decomposition, inputs.targets))
