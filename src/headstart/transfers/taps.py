"""Where a block's result can be taken, or changed: the module of each block that finishes last."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from torch import Tensor, nn

from headstart.errors import InputError, did_you_mean
from headstart.sources.network import pooled
from headstart.sources.source import Source
from headstart.transfers.network import Transferable, transferable


def output_modules(model: Transferable) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Block -> (name of the module whose output is the block's result, the shape of that output on the probe).

    That module is the one of the block that returns last and is widest in scope. A block whose result is no floating
    tensor (b, d), (b, t, d) or (b, c, h, w) is left out.
    """
    owner = {module: block.name for block in model.body for module in block.modules}
    finished: dict[str, tuple[str, tuple[int, ...]]] = {}
    hooks = []
    for name, module in model.network.named_modules():
        if name in owner:

            def note(_: nn.Module, __: object, output: Any, name: str = name) -> None:
                value = output[0] if isinstance(output, tuple | list) and output else output
                if isinstance(value, Tensor) and value.is_floating_point() and value.ndim in (2, 3, 4):
                    finished[owner[name]] = (name, tuple(value.shape))
                else:
                    finished.pop(owner[name], None)

            hooks.append(module.register_forward_hook(note))
    model.observe(hooks)
    return {block.name: finished[block.name] for block in model.body if block.name in finished}


class EarlierLayer(nn.Module):
    """batch -> (the pooled output of one module, None)."""

    def __init__(self, body: nn.Module, module: str) -> None:
        super().__init__()
        self.body = body
        self.kept = _Keep()
        body.get_submodule(module).register_forward_hook(self.kept)
        self.eval()

    def forward(self, batch: Tensor | Mapping[str, Any]) -> tuple[Tensor, None]:
        self.kept.seen.clear()
        self.body(batch)
        value = self.kept.seen.pop()
        if value.ndim == 3 and isinstance(batch, Mapping) and "attention_mask" in batch:
            mask = batch["attention_mask"][..., None].to(value.dtype)
            return (value * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1), None
        return pooled(value), None


class _Keep:
    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.seen.append(output[0] if isinstance(output, tuple | list) else output)


def at_layer(source: Source, layer: str) -> Source:
    """The same source with the output of a block as its features: the mean over space, or over the tokens.

    Raises:
        InputError: There is no such block; the text lists those there are.
    """
    model = transferable(source, 2, seed=0)
    places = output_modules(model)
    if layer not in places:
        raise InputError(
            f"`layer` must name a block of {source.name}; there is no {layer!r}.{did_you_mean(layer, places)} "
            f"From input to output: {', '.join(places)}."
        )
    network = EarlierLayer(copy.deepcopy(source.network), places[layer][0].removeprefix("body."))
    return replace(
        source,
        network=network,
        head=None,
        layer=f"output of {layer}",
        fingerprint=blake2b(f"{source.fingerprint} {layer}".encode(), digest_size=16).hexdigest(),
        classes=None,
        card=replace(source.card, num_classes=None),
    )
