"""Prefix tuning: keys and values in front of those of the text train in every layer; the network stays as it is.

Li and Liang, ACL 2021. https://arxiv.org/abs/2101.00190. For texts. The words keep their positions, and what reads the
tokens afterwards (a mean over them, a pooler) sees none but those of the text.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from headstart.records.options import option
from headstart.transfers.attention import Attended, extend_attention, noisy, real_tokens
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting


class PrefixParts(nn.Module):
    """Keys and values (1, heads, tokens, width) of one layer's virtual tokens."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = nn.Parameter(keys), nn.Parameter(values)


@method("prefix")
@dataclass(frozen=True)
class Prefix(Tuning):
    """Train virtual keys and values in every layer, and the head."""

    rate: float | None = learning_rate(1e-2)
    prompt: int = option(8, "Width of a visual prompt, or number of virtual tokens", low=1)
    kinds = ("text",)
    tunes, inserts = False, True

    def insert(self, network: Transferable) -> None:
        """Put a prefix into every layer; it starts from the keys and values of real words.

        The paper found that start best where data are few.

        Raises:
            InputError: The network is no text model of transformers.
        """
        layers: dict[nn.Module, Attended] = {}
        for layer in extend_attention(network):
            layers.setdefault(layer.module, layer)  # a layer that runs several times has one prefix
        rows, positions = real_tokens(network, self.prompt)
        for module, layer in layers.items():
            keys, values = (
                noisy(part[rows, :, positions].transpose(0, 1))[None] for part in (layer.keys, layer.values)
            )
            module.add_module("prefix", PrefixParts(keys, values))
        network.network.eval()

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The prefixes and the head train."""
        found = [(name, part) for name, part in network.network.named_modules() if isinstance(part, PrefixParts)]
        names = [f"{name}.{end}" for name, part in found for end, _ in part.named_parameters()]
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, names, rate=rate, head_rate=rate, modules=[name for name, _ in found]))
