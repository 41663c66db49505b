"""Training from scratch: the same network and budget from random weights, the reference of every gain."""

from dataclasses import replace

from headstart.train.groups import Group
from headstart.transfers.fine_tune import RATE
from headstart.transfers.network import Transferable, whole_groups
from headstart.transfers.options import Options


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Every block at one rate, and new: nothing in it is worth protecting."""
    groups = whole_groups(model, [options.rate or RATE] * len(model.blocks))
    return tuple(replace(group, new=True) for group in groups)
