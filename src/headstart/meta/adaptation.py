"""The three networks that CNAPs trains: an encoder of example sets, a maker of FiLM parameters, a maker of heads."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

SIDE = 32  # pixels: larger images are averaged down for the set encoder
START = 1e-3  # spread of the factors that let FiLM depart from 1 and 0


class SetEncoder(nn.Module):
    """Images (b, 3, h, w) to codes (b, width); the code of a set is the mean of its images' codes.

    Its norms look at one image at a time: a set has the same code however it is cut into batches.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = (3, 32, width, width, width)
        layers = [_stage(inputs, outputs) for inputs, outputs in pairwise(sizes)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) to (b, width)."""
        images = images.float()  # whatever the source computes in
        if max(images.shape[-2:]) > SIDE:
            images = nn.functional.adaptive_avg_pool2d(images, SIDE)
        code: Tensor = self.layers(images).mean(dim=(2, 3))
        return code


class FilmMaker(nn.Module):
    """A set's code (width,) to a scale and a shift for every channel of every FiLM point.

    gamma = 1 + r * f(code) and beta = s * g(code); r and s start close to 0, so that training begins at the source as
    it is, and are held back by a penalty (Requeima et al. 2019, appendix).
    """

    def __init__(self, channels: Sequence[int], width: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.channels = tuple(channels)
        total = 2 * sum(channels)
        self.trunk = nn.Sequential(nn.Linear(width, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU())
        self.out = nn.Linear(hidden, total)
        self.strength = nn.Parameter(START * torch.randn(total))

    def forward(self, code: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Gammas and betas, one (channels,) for each point."""
        scales, shifts = (self.out(self.trunk(code)) * self.strength).chunk(2)
        return (1 + scales).split(self.channels), shifts.split(self.channels)

    def penalty(self) -> Tensor:
        """The squared norm of the factors."""
        return self.strength.square().sum()


class HeadMaker(nn.Module):
    """Class means (C, d) to a linear head: weights (C, d) and biases (C,).

    w = mean + f(mean) and b = -|mean|^2 / 2 + g(mean), both times a scale. f and g start at 0: the head that training
    begins with is that of the nearest class mean.
    """

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.weights = _from_zero(width, hidden, width)
        self.bias = _from_zero(width, hidden, 1)
        self.log_scale = nn.Parameter(torch.tensor(-0.5 * float(torch.tensor(width).log())))

    def forward(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (C, d) and biases (C,)."""
        scale = self.log_scale.exp()
        bias = self.bias(means).squeeze(1) - means.square().sum(dim=1) / 2
        return scale * (means + self.weights(means)), scale * bias


def _stage(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)
    )


def _from_zero(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Three layers whose result is 0 until they are trained."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), last)
