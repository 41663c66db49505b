"""Layer-wise rate decay: each block learns more slowly than the one above it (BEiT, Bao et al. 2022)."""

from headstart.train.groups import Group
from headstart.transfers.network import Transferable, deepest_first, whole_groups
from headstart.transfers.options import Options

RATE, DECAY = 5e-4, 0.75


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Block k below the head at rate * decay^k. The rates are in the groups themselves, so any schedule keeps them."""
    rates = deepest_first(len(model.blocks), 1 / (options.decay or DECAY), options.rate or RATE)
    return whole_groups(model, rates)
