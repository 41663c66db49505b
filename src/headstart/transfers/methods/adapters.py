"""Bottleneck adapters: small residual modules train; the network stays as it is.

An adapter projects down, applies a nonlinearity, projects up and adds the result to its input (Houlsby et al., ICML
2019, https://arxiv.org/abs/1902.00751). A transformer layer has two, as in the paper: on the outputs of attention and
of the feed-forward part, before each joins the residual stream. Other networks, and convolutional blocks of mixed ones,
have one after each block, over its channels. The up-projection starts at zero, so the network starts unchanged.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from headstart.records.options import option
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting
from headstart.transfers.taps import output_modules


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
        added: Tensor = self.up(nn.functional.gelu(self.down(self.dropout(x))))
        return x + added


def _adapted(adapter: Adapter, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    """A forward hook that sends a module's output through its adapter."""
    return adapter(output) if isinstance(output, Tensor) else (adapter(output[0]), *output[1:])


@method("adapters")
@dataclass(frozen=True)
class Adapters(Tuning):
    """Train small residual modules: two in each transformer layer, otherwise one after each block."""

    rate: float | None = learning_rate(1e-3)
    bottleneck: int = option(16, "Width of the adapters", low=1)
    dropout: float = option(0.0, "Dropout in front of the inserted parts", low=0, below=1)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Put the adapters in."""
        added = nn.ModuleDict()
        places = _places(network)
        network.network.add_module("adapters", added)
        for place in places:
            adapter = Adapter(place.width, self.bottleneck, image=place.image, dropout=self.dropout)
            added[place.key] = adapter
            network.network.get_submodule(place.module).register_forward_hook(partial(_adapted, adapter))
            network.homes[f"adapters.{place.key}"] = place.block
        network.network.eval()

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The adapters and the head train."""
        added, rate = network.network.adapters, self.rate_in(setting)
        assert isinstance(added, nn.ModuleDict)
        names = [f"adapters.{name}" for name, _ in added.named_parameters()]
        modules = [f"adapters.{name}" for name, _ in added.named_modules() if name]
        return Recipe(part_groups(network, names, rate=rate, head_rate=rate, modules=modules))


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


@dataclass(frozen=True)
class Projections:
    """Names of the two modules whose outputs are added to a transformer layer's stream, and its width."""

    attention: str
    feed_forward: str
    width: int


@dataclass(frozen=True)
class _Product:
    """One call of a module that multiplies tokens by a matrix."""

    module: str
    entering: int
    leaving: int


def projections(model: Transferable) -> dict[str, Projections]:
    """Block -> its projections, for the blocks that are transformer layers."""
    found = {}
    for block, products in _products(model).items():
        pair = _pair(products)
        if pair is not None:
            found[block] = Projections(pair[0].module, pair[1].module, pair[1].leaving)
    return found


def _pair(products: list[_Product]) -> tuple[_Product, _Product] | None:
    down = products[-1]
    if down.entering == down.leaving:
        return None
    ups = [i for i, p in enumerate(products) if p.entering == down.leaving and p.leaving % down.entering == 0]
    if not ups:
        return None
    first = ups[-1]
    while first - 1 in ups:  # a gated unit has two products side by side
        first -= 1
    before = [product for product in products[:first] if product.leaving == down.leaving]
    return (before[-1], down) if before else None


def _products(model: Transferable) -> dict[str, list[_Product]]:
    """Block -> its matrix products over tokens, in the order in which the probe meets them."""
    owner = {module: block.name for block in model.body for module in block.modules}
    met: dict[str, list[_Product]] = {}
    hooks = []
    for name, module in model.network.named_modules():
        if name in owner and _multiplies(module):

            def note(
                _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any, name: str = name
            ) -> None:
                entering = next((x for x in (*inputs, *named.values()) if isinstance(x, Tensor)), None)
                leaving = output[0] if isinstance(output, tuple) else output
                if entering is not None and leaving.ndim >= 3:
                    met.setdefault(owner[name], []).append(_Product(name, entering.shape[-1], leaving.shape[-1]))

            hooks.append(module.register_forward_hook(note, with_kwargs=True))
    model.observe(hooks)
    return met


def _multiplies(module: nn.Module) -> bool:
    """Whether a module is a linear layer of any library, or torch's attention, which projects without calling one."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    weight = getattr(module, "weight", None)
    alone = next(module.children(), None) is None and not isinstance(module, nn.Embedding)
    return alone and isinstance(weight, Tensor) and weight.ndim == 2
