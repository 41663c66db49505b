"""No adaptation: what every method is compared with."""

from dataclasses import dataclass

from headstart.adaptation.method import Adaptation, OnFeatures, adaptation
from headstart.transfers.methods.fine_tune import FineTune


@adaptation("none")
@dataclass(frozen=True)
class NoAdaptation(OnFeatures):
    """Fit a head on the labelled domain's fixed features and ignore the new domain."""

    adapts = False


@adaptation("none-deep")
@dataclass(frozen=True)
class NoDeepAdaptation(Adaptation, FineTune):
    """Fine-tune on the labelled domain and ignore the new domain: the baseline of the methods that train."""

    adapts = False
