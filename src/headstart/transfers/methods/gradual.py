"""Methods whose learning rates fall from the top block down: gradual unfreezing and layer-wise decay."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.records.options import option
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, deepest_first, whole_groups
from headstart.transfers.setting import Setting

FACTOR = 2.6  # ULMFiT's, for networks of up to 5 layers
LAYERS = 4  # steps between its lowest and highest layer
DECAY = "Factor by which the learning rate falls from each block to the one below it"


@method("gradual")
@dataclass(frozen=True)
class Gradual(Tuning):
    """Unfreeze block after block from the top down (ULMFiT; Howard and Ruder, ACL 2018)."""

    rate: float | None = learning_rate(1e-3)
    decay: float | None = option(None, DECAY, above=0, high=1, usual="1/2.6, or nearer to 1 for more than 5 blocks")
    settings: ClassVar[Mapping[str, Any]] = {"schedule": "slanted"}

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The head trains from the first epoch; then block after block thaws, from the top down, until all train.

        One block an epoch, as in the paper, or as many as it takes to have all of them thawed after three quarters of
        the epochs. Each block's rate is that of the one above it / 2.6; for networks of more than five blocks, whose
        deepest ones would hardly move, the factor is such that the lowest rate is the paper's, 2.6^-4 of the highest.
        The slanted triangular schedule is the training's.
        """
        blocks = len(network.body)
        factor = 1 / self.decay if self.decay else FACTOR ** min(1.0, LAYERS / blocks)
        rates = deepest_first(len(network.blocks), factor, self.rate_in(setting))
        return Recipe(whole_groups(network, rates, thaws(blocks, setting.training.epochs)))


@method("layer-decay")
@dataclass(frozen=True)
class LayerDecay(Tuning):
    """Train all blocks, each more slowly than the one above it (BEiT, Bao et al. 2022)."""

    rate: float | None = learning_rate(5e-4)
    decay: float = option(0.75, DECAY, above=0, high=1)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """Block k below the head at rate * decay^k; the rates are in the groups, so any schedule keeps them."""
        return Recipe(whole_groups(network, deepest_first(len(network.blocks), 1 / self.decay, self.rate_in(setting))))


def thaws(blocks: int, epochs: int) -> list[int]:
    """The first epoch (from 0) of each block, from the deepest to the top, and of the head.

    Example:
        >>> thaws(3, 10), thaws(6, 4)
        ([3, 2, 1, 0], [3, 3, 2, 2, 1, 1, 0])
    """
    span = min(blocks, max(1, 3 * epochs // 4), max(0, epochs - 1))
    from_top = [math.ceil(k * span / blocks) for k in range(1, blocks + 1)]
    return [*reversed(from_top), 0]
