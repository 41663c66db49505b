"""Visual prompts: a trained frame of pixels around every image (Bahng et al. 2022. https://arxiv.org/abs/2203.17274).

Added to the prepared image, so it serves any image network; the network itself stays as it is.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.records.options import option
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting

WIDTH = 16


class Frame(nn.Module):
    """x + a border of `width` pixels; zero at first, so the network starts unchanged."""

    mask: Tensor

    def __init__(self, channels: int, height: int, width: int, border: int) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.zeros(channels, height, width))
        mask = torch.ones(height, width)
        mask[border : height - border, border : width - border] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pixels * self.mask


def _framed(frame: Frame, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A forward pre-hook that frames the images that a network is given."""
    return (frame(inputs[0]), *inputs[1:])


@method("visual-prompt")
@dataclass(frozen=True)
class VisualPrompt(Tuning):
    """Train a frame of pixels around every image, and the head."""

    rate: float | None = learning_rate(1e-2)
    prompt: int | None = option(
        None,
        "Width of a visual prompt, or number of virtual tokens",
        low=1,
        usual="16 pixels or an eighth of the image",
    )
    kinds = ("image",)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Put the frame in.

        Raises:
            InputError: The source does not read images, or the frame would cover them.
        """
        probe = network.probe
        if not isinstance(probe, Tensor) or probe.ndim != 4:
            raise InputError("a visual prompt frames images, and this source takes none; use `prompt` for texts.")
        channels, height, width = probe.shape[1:]
        border = min(WIDTH, max(1, min(height, width) // 8)) if self.prompt is None else self.prompt
        if 2 * border >= min(height, width):
            raise InputError(f"`prompt` of {border} pixels covers images of {height} x {width}; use fewer.")
        network.network.add_module("frame", frame := Frame(channels, height, width, border))
        network.network.body.register_forward_pre_hook(partial(_framed, frame))
        network.network.eval()

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The frame and the head train."""
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, ["frame.pixels"], rate=rate, head_rate=rate / 10, modules=["frame"]))
