"""Residual features: a new encoder learns what frozen source features lack, so a bad source does little harm.

Xu, Lei and Deng, "Residual Feature Integration is Sufficient to Prevent Negative Transfer" (REFINE), 2025.
https://arxiv.org/abs/2505.11771
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from headstart.errors import InputError
from headstart.records.options import option
from headstart.train.blocks import Block
from headstart.train.groups import reached
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, TransferNetwork, draw_anew, draw_head, whole_groups
from headstart.transfers.setting import Setting
from headstart.transfers.taps import EarlierLayer, output_modules

ENCODER, HEAD = "encoder", ("head.weight", "head.bias")


@method("residual")
@dataclass(frozen=True)
class Residual(Tuning):
    """Train a new encoder beside the frozen source features; cannot lose to scratch in the limit (REFINE, 2025).

    The head reads [h(x), f(x)]: f are the source's features, frozen and normalised (layer norm without weights), h is
    an encoder with the source's architecture and random weights. The head starts with no weight on f, so the network
    starts as training from scratch does, and it can learn every function that scratch can learn.
    """

    rate: float | None = learning_rate(1e-3)
    blocks: int | None = option(
        None, "Number of the source's first blocks that the new encoder has", low=1, usual="all: as large as the source"
    )
    tunes = False

    def insert(self, network: Transferable) -> None:
        """Put the encoder beside the source, and a head on both.

        Raises:
            InputError: The source has fewer blocks, or the output of the last one cannot be pooled.
        """
        whole, body = network.network, network.network.body
        encoder = copy.deepcopy(body)
        draw_anew(getattr(encoder, "model", encoder))
        if self.blocks is not None:
            encoder = EarlierLayer(encoder, self._cut(network))
        with torch.inference_mode():
            width = encoder.eval()(network.probe)[0].shape[1]
        new = TransferNetwork(encoder, width, whole.head.out_features)
        draw_head(new.head)
        own = reached(new, lambda: new(network.probe))
        both = nn.Linear(width + whole.head.in_features, whole.head.out_features)
        with torch.no_grad():
            both.weight.zero_()[:, :width] = new.head.weight
            both.bias.copy_(new.head.bias)
        whole.head = both
        body.add_module(ENCODER, encoder)
        body.register_forward_hook(_beside)
        live = [name for name, _ in new.named_parameters() if name in own and name not in HEAD]
        names = tuple(f"body.{ENCODER}.{name.removeprefix('body.')}" for name in live)
        modules = tuple(f"body.{ENCODER}.{name}".rstrip(".") for name, _ in encoder.named_modules())
        network.blocks = (*network.body, Block(ENCODER, names, modules), network.blocks[-1])
        whole.eval()

    def _cut(self, network: Transferable) -> str:
        """The module, within the body, that returns the output of the encoder's last block."""
        count, places = self.blocks or 0, output_modules(network)
        if count > len(network.body) or network.body[count - 1].name not in places:
            usable = [str(i + 1) for i, block in enumerate(network.body) if block.name in places]
            raise InputError(f"`blocks` must be one of {', '.join(usable)} with this source; got {count}.")
        return places[network.body[count - 1].name][0].removeprefix("body.")

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The encoder and the head train at one rate; the source stays as it is."""
        *source, encoder, head = whole_groups(network, [0.0] * (len(network.body) - 1) + [self.rate_in(setting)] * 2)
        return Recipe((*source, replace(encoder, new=True), head))


def _beside(body: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
    """A forward hook: the encoder's features, then the source's, normalised."""
    encoded, frozen = body.encoder(inputs[0])[0], output[0]  # type: ignore[operator]  # a module
    return torch.cat([encoded, functional.layer_norm(frozen, frozen.shape[1:]).to(encoded)], dim=1), output[1]
