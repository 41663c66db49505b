"""Prefix and prompt tuning for texts: virtual tokens train; the network stays as it is.

The words keep their positions, and what reads the tokens afterwards (their mean, a pooler) sees only the text's own.

transformers computes attention with a function that the model's configuration names. The one here prepends a layer's
own keys and values (`prefix`) where it has some, and lets every token see the tokens in front. peft's wrappers do not
serve: on an encoder they shift the positions of all words, fail on texts of full length for that reason, and leave a
virtual token where BERT's pooler expects the first word.
"""

from collections.abc import Callable
from contextvars import ContextVar
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

NAME = "headstart_extended"
_watcher: ContextVar["list[Attended] | None"] = ContextVar("watcher", default=None)


@dataclass(frozen=True, eq=False)
class Attended:
    """One layer's attention in one forward pass."""

    module: nn.Module
    keys: Tensor  # (b, heads, t, width)
    values: Tensor  # (b, heads, t, width)


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, Tensor | None]:
    """Scaled dot-product attention with the module's `prefix` in front; the signature is the one transformers calls."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    seen = _watcher.get()
    if seen is not None:
        seen.append(Attended(module, key.detach(), value.detach()))
    prefix = getattr(module, "prefix", None)
    if prefix is not None:
        key = torch.cat([prefix.keys.to(key.dtype).expand(key.shape[0], -1, -1, -1), key], dim=2)
        value = torch.cat([prefix.values.to(value.dtype).expand(value.shape[0], -1, -1, -1), value], dim=2)
    mask = widened(attention_mask, query.shape[2], key.shape[2])
    if settings.get("position_bias") is not None:  # T5's, of each pair of words; tokens in front have none
        settings["position_bias"] = widened(settings["position_bias"], query.shape[2], key.shape[2])
    found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(module, query, key, value, mask, **settings)
    return found


def widened(mask: Tensor | None, queries: int, keys: int) -> Tensor | None:
    """Extend a mask (b, 1, q, k) to tokens in front, which every token sees; they see what the first word sees.

    Example:
        >>> widened(torch.tensor([[[[True, False]]]]), 1, 3).tolist()
        [[[[True, True, False]]]]
    """
    if mask is None:
        return None
    seen: bool | float = True if mask.dtype == torch.bool else 0.0
    mask = nn.functional.pad(mask, (keys - mask.shape[3], 0), value=seen)
    if mask.shape[2] in (1, queries):
        return mask
    return torch.cat([mask[:, :, :1].expand(-1, -1, queries - mask.shape[2], -1), mask], dim=2)


def extend_attention(model: Transferable) -> list[Attended]:
    """Switch the network to `attend`; returns what each layer attends to on the probe, in the order they run.

    Raises:
        InputError: Not a transformers model, or one that computes attention in its own way.
    """
    configs: list[Any] = [getattr(module, "config", None) for module in model.network.modules()]
    configs = [config for config in configs if hasattr(config, "_attn_implementation")]
    if configs:
        _register()
    for config in configs:
        config._attn_implementation = NAME
    seen: list[Attended] = []
    token = _watcher.set(seen)
    try:
        runs(model, "its attention cannot be extended")
    finally:
        _watcher.reset(token)
    if not seen:
        raise InputError(
            "virtual tokens need a text model of transformers whose attention can be extended (BERT, RoBERTa, "
            "DistilBERT, ModernBERT and most others can; MPNet and DeBERTa cannot). Use `lora` or `adapters` here."
        )
    return seen


def runs(model: Transferable, fault: str) -> None:
    """Send the probe through the network; InputError with the fault if that fails."""
    try:
        with torch.no_grad():
            model.network.eval()(model.probe)
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(f"virtual tokens do not fit this network: {fault}. Use `lora` or `adapters`.") from error


def real_tokens(model: Transferable, count: int) -> tuple[Tensor, Tensor]:
    """Rows and positions of `count` random tokens of the probe, with repeats and without padding."""
    mask = model.probe.get("attention_mask", torch.ones_like(model.probe["input_ids"]))
    places = mask.nonzero()
    rows, positions = places[torch.randint(len(places), (count,))].T
    return rows, positions


def noisy(values: Tensor) -> Tensor:
    """The values plus a little noise, so that repeated tokens learn different things."""
    return values + 0.02 * values.std() * torch.randn_like(values)


def _register() -> None:
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
    from transformers.modeling_utils import AttentionInterface

    def mask(*arguments: Any, **settings: Any) -> Tensor | None:
        settings["allow_is_causal_skip"] = False  # torch's own causal mask does not know the tokens in front
        found: Tensor | None = sdpa_mask(*arguments, **settings)
        return found

    function: Callable[..., Any] = attend
    AttentionInterface.register(NAME, function)
    AttentionMaskInterface.register(NAME, mask)


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
