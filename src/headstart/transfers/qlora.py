"""QLoRA: low-rank updates beside linear layers that are kept in 4 bits, through `bitsandbytes` and `peft`.

Dettmers et al., NeurIPS 2023. https://arxiv.org/abs/2305.14314. The linear layers below the head (those with a multiple
of 64 inputs) are rounded to the 16 values of NF4 in blocks of 64, the blocks' scales to 8 bits; products are computed
in float32. Other layers stay as they are. On a CPU this saves memory, not time.
"""

from headstart.errors import InputError
from headstart.train.groups import Group
from headstart.transfers.four_bit import four_bits, require_bitsandbytes
from headstart.transfers.lora import insert, target_layers
from headstart.transfers.network import Transferable
from headstart.transfers.options import Options


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Round the linear layers and put the updates in; the updates and the head train.

    Raises:
        MissingExtra: bitsandbytes or peft is not installed.
        InputError: The network has no linear layer below its head.
    """
    require_bitsandbytes()
    if not four_bits(model.network, target_layers(model)):
        raise InputError(
            "4 bits are for linear layers with a multiple of 64 inputs, and this network has none below its head. "
            "Use `lora`, which takes every linear layer and convolutions as well."
        )
    return insert(model, options)
