"""Criteria that choose an epoch of a training without labels of the new domain."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import nn

from headstart.adaptation.criteria import certainty, neighbourhood_density, source_risk
from headstart.adaptation.methods.importance import density_ratio
from headstart.data.target import Target
from headstart.errors import InputError
from headstart.extract import extract
from headstart.tasks import softmax
from headstart.train.batches import Batches, batches_of
from headstart.train.outputs import outputs_of
from headstart.transfers.setting import Setting

Quality = Callable[[nn.Module], float]


def quality_by(criterion: str, setting: Setting, new: Batches) -> Quality | None:
    """The quality of a network by a criterion, as in `criteria`; None for "source-risk", the loop's own choice.

    Raises:
        InputError: "importance-weighted" has no validation part to weight.
    """

    def probs(network: nn.Module, batches: Batches) -> np.ndarray:
        return softmax(outputs_of(network, batches, device=setting.device).numpy())

    if criterion == "source-risk":
        return None
    if criterion != "importance-weighted":
        measure = certainty if criterion == "entropy" else neighbourhood_density
        return lambda network: measure(probs(network, new))
    parts = setting.parts
    if parts.valid is None or parts.unlabelled is None:
        raise InputError(
            "`select_epoch=importance-weighted` weights validation examples, and there are too few labelled examples "
            "to hold some out."
        )

    def features(target: Target) -> np.ndarray:
        seen = extract(target, setting.source, cache=setting.cache, device=str(setting.device))
        return np.asarray(seen.features, dtype=np.float64)

    weights = density_ratio(features(parts.train), features(parts.unlabelled), features(parts.valid), seed=setting.seed)
    valid = batches_of(parts.valid, replace(setting.source, channels_last=False))  # as networks take them in training
    labels = parts.valid.labels
    return lambda network: source_risk(probs(network, valid), labels, weights)
