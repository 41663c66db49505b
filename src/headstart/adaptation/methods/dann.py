"""Domain-adversarial training: a critic learns to tell the domains apart, the features learn that it cannot.

Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17, 2016. https://arxiv.org/abs/1505.07818
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from headstart.adaptation.aligned import Aligning, Distance
from headstart.adaptation.method import adaptation
from headstart.records.options import option


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """The input as it is; the gradient that passes back through it is multiplied by -strength (eq. 16 and 17).

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> (reverse_gradient(x, 0.5) * torch.tensor([2.0, 4.0])).sum().backward()
        >>> x.grad
        tensor([-1., -2.])
    """
    reversed_: Tensor = _Reversal.apply(x, strength)  # type: ignore[no-untyped-call]  # of torch
    return reversed_


def strength_at(share: float) -> float:
    """How strongly the gradient is reversed after that share of the training: from 0 to 1 (section 5.2.2).

    Example:
        >>> [round(strength_at(share), 3) for share in (0.0, 0.1, 0.5, 1.0)]
        [0.0, 0.462, 0.987, 1.0]
    """
    return 2 / (1 + math.exp(-10 * share)) - 1


def domain_critic(width: int, hidden: int) -> nn.Sequential:
    """Features (b, width) to one logit (b, 1): above 0 for the new domain."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def told_apart(critic: nn.Module, old: Tensor, new: Tensor) -> Tensor:
    """The critic's mean loss on both domains, each with half of the weight; log 2 where it can only guess."""
    losses = [
        binary_cross_entropy_with_logits(guess, torch.full_like(guess, truth))
        for guess, truth in ((critic(old), 0.0), (critic(new), 1.0))
    ]
    return (losses[0] + losses[1]) / 2


@adaptation("dann")
@dataclass(frozen=True)
class Dann(Aligning):
    """Fine-tune against a critic that tells the two domains' features apart (gradient reversal, Ganin et al., 2016)."""

    hidden: int = option(128, "Width of the critic's hidden layer", low=1)

    def distance(self, width: int) -> tuple[Distance, Mapping[str, nn.Module]]:
        """The critic's loss, whose gradient is reversed on its way to the features."""
        critic = domain_critic(width, self.hidden)

        def confused(old: Tensor, new: Tensor, share: float) -> Tensor:
            strength = strength_at(share)
            return told_apart(critic, reverse_gradient(old, strength), reverse_gradient(new, strength))

        return confused, {"critic": critic}
