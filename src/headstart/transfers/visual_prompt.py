"""Visual prompts: a trained frame of pixels around every image (Bahng et al. 2022. https://arxiv.org/abs/2203.17274).

Added to the prepared image, so it serves any image network; the network itself stays as it is.
"""

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options

RATE, WIDTH = 1e-2, 16


class Frame(nn.Module):
    """x + a border of `width` pixels; zero at first, so the network starts as it came."""

    mask: Tensor

    def __init__(self, channels: int, height: int, width: int, border: int) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.zeros(channels, height, width))
        mask = torch.ones(height, width)
        mask[border : height - border, border : width - border] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pixels * self.mask


class Framed:
    """A forward pre-hook that frames the images that a network is given."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __call__(self, module: nn.Module, inputs: tuple) -> tuple:
        return (self.frame(inputs[0]), *inputs[1:])


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Put the frame in; it and the head train.

    Raises:
        InputError: The source takes no images, or the frame would cover them.
    """
    probe, border = model.probe, options.prompt or WIDTH
    if not isinstance(probe, Tensor) or probe.ndim != 4:
        raise InputError("a visual prompt frames images, and this source takes none; use `prompt` for texts.")
    channels, height, width = probe.shape[1:]
    if options.prompt is None:
        border = min(border, max(1, min(height, width) // 8))
    if 2 * border >= min(height, width):
        raise InputError(f"`prompt` of {border} pixels covers images of {height} x {width}; use fewer.")
    frame = Frame(channels, height, width, border)
    model.network.add_module("frame", frame)
    model.network.body.register_forward_pre_hook(Framed(frame))
    model.network.eval()
    rate = options.rate or RATE
    return part_groups(model, ["frame.pixels"], rate=rate, head_rate=rate / 10, modules=["frame"])
