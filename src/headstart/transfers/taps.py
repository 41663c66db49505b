"""The output of each block: which module returns it, and a source that has it as its features."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.data.target import Target
from headstart.errors import InputError, did_you_mean
from headstart.sources.network import pooled
from headstart.sources.source import Source
from headstart.train.batches import batches_of, to_device
from headstart.transfers.network import Transferable, transferable


def output_modules(model: Transferable) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Block -> (name of the module that returns the block's output, the shape of that output on the probe).

    That module is the last of the block to return. Blocks whose output is not a floating-point tensor (b, d), (b, t, d)
    or (b, c, h, w) are left out.
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
        self.seen: list[Tensor] = []
        body.get_submodule(module).register_forward_hook(partial(_keep, self.seen))
        self.eval()

    def forward(self, batch: Tensor | Mapping[str, Any]) -> tuple[Tensor, None]:
        self.seen.clear()
        self.body(batch)
        return tokens_pooled(self.seen.pop(), batch), None


def _keep(seen: list[Tensor], module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    seen.append(output[0] if isinstance(output, tuple | list) else output)


def tokens_pooled(value: Tensor, batch: Tensor | Mapping[str, Any]) -> Tensor:
    """A block's output as one vector per example: the mean over space, or over the tokens that are no padding."""
    if value.ndim == 3 and isinstance(batch, Mapping) and "attention_mask" in batch:
        mask = batch["attention_mask"][..., None].to(value.dtype)
        value = (value * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)
    return pooled(value)


def layer_features(source: Source, target: Target, device: torch.device) -> dict[str, np.ndarray]:
    """Pooled features (n, d) of every block that gives some, from input to output, in one forward pass.

    The last, under the empty name, are the source's own features.
    """
    model = transferable(source, 2, seed=0)
    body = model.network.body.to(device).eval()
    found: dict[str, list[np.ndarray]] = {}
    own: list[np.ndarray] = []
    seen: dict[str, list[Tensor]] = {}
    for block, (module, _) in output_modules(model).items():
        found[block], seen[block] = [], []
        model.network.get_submodule(module).register_forward_hook(partial(_keep, seen[block]))
    batches = batches_of(target, source, memory=0)
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(target)), -(-len(target) // 64)):
            batch = to_device(batches.load(rows, None), device)
            own.append(body(batch)[0].float().cpu().numpy())
            for block, values in seen.items():
                found[block].append(tokens_pooled(values[-1], batch).float().cpu().numpy())
                values.clear()
    return {block: np.concatenate(parts) for block, parts in {**found, "": own}.items()}


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
