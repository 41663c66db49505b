"""The two networks that CNAPs trains: one makes FiLM parameters, the other a linear head."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

START = 1e-3  # standard deviation of FiLM's factors at first


class FilmMaker(nn.Module):
    """Maps the code of a set (width,) to a scale and a shift for every channel of every FiLM point.

    gamma = 1 + r * f(code) and beta = s * g(code). The factors r and s start near 0, so training starts from the
    unchanged source; a penalty keeps them small (Requeima et al. 2019, appendix).
    """

    def __init__(self, channels: Sequence[int], width: int, hidden: int = 128) -> None:
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
    """Maps class means (C, d) to a linear head: weights (C, d) and biases (C,).

    w = mean + f(mean) and b = -|mean|^2 / 2 + g(mean), both times a learnt scale. f and g start at 0, so training
    starts from the nearest-class-mean classifier.
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


def _from_zero(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Three layers that return 0 before training."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), last)
