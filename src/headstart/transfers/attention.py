"""Attention over virtual tokens in front of a text, for any transformers model: the base of prefix and prompt tuning.

transformers computes attention with a function that the model's configuration names. The function here prepends a
layer's own keys and values (`prefix`) where it has some, and lets every token see the tokens in front.

peft's wrappers do not serve: on an encoder they shift the positions of all words, fail on texts of full length for that
reason, and leave a virtual token where BERT's pooler expects the first word.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import InputError
from headstart.transfers.network import Transferable

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
