"""Prefix tuning: keys and values in front of those of the text train in every layer; the network stays as it is.

Li and Liang, ACL 2021. https://arxiv.org/abs/2101.00190. For texts. The words keep their positions, and what reads the
tokens afterwards (a mean over them, a pooler) sees none but those of the text.
"""

from torch import Tensor, nn

from headstart.train.groups import Group
from headstart.transfers.attention import Attended, extend_attention, noisy, real_tokens
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options

RATE, TOKENS = 1e-2, 8


class Prefix(nn.Module):
    """Keys and values (1, heads, tokens, width) of one layer's virtual tokens."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = nn.Parameter(keys), nn.Parameter(values)


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Put a prefix into every layer; they and the head train.

    It starts from the keys and values of real words, which the paper found best where data are few.

    Raises:
        InputError: The network is no text model of transformers.
    """
    layers: dict[nn.Module, Attended] = {}
    for layer in extend_attention(model):
        layers.setdefault(layer.module, layer)  # a layer that runs several times has one prefix
    rows, positions = real_tokens(model, options.prompt or TOKENS)
    for module, layer in layers.items():
        keys, values = (noisy(part[rows, :, positions].transpose(0, 1))[None] for part in (layer.keys, layer.values))
        module.add_module("prefix", Prefix(keys, values))
    model.network.eval()
    found = [(name, module) for name, module in model.network.named_modules() if isinstance(module, Prefix)]
    names = [f"{name}.{part}" for name, module in found for part, _ in module.named_parameters()]
    rate = options.rate or RATE
    return part_groups(model, names, rate=rate, head_rate=rate, modules=[name for name, _ in found])
