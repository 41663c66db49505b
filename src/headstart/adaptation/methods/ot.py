"""Optimal transport: carry the labelled examples over to the new domain at the least cost, classes kept together.

Courty, Flamary, Tuia and Rakotomamonjy, "Optimal Transport for Domain Adaptation", IEEE TPAMI 39, 2017.
https://arxiv.org/abs/1507.00504
"""

import warnings
from dataclasses import dataclass

import numpy as np

from headstart.adaptation.method import Domains, OnFeatures, adaptation
from headstart.errors import InputError, require
from headstart.records.options import option


@adaptation("ot")
@dataclass(frozen=True)
class OptimalTransport(OnFeatures):
    """Move labelled examples onto the new domain by optimal transport (Courty et al., 2017; extra `adapt`)."""

    library = "ot"
    entropy: float = option(0.1, "Entropic regularisation, in units of the median squared distance", above=0)
    group: float = option(0.1, "Regularisation that keeps a class together", low=0)
    examples: int = option(
        2000, "Examples of each domain in the transport plan; the others move like their nearest", low=2
    )

    def moved(self, domains: Domains, rows: np.ndarray) -> np.ndarray:
        """The rows where the transport plan takes them: the mean of the new examples that they are sent to.

        Raises:
            MissingExtra: POT is not installed; InputError: The plan is not finite.
        """
        da = require("ot", "method `ot`", "adapt").da
        old, new = (_some(len(one), self.examples, domains.seed) for one in (domains.features, domains.new))
        made = da.SinkhornLpl1Transport if self.group else da.SinkhornTransport
        regularised = {"reg_e": self.entropy, **({"reg_cl": self.group} if self.group else {})}
        plan = made(**regularised, norm="median")
        with warnings.catch_warnings():  # POT warns of plans that are not exact, and of numbers that it cannot divide
            warnings.simplefilter("ignore")
            plan.fit(Xs=domains.features[old], ys=domains.labels[old], Xt=domains.new[new])
            found = np.asarray(plan.transform(Xs=rows))
        if not np.isfinite(found).all():
            raise InputError(f"the transport plan is not finite with `entropy={self.entropy:g}`; choose a larger one.")
        return found


def _some(count: int, most: int, seed: int) -> np.ndarray:
    """At most so many of the rows, at random."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])
