"""Norm tuning: only the scale and shift of the norms and the head train; batch-norm statistics stay as they are."""

from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.train.norms import is_norm
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options

RATE = 1e-3


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Every norm's weight and bias below the head. Norms are found by what they are: one number a channel.

    Raises:
        InputError: The network has no norms with weights.
    """
    live = {name for block in model.body for name in block.parameters}
    found = [
        f"{name}.{part}"
        for name, module in model.network.body.named_modules(prefix="body")
        if is_norm(module)
        for part, _ in module.named_parameters(recurse=False)
    ]
    names = [name for name in found if name in live]
    if not names:
        raise InputError("this network has no norms with weights, so `norm` would train the head alone; use `head`.")
    rate = options.rate or RATE
    return part_groups(model, names, rate=rate, head_rate=rate)
