"""Partial fine-tuning: the top blocks train, those below stay as they are."""

import math

from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.transfers.fine_tune import RATE, RATIO
from headstart.transfers.network import Transferable, whole_groups
from headstart.transfers.options import Options

TOP = 0.5


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """The top N blocks, or a share of the blocks, at rate / ratio; the head at the rate.

    Raises:
        InputError: More blocks are asked for than there are, or a part of one.
    """
    rate, ratio, blocks = options.rate or RATE, options.ratio or RATIO, len(model.body)
    top = TOP if options.top is None else options.top
    if top >= 1 and (top != int(top) or top > blocks):
        raise InputError(
            f"`top` must be a whole number of blocks from 1 to {blocks}, or a share below 1; got {top:g}. "
            f"The blocks, from input to output: {', '.join(block.name for block in model.body)}."
        )
    count = int(top) if top >= 1 else math.ceil(top * blocks)
    return whole_groups(model, [0.0] * (blocks - count) + [rate / ratio] * count + [rate])
