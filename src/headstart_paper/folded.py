"""Batch norm that was folded into the convolutions: what is left of it is a bias, and a bias is what it becomes here.

Such a norm has mean 0 and variance 1 by decree, not by measurement. In training mode it would replace them by those of
the batch and destroy the network; as a bias it cannot, whichever way the network is fine-tuned.
"""

import torch
from torch import Tensor, nn


class Bias(nn.Module):
    """Adds a bias to each channel, then the activation that the norm carried."""

    def __init__(self, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias.detach().clone())
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w), unchanged in shape."""
        return self.act(x + self.bias[:, None, None])


def is_folded(module: nn.Module) -> bool:
    """Whether the module has batch norms and every one of them has weight 1, mean 0 and variance 1.

    Example:
        >>> is_folded(nn.Sequential(nn.BatchNorm2d(2))), is_folded(nn.Sequential(nn.ReLU()))
        (True, False)
    """
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    return bool(norms) and all(_is_identity(norm) for norm in norms)


def as_biases(module: nn.Module) -> nn.Module:
    """The module, edited in place: every batch norm is a bias (and its activation).

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
        >>> as_biases(network).train()(torch.zeros(3, 1, 1, 1)).std(dim=0).max().item()  # no batch statistics
        0.0
    """
    for name, part in module.named_children():
        if isinstance(part, nn.BatchNorm2d):
            setattr(module, name, Bias(part.bias, getattr(part, "act", nn.Identity())))
        else:
            as_biases(part)
    return module


def _is_identity(norm: nn.BatchNorm2d) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        return False
    ones, zeros = torch.ones_like(norm.weight), torch.zeros_like(norm.weight)
    return bool(torch.equal(norm.weight, ones) and torch.equal(mean, zeros) and torch.equal(variance, ones))
