"""The network that is trained: a copy of the source up to its features, and a new head."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from headstart.errors import ModelError
from headstart.sources.fingerprint import probe_examples
from headstart.sources.source import Source
from headstart.train.blocks import Block, ordered_blocks
from headstart.train.groups import Group, reached
from headstart.transfers.four_bit import size

HEAD = "head"


class TransferNetwork(nn.Module):
    """batch -> outputs (b, C): a source's body, its features, a linear head."""

    def __init__(self, body: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(width, outputs)

    def forward(self, batch: Tensor | Mapping[str, Any] | None = None, **named: Tensor) -> Tensor:
        """Outputs of a batch, given as a tensor, as a mapping, or by name."""
        features = self.features(named if batch is None else batch)
        outputs: Tensor = self.head(features.to(self.head.weight.dtype))  # a body may compute in another width
        return outputs

    def features(self, batch: Tensor | Mapping[str, Any]) -> Tensor:
        found: Tensor = self.body(batch)[0]
        return found


@dataclass(eq=False)
class Transferable:
    """A network with its ordered blocks, the head last. Methods edit the network: it is a copy already."""

    network: TransferNetwork
    blocks: tuple[Block, ...]  # names within `network`
    probe: Any  # a small batch as the source wants it
    homes: dict[str, str] = field(default_factory=dict)  # inserted module -> the block it serves, where it lies outside

    @property
    def body(self) -> tuple[Block, ...]:
        return self.blocks[:-1]

    def observe(self, hooks: Iterable[RemovableHandle]) -> None:
        """Run the probe through the network once, for what the hooks note, and take them off."""
        try:
            with torch.inference_mode():
                self.network(self.probe)
        finally:
            for hook in hooks:
                hook.remove()


def transferable(source: Source, outputs: int, *, seed: int, scratch: bool = False) -> Transferable:
    """Copy the source, put a fresh head on its features and list the blocks that lead to them.

    Layers that the features do not pass through (the source's own classifier, auxiliary heads) belong to no block:
    they are neither trained nor counted nor saved.

    Args:
        outputs: Width of the head.
        seed: For the head's weights, and for all of them where `scratch` is true.
        scratch: Draw every weight anew.

    Raises:
        ModelError: The network is a script, which cannot be taken apart.
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in source.network.modules()):
        raise ModelError.of(
            source.name,
            "it is scripted or traced, so its layers cannot be told apart: it can be ranked, not trained. "
            "Give the module that it was made from.",
        )
    probe = source.collate([source.prepare(example) for example in probe_examples(source.card.kind)[:2]])
    body = copy.deepcopy(source.network)
    for part in body.modules():
        for name, buffer in part.named_buffers(recurse=False):
            if 0 in buffer.stride():  # expanded: its entries share memory, so none could be written
                setattr(part, name, buffer.clone())
    inner = getattr(body, "model", body)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if scratch:
            draw_anew(inner)
        with torch.inference_mode():
            width = body.eval()(probe)[0].shape[1]
        network = TransferNetwork(body, width, outputs)
        draw_head(network.head)
    network.eval()
    prefix = "body.model." if inner is not body else "body."
    heads = getattr(body, "heads", ()) or ((source.head,) if source.head else ())
    found = ordered_blocks(inner, head=heads, run=lambda: body(probe))
    live = reached(network, lambda: network(probe))
    blocks = []
    for block in found:
        parameters = tuple(name for name in (prefix + name for name in block.parameters) if name in live)
        modules = tuple((prefix + name).rstrip(".") for name in block.modules)
        if parameters and not block.head:
            blocks.append(replace(block, parameters=parameters, modules=modules))
    head = Block(HEAD, ("head.weight", "head.bias"), (HEAD,), True)
    return Transferable(network, (*blocks, head), probe)


def as_it_trains(source: Source, probe: Any) -> Source:
    """The source, its images in the usual order of memory where the network takes no other while it trains.

    What only a training runs (auxiliary branches, backward passes of the caller's own) is tried out on a copy. A trial
    that fails, for whatever reason, decides for the usual order: the training itself may never come to that place.
    """
    if not (source.channels_last and isinstance(probe, Tensor) and probe.ndim == 4):
        return source
    trial = copy.deepcopy(source.network).train().requires_grad_(True)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            trial(source.laid_out(probe))[0].sum().backward()
    except Exception:  # the caller's own code may raise anything
        return replace(source, channels_last=False)
    return source


def draw_head(head: nn.Linear) -> None:
    """Small random weights and no bias: a start that favours no class."""
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)


def draw_anew(module: nn.Module) -> None:
    """Random weights for every parameter and fresh statistics for every norm, from torch's generator.

    Each layer's own `reset_parameters` is used; parameters of layers without one (position embeddings, class tokens,
    layer scales) get small normal values, or 1 and 0 where they scale and shift.
    """
    for layer in module.modules():
        for hook in layer._forward_pre_hooks.values():  # weight and spectral norm of old make the weight from these
            parts = [f"{getattr(hook, 'name', None)}_{end}" for end in ("g", "v", "orig")]
            for name, parameter in layer.named_parameters(recurse=False):
                if name in parts:
                    _draw_lone(name, parameter)
        reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
        if isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.modules.conv._ConvNd):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif callable(reset):
            reset()
        else:
            for name, parameter in layer.named_parameters(recurse=False):
                _draw_lone(name, parameter)


def _draw_lone(name: str, parameter: nn.Parameter) -> None:
    if parameter.ndim >= 2:
        nn.init.trunc_normal_(parameter, std=0.02)
    elif "bias" in name or "beta" in name:
        nn.init.zeros_(parameter)
    else:
        nn.init.ones_(parameter)


def count(network: nn.Module, names: Sequence[str]) -> int:
    """How many numbers the named parameters hold."""
    parameters = dict(network.named_parameters())
    return sum(size(parameters[name]) for name in names)


def whole_groups(model: Transferable, rates: Sequence[float], thaws: Sequence[int] | None = None) -> tuple[Group, ...]:
    """One group per block, all of whose parameters train at the block's rate (0: frozen)."""
    thaws = thaws or [0] * len(model.blocks)
    return tuple(
        Group(block.name, block.parameters, block.modules, rate, thaw, new=block.head)
        for block, rate, thaw in zip(model.blocks, rates, thaws, strict=True)
    )


def part_groups(
    model: Transferable,
    trained: Sequence[str],
    *,
    rate: float,
    head_rate: float,
    modules: Sequence[str] = (),
) -> tuple[Group, ...]:
    """Groups in which only the parameters `trained`, old or added, and the head train.

    Args:
        trained: Dotted names in the network; each is counted to the block whose module it lies in.
        modules: Added modules that are in train mode (dropout of an adapter); all others stay in eval mode, so that
            batch-norm statistics do not move and a saved adapter is complete.
    """
    chosen = set(trained)
    homes = {module: block.name for block in model.body for module in block.modules} | model.homes
    old = {name: block.name for block in model.body for name in block.parameters}
    names = [name for name, _ in model.network.named_parameters()]
    first = model.body[0].name

    def owner(name: str) -> str:
        parts = name.split(".")
        prefixes = (".".join(parts[:depth]) for depth in range(len(parts), 0, -1))
        return next((homes[prefix] for prefix in prefixes if prefix in homes), first)

    groups = []
    for block in model.body:
        mine = tuple(n for n in names if n in chosen and old.get(n, owner(n)) == block.name)
        rest = tuple(n for n in names if n not in chosen and old.get(n.replace(".base_layer", "")) == block.name)
        active = tuple(name for name in modules if owner(name) == block.name)
        if mine:
            groups.append(Group(block.name, mine, active, rate, new=not set(mine) <= set(old)))
        if rest:
            groups.append(Group(block.name, rest, (), 0.0))
    head = model.blocks[-1]
    return (*groups, Group(head.name, head.parameters, head.modules, head_rate, new=True))


def deepest_first(blocks: int, factor: float, top: float) -> list[float]:
    """Rates that shrink by `factor` from the top block down; the first is that of the deepest block.

    Example:
        >>> deepest_first(3, 2.0, 1.0)
        [0.25, 0.5, 1.0]
    """
    return [top / factor ** (blocks - 1 - i) for i in range(blocks)]
