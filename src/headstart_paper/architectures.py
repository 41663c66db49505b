"""Networks that no library has: CIFAR's residual networks, and networks whose batch norm was folded into convolutions.

What is left of a folded norm is a bias; its mean 0 and variance 1 were never measured. In training mode a batch norm
would replace them by those of the batch and destroy the network; a bias cannot, however the network is fine-tuned.
"""

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity: every second pixel and zero channels where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h / stride, w / stride)."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.added:
            half = self.added // 2
            x = nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.added - half))
        return torch.relu(y + x)


class CifarResNet(nn.Module):
    """A stem, three stages of `blocks` blocks at 16, 32 and 64 channels, a mean over space and a linear layer.

    He et al. 2016, section 4.2, for pictures of 32 px, with parameter-free shortcuts (option A). `blocks` = 3, 5, 7, 9
    makes ResNet20, 32, 44, 56. The parts are named as in github.com/akamaster/pytorch_resnet_cifar10, so that its
    weights load strictly.

    Example:
        >>> CifarResNet(3, 10)(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 10])
    """

    def __init__(self, blocks: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks, 1)
        self.layer2 = _stage(16, 32, blocks, 2)
        self.layer3 = _stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, h, w) to logits (b, num_classes)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


class Bias(nn.Module):
    """Adds a bias to each channel, then the activation that the norm carried."""

    def __init__(self, bias: Tensor, activation: nn.Module) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias.detach().clone())
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w), unchanged in shape."""
        activated: Tensor = self.act(x + self.bias[:, None, None])
        return activated


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
