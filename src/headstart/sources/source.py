"""A source: a pretrained model together with its own preprocessing, ready for one forward pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from headstart.errors import ModelError
from headstart.records import ModelCard
from headstart.sources.fingerprint import Snapshot
from headstart.sources.network import channels_last


@dataclass(frozen=True, eq=False)
class Source:
    """A loaded pretrained model. `network` maps one batch to (features, logits) in one pass.

    `network` is in eval mode on the CPU and shares the weights of `module`. `prepare` is the model's own preprocessing
    of one example (an RGB PIL image or a str); `collate` joins prepared examples to a batch: a float tensor
    (b, c, h, w) for images, a dict of tensors for texts.
    """

    card: ModelCard
    module: nn.Module  # the model itself, as its library built it
    network: nn.Module  # batch -> (features (b, d), logits (b, z) or None)
    prepare: Callable[[object], object]
    collate: Callable[[list[Any]], object]
    head: str | None  # dotted name of the classifier inside `module`; None without one
    layer: str  # what `features` are, in words fit for a cache key: e.g. "input of classifier"
    fingerprint: str  # hex hash of weights, architecture, preprocessing and layer; never of names
    classes: tuple[str, ...] | None = None  # names of the source's classes, where known
    channels_last: bool = True  # the network takes images whose channels lie last in memory
    adapted_from: str | None = None  # name of the source whose weights a training changed to make this one
    snapshot: Snapshot | None = None  # of the module's weights when the fingerprint was made
    code: str = ""  # hash of the user's own code and of what it does; "" without such code
    notes: tuple[str, ...] = ()  # shown with its results

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def cache_key(self) -> str:
        """The key of this source's cached rows; it changes when the user's own code does."""
        return f"{self.fingerprint}-{self.code}" if self.code else self.fingerprint

    def check_unchanged(self) -> None:
        """Raise ModelError if the module's weights have changed since this source, and its fingerprint, were made."""
        if self.snapshot is not None and not self.snapshot.holds_for(self.module):
            raise ModelError.of(
                self.name,
                "its weights have changed since the source was made, so its cached rows no longer "
                "apply. Make a new source from the module with `headstart.from_module`.",
            )

    def join(self, examples: list[Any]) -> object:
        """Prepared examples as one batch, laid out as the network runs fastest."""
        return self.laid_out(self.collate(examples))

    def laid_out(self, batch: Any) -> Any:
        """Images with their channels last in memory, in which convolutions are faster; other batches as they are."""
        return channels_last(batch) if self.channels_last and isinstance(batch, torch.Tensor) else batch

    def forward(self, batch: object) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Features and logits of one batch, without gradients."""
        with torch.inference_mode():
            outputs: tuple[torch.Tensor, torch.Tensor | None] = self.network(batch)
        return outputs
