"""BitFit: only the biases and the head train (Ben Zaken et al., ACL 2022. https://arxiv.org/abs/2106.10199)."""

from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options

RATE = 1e-3


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Every bias below the head, those of norms too.

    Raises:
        InputError: The network has no biases.
    """
    biases = [name for block in model.body for name in block.parameters if _is_bias(name.rpartition(".")[2])]
    if not biases:
        raise InputError("this network has no biases, so `bitfit` would train the head alone; use `head` for that.")
    rate = options.rate or RATE
    return part_groups(model, biases, rate=rate, head_rate=rate)


def _is_bias(name: str) -> bool:
    """Recurrent layers call theirs `bias_ih_l0`, attention `in_proj_bias`."""
    return name.startswith("bias") or name.endswith("bias")
