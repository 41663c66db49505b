"""Gradual unfreezing: ULMFiT's three techniques together (Howard and Ruder, ACL 2018)."""

import math

from headstart.train.groups import Group
from headstart.transfers.network import Transferable, deepest_first, whole_groups
from headstart.transfers.options import Options

RATE = 1e-3
FACTOR = 2.6  # the paper's, for networks of up to 5 layers
LAYERS = 4  # steps between its lowest and highest layer


def plan(model: Transferable, options: Options, epochs: int) -> tuple[Group, ...]:
    """The head trains from the first epoch; then block after block thaws, from the top down, until all train.

    One block an epoch, as in the paper, or as many as it takes to have all of them thawed after three quarters of the
    epochs. Each block's rate is that of the one above it / 2.6; for networks of more than five blocks, whose deepest
    ones would hardly move, the factor is such that the lowest rate is the paper's, 2.6^-4 of the highest. The
    slanted triangular schedule is the training's.
    """
    blocks = len(model.body)
    factor = 1 / options.decay if options.decay else FACTOR ** min(1.0, LAYERS / blocks)
    rates = deepest_first(len(model.blocks), factor, options.rate or RATE)
    return whole_groups(model, rates, thaws(blocks, epochs))


def thaws(blocks: int, epochs: int) -> list[int]:
    """The first epoch (from 0) of each block, from the deepest to the top, and of the head.

    Example:
        >>> thaws(3, 10), thaws(6, 4)
        ([3, 2, 1, 0], [3, 3, 2, 2, 1, 1, 0])
    """
    span = min(blocks, max(1, 3 * epochs // 4), max(0, epochs - 1))
    from_top = [math.ceil(k * span / blocks) for k in range(1, blocks + 1)]
    return [*reversed(from_top), 0]
