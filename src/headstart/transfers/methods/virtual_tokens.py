"""Prefix and prompt tuning for texts: virtual tokens train; the network stays as it is.

The words keep their positions, and what reads the tokens afterwards (their mean, a pooler) sees only the text's own.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.records.options import option
from headstart.transfers.attention import Attended, extend_attention, noisy, real_tokens, runs
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting


class PrefixParts(nn.Module):
    """Keys and values (1, heads, tokens, width) of one layer's virtual tokens."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = nn.Parameter(keys), nn.Parameter(values)


@method("prefix")
@dataclass(frozen=True)
class Prefix(Tuning):
    """Train virtual keys and values in every layer, and the head (Li and Liang, ACL 2021)."""

    rate: float | None = learning_rate(1e-2)
    prompt: int = option(8, "Width of a visual prompt, or number of virtual tokens", low=1)
    kinds = ("text",)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Give every layer a prefix; it starts from real words' keys and values, the paper's best for little data.

        Raises:
            InputError: Not a text model of transformers.
        """
        layers: dict[nn.Module, Attended] = {}
        for layer in extend_attention(network):
            layers.setdefault(layer.module, layer)  # a layer that runs several times has one prefix
        rows, positions = real_tokens(network, self.prompt)
        for module, layer in layers.items():
            keys, values = (
                noisy(part[rows, :, positions].transpose(0, 1))[None] for part in (layer.keys, layer.values)
            )
            module.add_module("prefix", PrefixParts(keys, values))
        network.network.eval()

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The prefixes and the head train."""
        found = [(name, part) for name, part in network.network.named_modules() if isinstance(part, PrefixParts)]
        names = [f"{name}.{end}" for name, part in found for end, _ in part.named_parameters()]
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, names, rate=rate, head_rate=rate, modules=[name for name, _ in found]))


class Tokens(nn.Module):
    """Virtual tokens (1, tokens, width), inserted before the first layer and removed after the last."""

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(tokens)


@method("prompt")
@dataclass(frozen=True)
class Prompt(Tuning):
    """Train virtual tokens in front of every text, and the head (Lester et al., EMNLP 2021)."""

    rate: float | None = learning_rate(1e-2)
    prompt: int = option(8, "Width of a visual prompt, or number of virtual tokens", low=1)
    kinds = ("text",)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Insert the virtual tokens, which start as words of the probe.

        Raises:
            InputError: Not a text model of transformers, or one with relative positions or with layers used twice.
        """
        inner = network.network
        attentions = [layer.module for layer in extend_attention(network)]
        names = {module: name for name, module in inner.named_modules()}
        first, last = (_layer(inner, names[module]) for module in (attentions[0], attentions[-1]))
        if len(set(attentions)) < len(attentions):
            raise InputError("this network uses a layer several times, so a prompt cannot enter it once; use `prefix`.")
        hidden = _inputs(network, first)
        prompt = Tokens(noisy(hidden[real_tokens(network, self.prompt)])[None])
        inner.add_module("prompt", prompt)
        first.register_forward_pre_hook(partial(_put_in, prompt), with_kwargs=True)
        last.register_forward_hook(partial(_take_out, prompt))
        runs(network, "its layers take positions of their own; `prefix` may work")
        home = next(block.name for block in network.body if names[attentions[0]] in block.modules)
        network.homes["prompt"] = home

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The virtual tokens and the head train."""
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, ["prompt.tokens"], rate=rate, head_rate=rate / 10, modules=["prompt"]))


def _put_in(
    prompt: Tokens, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    hidden = inputs[0] if inputs else named["hidden_states"]
    longer = torch.cat([prompt.tokens.to(hidden.dtype).expand(hidden.shape[0], -1, -1), hidden], dim=1)
    return ((longer, *inputs[1:]), named) if inputs else ((), {**named, "hidden_states": longer})


def _take_out(prompt: Tokens, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    count = prompt.tokens.shape[1]
    return output[:, count:] if isinstance(output, Tensor) else (output[0][:, count:], *output[1:])


def _layer(network: nn.Module, name: str) -> nn.Module:
    """The layer that holds an attention: the outermost member of a module list on the way to it."""
    parts = name.split(".")
    for depth in range(1, len(parts)):
        if isinstance(network.get_submodule(".".join(parts[:depth])), nn.ModuleList):
            return network.get_submodule(".".join(parts[: depth + 1]))
    raise InputError("this network keeps no list of layers, so a prompt has no place to enter; use `prefix`.")


def _inputs(model: Transferable, layer: nn.Module) -> Tensor:
    """The hidden states (b, t, d) that enter a layer on the probe."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(inputs[0] if inputs else named["hidden_states"])

    hook = layer.register_forward_pre_hook(note, with_kwargs=True)
    try:
        runs(model, "it cannot process a short text")
    finally:
        hook.remove()
    return seen[0].detach()
