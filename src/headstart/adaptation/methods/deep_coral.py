"""Deep CORAL: the covariances of the two domains' features are made alike while the network trains.

Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", 2016. https://arxiv.org/abs/1607.01719
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.adaptation.aligned import Aligning, Distance
from headstart.adaptation.method import adaptation


def coral_distance(old: Tensor, new: Tensor) -> Tensor:
    """|cov(old) - cov(new)|^2 / (4 d^2) of features (b, d) and (c, d), squared Frobenius norm (eq. 1); 0 if alike.

    Example:
        >>> coral_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [0.0]])).item()  # (2 - 0)^2 / 4
        1.0
    """
    apart = torch.cov(old.T) - torch.cov(new.T)  # a number where features have one dimension
    return apart.square().sum() / (4 * old.shape[1] ** 2)


@adaptation("deep-coral")
@dataclass(frozen=True)
class DeepCoral(Aligning):
    """Fine-tune while the features' covariances of the two domains are pulled together (Sun and Saenko, 2016)."""

    def distance(self, width: int) -> tuple[Distance, Mapping[str, nn.Module]]:
        """The squared distance of the covariances."""
        return lambda old, new, share: coral_distance(old, new), {}
