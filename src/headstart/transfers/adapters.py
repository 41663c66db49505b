"""Bottleneck adapters: small residual modules train; the network stays as it is.

A module goes down to a few numbers, through a nonlinearity and up again, added to its input (Houlsby et al., ICML 2019,
https://arxiv.org/abs/1902.00751). In a transformer layer there are two, as in the paper: on what attention and the
feed-forward part give, before each is added to the stream. Other networks, which the paper does not treat, have one
after each block, over its channels; so have the convolutional blocks of a mixed network. The way up starts at zero,
so the network starts as it came.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from headstart.train.groups import Group
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options
from headstart.transfers.projections import projections
from headstart.transfers.taps import output_modules

RATE, WIDTH = 1e-3, 16


class Adapter(nn.Module):
    """x + up(gelu(down(x))) over the channels of (b, c, h, w) where `image`, else over the last axis."""

    def __init__(self, width: int, bottleneck: int, *, image: bool, dropout: float) -> None:
        super().__init__()
        self.down: nn.Module
        self.up: nn.Conv2d | nn.Linear
        if image:
            self.down, self.up = nn.Conv2d(width, bottleneck, 1), nn.Conv2d(bottleneck, width, 1)
        else:
            self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.up.weight)
        assert self.up.bias is not None
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(nn.functional.gelu(self.down(self.dropout(x))))


class AdaptOutput:
    """A forward hook that sends a module's output through its adapter."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter

    def __call__(self, module: nn.Module, inputs: tuple, output: Any) -> Any:
        if isinstance(output, Tensor):
            return self.adapter(output)
        return (self.adapter(output[0]), *output[1:])


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Insert the adapters; they and the head train."""
    network, added = model.network, nn.ModuleDict()
    network.add_module("adapters", added)
    width, dropout = options.bottleneck or WIDTH, options.dropout or 0.0
    names, modules, owner = [], [], {}
    for place in _places(model):
        adapter = Adapter(place.width, width, image=place.image, dropout=dropout)
        added[place.key] = adapter
        network.get_submodule(place.module).register_forward_hook(AdaptOutput(adapter))
        names += [f"adapters.{place.key}.{name}" for name, _ in adapter.named_parameters()]
        modules += [f"adapters.{place.key}{f'.{name}' if name else ''}" for name, _ in adapter.named_modules()]
        owner[f"adapters.{place.key}"] = place.block
    network.eval()
    rate = options.rate or RATE
    return part_groups(model, names, rate=rate, head_rate=rate, modules=modules, owners=owner)


@dataclass(frozen=True)
class _Place:
    """The module whose output an adapter takes, and the block that it is counted to."""

    key: str
    block: str
    module: str
    width: int
    image: bool = False


def _places(model: Transferable) -> list[_Place]:
    layers, outputs = projections(model), output_modules(model)
    places = []
    for block in (block.name for block in model.body):
        key = block.replace(".", "_")
        if block in layers:
            layer = layers[block]
            places += [_Place(f"{key}_attention", block, layer.attention, layer.width)]
            places += [_Place(f"{key}_feed_forward", block, layer.feed_forward, layer.width)]
        elif block in outputs and (not layers or _over_channels(model, *outputs[block])):
            module, shape = outputs[block]
            image = len(shape) == 4
            places.append(_Place(key, block, module, shape[1] if image else shape[-1], image))
    return places


def _over_channels(model: Transferable, module: str, shape: tuple[int, ...]) -> bool:
    """Whether a result is (b, c, h, w) from convolutions, not tokens: what the layers of a mixed network start from."""
    inside = model.network.get_submodule(module).modules()
    return len(shape) == 4 and any(isinstance(m, nn.Conv2d) and m.out_channels == shape[1] for m in inside)
