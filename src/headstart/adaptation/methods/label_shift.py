"""Label shift: estimate how frequent the classes are in the new domain, and weight the labelled examples alike.

Lipton, Wang and Smola, "Detecting and Correcting for Label Shift with Black Box Predictors", ICML 2018;
Azizzadenesheli, Liu, Yang and Anandkumar, "Regularized Learning for Domain Adaptation under Label Shifts", ICLR 2019;
Saerens, Latinne and Decaestecker, Neural Computation 14, 2002 (EM).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import softmax

from headstart.adaptation.method import Domains, Weighting, adaptation
from headstart.adaptation.shift import frequencies, held_out_probs
from headstart.records.options import option


@adaptation("label-shift")
@dataclass(frozen=True)
class LabelShift(Weighting):
    """Weight the classes by their estimated frequencies in the new domain (Saerens et al., 2002; Lipton et al., 2018).

    It assumes that the examples of a class look alike in both domains.
    """

    estimate: Literal["em", "confusion"] = option("em", "How the frequencies are estimated")

    def weights(self, domains: Domains) -> tuple[np.ndarray, tuple[str, ...]]:
        """The weights, and a note with the largest changes."""
        probs = held_out_probs(domains.features, domains.labels, domains.classes, domains.seed)
        new = softmax(domains.head().outputs(domains.new), axis=1)
        found = frequencies(self.estimate, probs, domains.labels, new)
        prior = np.bincount(domains.labels, minlength=domains.classes) / len(domains.labels)
        weights = (found / np.maximum(prior, 1e-12))[domains.labels]
        return weights / weights.mean(), ()
