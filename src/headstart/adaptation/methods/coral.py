"""CORAL: give the labelled domain's features the covariance of the new domain's, then fit a head.

Sun, Feng and Saenko, "Return of Frustratingly Easy Domain Adaptation", AAAI 2016, algorithm 1.
https://arxiv.org/abs/1511.05547
"""

from dataclasses import dataclass

import numpy as np

from headstart.adaptation.method import Domains, OnFeatures, adaptation
from headstart.records.options import option


@adaptation("coral")
@dataclass(frozen=True)
class Coral(OnFeatures):
    """Align the covariance of the labelled domain's features with the new domain's (Sun et al., 2016)."""

    shrinkage: float = option(
        0.05, "Share of each covariance replaced by its mean variance on the diagonal", low=0, below=1
    )
    centre: bool = option(True, "Align the means too")

    def moved(self, domains: Domains, rows: np.ndarray) -> np.ndarray:
        """The rows with the new domain's covariance and mean."""
        mean = domains.features.mean(axis=0)
        aligned = (rows - mean) @ alignment(domains.features, domains.new, self.shrinkage)
        return np.asarray(aligned + (domains.new.mean(axis=0) if self.centre else mean))


def alignment(features: np.ndarray, new: np.ndarray, shrinkage: float = 0.0) -> np.ndarray:
    """The matrix A = Cs^(-1/2) Ct^(1/2) (d, d), under which features (n, d) have the covariance of `new` (m, d).

    Cs and Ct are the covariances, each shrunk towards the identity times its mean variance: cov(features A) is Ct where
    `shrinkage` is 0. Directions in which the features do not vary stay at 0.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features, new = rng.standard_normal((50, 2)), rng.standard_normal((60, 2)) @ np.array([[3, 1], [0, 1]])
        >>> np.allclose(np.cov((features @ alignment(features, new)).T), np.cov(new.T))
        True
    """
    return np.asarray(_power(_covariance(features, shrinkage), -0.5) @ _power(_covariance(new, shrinkage), 0.5))


def _covariance(features: np.ndarray, shrinkage: float) -> np.ndarray:
    centred = features - features.mean(axis=0)
    found = centred.T @ centred / max(len(features) - 1, 1)
    spherical = np.eye(len(found)) * np.trace(found) / len(found)
    return np.asarray((1 - shrinkage) * found + shrinkage * spherical)


def _power(covariance: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * 1e-12
    scaled = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((vectors * scaled) @ vectors.T)
