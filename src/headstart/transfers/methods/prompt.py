"""Prompt tuning: virtual tokens in front of the text train; the network stays as it is.

Lester, Al-Rfou and Constant, EMNLP 2021. https://arxiv.org/abs/2104.08691. For texts. The tokens enter before the first
layer, beside words that have their positions already, and leave after the last one: the words keep their positions,
and a mean over the tokens (or a pooler) sees none but those of the text.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.records.options import option
from headstart.transfers.attention import extend_attention, noisy, real_tokens, runs
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting


class Tokens(nn.Module):
    """Virtual tokens (1, tokens, width), put before the first layer and taken away after the last."""

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(tokens)


class PutIn:
    """A forward pre-hook of the first layer."""

    def __init__(self, prompt: Tokens) -> None:
        self.prompt = prompt

    def __call__(
        self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        hidden = inputs[0] if inputs else named["hidden_states"]
        tokens = self.prompt.tokens.to(hidden.dtype).expand(hidden.shape[0], -1, -1)
        longer = torch.cat([tokens, hidden], dim=1)
        return ((longer, *inputs[1:]), named) if inputs else ((), {**named, "hidden_states": longer})


class TakeOut:
    """A forward hook of the last layer."""

    def __init__(self, prompt: Tokens) -> None:
        self.prompt = prompt

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        count = self.prompt.tokens.shape[1]
        return output[:, count:] if isinstance(output, Tensor) else (output[0][:, count:], *output[1:])


@method("prompt")
@dataclass(frozen=True)
class Prompt(Tuning):
    """Train virtual tokens in front of every text, and the head."""

    rate: float | None = learning_rate(1e-2)
    prompt: int = option(8, "Width of a visual prompt, or number of virtual tokens", low=1)
    kinds = ("text",)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Put the virtual tokens in; they start as words of the probe.

        Raises:
            InputError: The network is no text model of transformers, or its layers need more than tokens (relative
                positions, layers that are used again).
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
        inner.get_submodule(first).register_forward_pre_hook(PutIn(prompt), with_kwargs=True)
        inner.get_submodule(last).register_forward_hook(TakeOut(prompt))
        runs(network, "its layers take positions of their own; `prefix` may do")
        home = next(block.name for block in network.body if names[attentions[0]] in block.modules)
        network.homes["prompt"] = home

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The virtual tokens and the head train."""
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, ["prompt.tokens"], rate=rate, head_rate=rate / 10, modules=["prompt"]))


def _layer(network: nn.Module, name: str) -> str:
    """The layer that holds an attention: the outermost member of a list of modules on the way to it.

    Raises:
        InputError: There is no list of layers.
    """
    parts = name.split(".")
    for depth in range(1, len(parts)):
        whole = network.get_submodule(".".join(parts[:depth]))
        if isinstance(whole, nn.ModuleList):
            return ".".join(parts[: depth + 1])
    raise InputError("this network keeps no list of layers, so a prompt has no place to enter; use `prefix`.")


def _inputs(model: Transferable, layer: str) -> Tensor:
    """The hidden states (b, t, d) that enter a layer on the probe."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(inputs[0] if inputs else named["hidden_states"])

    hook = model.network.get_submodule(layer).register_forward_pre_hook(note, with_kwargs=True)
    try:
        runs(model, "it cannot be run on a small text")
    finally:
        hook.remove()
    return seen[0].detach()
