"""Fine-tuning: the whole network or its top trains, the pretrained part more slowly than the new head."""

import math
from dataclasses import dataclass, replace

from headstart.errors import InputError
from headstart.records.options import option
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, whole_groups
from headstart.transfers.setting import Setting

RATIO_USUAL = 10.0
RATIO = "How many times smaller the learning rate of pretrained parts is"


@method("fine-tune")
@dataclass(frozen=True)
class FineTune(Tuning):
    """Train the whole network, the pretrained part more slowly than the head."""

    rate: float | None = learning_rate(1e-3)
    ratio: float | None = option(None, RATIO, above=0, usual=RATIO_USUAL)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """Every block at rate / ratio, the head at the rate."""
        rate, ratio = self.rate_in(setting), self.ratio or RATIO_USUAL
        return Recipe(whole_groups(network, [rate / ratio] * len(network.body) + [rate]))


@method("partial")
@dataclass(frozen=True)
class Partial(Tuning):
    """Train only the top blocks and the head."""

    rate: float | None = learning_rate(1e-3)
    ratio: float | None = option(None, RATIO, above=0, usual=RATIO_USUAL)
    top: float = option(0.5, "How many of the top blocks train, or which share of the blocks (below 1)", above=0)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The top N blocks, or a share of the blocks, at rate / ratio; the head at the rate.

        Raises:
            InputError: There are fewer blocks, or `top` is not a whole number of them.
        """
        rate, blocks = self.rate_in(setting), len(network.body)
        if self.top >= 1 and (self.top != int(self.top) or self.top > blocks):
            raise InputError(
                f"`top` must be a whole number of blocks from 1 to {blocks}, or a share below 1; got {self.top:g}. "
                f"The blocks, from input to output: {', '.join(block.name for block in network.body)}."
            )
        ratio = self.ratio or RATIO_USUAL
        count = int(self.top) if self.top >= 1 else math.ceil(self.top * blocks)
        return Recipe(whole_groups(network, [0.0] * (blocks - count) + [rate / ratio] * count + [rate]))


@method("probe-fine-tune")
@dataclass(frozen=True)
class ProbeFineTune(FineTune):
    """Solve the head first, then train everything (Kumar et al., ICLR 2022)."""

    penalty: float | None = option(None, "L2 penalty of the solved head", above=0, usual="chosen by leave-one-out")
    probes_first = True


@method("scratch")
@dataclass(frozen=True)
class Scratch(Tuning):
    """Train the same network from random weights: the reference for every gain."""

    rate: float | None = learning_rate(1e-3)
    scratch = True
    tunes = False

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """Every block at one rate, and new: nothing in it is worth protecting."""
        groups = whole_groups(network, [self.rate_in(setting)] * len(network.blocks))
        return Recipe(tuple(replace(group, new=True) for group in groups))
