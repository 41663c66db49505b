"""Importance weighting: labelled examples count as much as they look like the new domain.

Shimodaira, "Improving predictive inference under covariate shift", J. Statistical Planning and Inference 90, 2000; the
density ratio is a classifier's odds (Bickel, Brückner and Scheffer, "Discriminative learning under covariate shift",
JMLR 10, 2009).
"""

from dataclasses import dataclass

import numpy as np

from headstart.adaptation.method import Domains, Weighting, adaptation
from headstart.records.options import option
from headstart.train.head import fit_head


@adaptation("importance")
@dataclass(frozen=True)
class Importance(Weighting):
    """Weight labelled examples by the density ratio that a classifier of the domains gives."""

    largest: float = option(20.0, "Largest weight, in units of the mean weight", above=1)

    def weights(self, domains: Domains) -> tuple[np.ndarray, tuple[str, ...]]:
        """The weights, and a note where some were cut."""
        found = density_ratio(domains.features, domains.new, domains.features, seed=domains.seed)
        cut = np.minimum(found, self.largest)
        count = int((found > self.largest).sum())
        notes = (f"{count} of {len(found)} weights were above {self.largest:g} and cut to it.",) if count else ()
        return cut / cut.mean(), notes


def density_ratio(features: np.ndarray, new: np.ndarray, at: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """How much denser the new domain is than the labelled one at the rows of `at` (k, d); the mean is 1.

    The odds of a logistic regression that tells `new` (m, d) from `features` (n, d), times n / m. It is exact where the
    domains are Gaussians of one covariance. Its penalty is chosen by leave-one-out.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> old, new = rng.standard_normal((4000, 1)), 1 + rng.standard_normal((4000, 1))
        >>> low, high = density_ratio(old, new, np.array([[0.0], [1.0]]))  # exp(x - 1/2), up to its mean
        >>> bool(abs(high / low - np.e) < 0.25)
        True
    """
    both = np.concatenate([features, new])
    scale = both.std(axis=0)
    both = (both - both.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    where = np.repeat([0, 1], [len(features), len(new)])
    head = fit_head(both, where, seed=seed)
    rows = (at - np.concatenate([features, new]).mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    outputs = head.outputs(rows)
    logits = outputs[:, 1] - outputs[:, 0]
    ratio = np.exp(np.clip(logits - logits.max(), -700, 0))
    return np.asarray(ratio / ratio.mean())
