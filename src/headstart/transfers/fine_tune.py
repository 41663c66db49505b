"""Fine-tuning: the whole model trains, the pretrained part more slowly than the new head."""

from headstart.train.groups import Group
from headstart.transfers.network import Transferable, whole_groups
from headstart.transfers.options import Options

RATE, RATIO = 1e-3, 10.0


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Every block at rate / ratio, the head at the rate."""
    rate, ratio = options.rate or RATE, options.ratio or RATIO
    return whole_groups(model, [rate / ratio] * len(model.body) + [rate])
