"""Attention over more tokens than a text has: what prefix and prompt tuning stand on, for any model of transformers.

transformers computes attention through a function that a model's configuration names. The one here puts a layer's own
keys and values before those of the text where it has some (`prefix`), and lets every token see the tokens in front.

Why not peft's wrappers: on an encoder they move every word (a prefix of 8 gives the first word position 8), end in an
error on texts of full length for that reason, and leave a virtual token where BERT's pooler looks for the first word.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """Scaled dot-product attention, with the module's `prefix` in front; the interface is that of transformers."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    seen = _watcher.get()
    if seen is not None:
        seen.append(Attended(module, key.detach(), value.detach()))
    prefix = getattr(module, "prefix", None)
    if prefix is not None:
        key = torch.cat([prefix.keys.to(key.dtype).expand(key.shape[0], -1, -1, -1), key], dim=2)
        value = torch.cat([prefix.values.to(value.dtype).expand(value.shape[0], -1, -1, -1), value], dim=2)
    mask = widened(attention_mask, query.shape[2], key.shape[2])
    found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(module, query, key, value, mask, **settings)
    return found


def widened(mask: Tensor | None, queries: int, keys: int) -> Tensor | None:
    """A mask (b, 1, q, k) for the tokens of a text, as one for those in front too: all of them can be seen.

    A token in front sees what the first of the text sees.

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
    """Let the network attend by `attend`; what its layers attend to on the probe, in the order in which they run.

    Raises:
        InputError: The network is none of transformers, or computes attention in a way of its own.
    """
    configs = [config for module in model.network.modules() if (config := _configuration(module)) is not None]
    if configs:
        _register()
    for config in configs:
        config._attn_implementation = NAME
    with watching() as seen:
        runs(model, "its attention cannot be extended")
    if not seen:
        raise InputError(
            "virtual tokens need a text model of transformers whose attention can be extended (BERT, RoBERTa, "
            "DistilBERT, ModernBERT and most others can, MPNet and DeBERTa cannot). Use `lora` or `adapters` here."
        )
    return seen


def runs(model: Transferable, fault: str) -> None:
    """Send the probe through the network.

    Raises:
        InputError: It does not pass.
    """
    try:
        with torch.no_grad():
            model.network.eval()(model.probe)
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"virtual tokens do not fit this network: {fault} ({error}). Use `lora` or `adapters`."
        ) from error


@contextmanager
def watching() -> Iterator[list[Attended]]:
    """Note every call of `attend`."""
    seen: list[Attended] = []
    token = _watcher.set(seen)
    try:
        yield seen
    finally:
        _watcher.reset(token)


def real_tokens(model: Transferable, count: int) -> tuple[Tensor, Tensor]:
    """Rows and positions of `count` tokens of the probe, drawn from torch's generator; padding is left out.

    A probe has few tokens, so they repeat.
    """
    mask = model.probe.get("attention_mask", torch.ones_like(model.probe["input_ids"]))
    places = mask.nonzero()
    rows, positions = places[torch.randint(len(places), (count,))].T
    return rows, positions


def noisy(values: Tensor) -> Tensor:
    """The values with a little noise, so that repeated ones learn different things."""
    return values + 0.02 * values.std() * torch.randn_like(values)


def _configuration(module: nn.Module) -> Any:
    config = getattr(module, "config", None)
    return config if hasattr(config, "_attn_implementation") else None


def _register() -> None:
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
    from transformers.modeling_utils import AttentionInterface

    def mask(*arguments: Any, **settings: Any) -> Tensor | None:
        settings["allow_is_causal_skip"] = False  # torch's own causal mask knows of no tokens in front
        found: Tensor | None = sdpa_mask(*arguments, **settings)
        return found

    function: Callable[..., Any] = attend
    AttentionInterface.register(NAME, function)
    AttentionMaskInterface.register(NAME, mask)
