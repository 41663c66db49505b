"""Subspace alignment: turn the principal axes of the labelled domain onto those of the new one.

Fernando, Habrard, Sebban and Tuytelaars, "Unsupervised Visual Domain Adaptation Using Subspace Alignment", ICCV 2013,
algorithm 1: labelled examples become (x - mean) Ps Ps' Pt, new ones (z - mean) Pt, with the axes Ps and Pt as columns.
"""

from dataclasses import dataclass

import numpy as np

from headstart.adaptation.method import Domains, OnFeatures, adaptation
from headstart.errors import InputError
from headstart.records.options import option

HELD = 0.95  # share of the variance that the usual number of axes holds


@adaptation("subspace")
@dataclass(frozen=True)
class SubspaceAlignment(OnFeatures):
    """Align the principal axes of the labelled domain with those of the new one (Fernando et al., 2013)."""

    dimensions: int | None = option(
        None, "Principal axes to align", low=1, usual="as many as hold 95 % of the variance of each domain"
    )

    def moved(self, domains: Domains, rows: np.ndarray) -> np.ndarray:
        """The rows on the new domain's axes, in the coordinates of the features.

        Raises:
            InputError: `dimensions` is larger than the domains allow.
        """
        (old, shares), (new, others) = (axes(one) for one in (domains.features, domains.new))
        most = min(old.shape[1], new.shape[1])
        if self.dimensions is not None and self.dimensions > most:
            raise InputError(f"`dimensions` must be at most {most} for these features; got {self.dimensions}.")
        usual = max(int((np.cumsum(one) < HELD).sum()) + 1 for one in (shares, others))
        k = self.dimensions or min(usual, most)
        across = old[:, :k] @ (old[:, :k].T @ new[:, :k]) @ new[:, :k].T
        return np.asarray((rows - domains.features.mean(axis=0)) @ across + domains.new.mean(axis=0))


def axes(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes (d, k) of features (n, d), those without variance left out, and their shares of the variance."""
    values, vectors = np.linalg.eigh(np.cov(features.T).reshape(features.shape[1], -1))
    kept = values > max(float(values[-1]), 0.0) * 1e-12
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    return vectors, values / values.sum()
