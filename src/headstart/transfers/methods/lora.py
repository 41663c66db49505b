"""LoRA, DoRA and QLoRA: low-rank updates beside linear and convolution layers train, through `peft`.

Targets are found by type and shape, never by name. Grouped convolutions are left out (their rank would have to be
divisible by the groups), and so is the output projection inside torch's own multi-head attention, whose weight is read
without calling the layer, so that an update would do nothing.
"""

import sys
import warnings
from dataclasses import dataclass
from typing import Any

from torch import nn

from headstart.errors import InputError, require
from headstart.records.options import option
from headstart.sources.quiet import quiet_import
from headstart.transfers.four_bit import four_bits, is_four_bit, plain, require_bitsandbytes
from headstart.transfers.method import Recipe, Tuning, learning_rate, method
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.setting import Setting


@method("lora")
@dataclass(frozen=True)
class Lora(Tuning):
    """Train low-rank updates beside the layers (Hu et al., ICLR 2022)."""

    rate: float | None = learning_rate(1e-3)
    rank: int = option(8, "Rank of the updates", low=1)
    alpha: float | None = option(None, "Scale: an update counts alpha / rank", above=0, usual="2 * rank")
    dropout: float = option(0.0, "Dropout in front of the inserted parts", low=0, below=1)
    tunes, inserts, merges = False, True, True

    def insert(self, network: Transferable) -> None:
        """Put the updates in.

        Raises:
            MissingExtra: peft is not installed.
            InputError: The network has no layer that fits.
        """
        self.put_in(network)

    def put_in(self, model: Transferable, **config: Any) -> None:
        """The same, with more settings of peft's."""
        peft = require_peft()
        targets = target_layers(model)
        if not targets:
            raise InputError("this network has no linear layer or plain convolution for an update; use `adapters`.")
        settings = peft.LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=targets,
            **config,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")
            warnings.filterwarnings("ignore", message="fan_in_fan_out")  # peft sets it for GPT-2's layers
            peft.inject_adapter_in_model(settings, model.network)
        for layer in model.network.modules():
            if isinstance(layer, nn.TransformerEncoderLayer):  # its fast path takes the weights and skips the updates
                layer.register_forward_pre_hook(_no_fast_path)
        model.network.eval()

    def merge(self, network: nn.Module) -> None:
        """Fold the updates into their layers, in place."""
        merge(network)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The updates and the head train."""
        names = [name for name, _ in network.network.named_parameters() if ".lora_" in name]
        added = [name for name, _ in network.network.named_modules() if ".lora_" in name]
        rate = self.rate_in(setting)
        return Recipe(part_groups(network, names, rate=rate, head_rate=rate, modules=added))


@method("dora")
@dataclass(frozen=True)
class Dora(Lora):
    """Train low-rank updates, each with a magnitude of its own (Liu et al., ICML 2024)."""

    def insert(self, network: Transferable) -> None:
        """Put the updates and their magnitudes in."""
        self.put_in(network, use_dora=True)


@method("qlora")
@dataclass(frozen=True)
class QLora(Lora):
    """Train low-rank updates beside linear layers kept in 4 bits (Dettmers et al., NeurIPS 2023).

    The linear layers below the head (those with a multiple of 64 inputs) are rounded to the 16 values of NF4 in blocks
    of 64, the blocks' scales to 8 bits; products are computed in float32. Other layers stay as they are. On a CPU this
    saves memory, not time.
    """

    def insert(self, network: Transferable) -> None:
        """Round the linear layers and put the updates in.

        Raises:
            MissingExtra: bitsandbytes or peft is not installed.
            InputError: The network has no linear layer below its head.
        """
        require_bitsandbytes()
        if not four_bits(network.network, target_layers(network), lambda: network.observe(())):
            raise InputError(
                "4 bits are for linear layers with a multiple of 64 inputs, and this network has none below its head. "
                "Use `lora`, which takes every linear layer and convolutions as well."
            )
        self.put_in(network)


def _no_fast_path(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    """A layer with a hook, whatever it does, runs its parts one by one."""


def target_layers(model: Transferable) -> list[str]:
    """Full names of the layers below the head that can carry an update."""
    live = {name for block in model.body for name in block.parameters}
    found = []
    inside: tuple[str, ...] = ()
    transformers = sys.modules.get("transformers.pytorch_utils")
    linear = (nn.Linear, transformers.Conv1D) if transformers else nn.Linear  # GPT-2's keeps its weight transposed
    for name, module in model.network.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            inside = (*inside, f"{name}.")
        plain = isinstance(module, linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
        if plain and f"{name}.weight" in live and not name.startswith(inside or ("\0",)):
            found.append(name)
    return found


def merge(network: nn.Module) -> None:
    """Fold every update into its layer, in place: the network is then the plain one, with other weights.

    Layers in 4 bits become ordinary ones first: folded into 4 bits, the update would be rounded away.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(network.named_modules()):
        if not isinstance(module, BaseTunerLayer):
            continue
        layer = module.get_base_layer()
        if is_four_bit(layer.weight):
            layer = plain(layer)
            layer.weight.data += module.get_delta_weight("default")
        else:
            module.merge(safe_merge=True)
        network.set_submodule(name, layer)


def require_peft() -> Any:
    """The library, or the line that installs it.

    Raises:
        MissingExtra: peft is not installed.
    """
    with quiet_import():  # it imports bitsandbytes where that is installed
        return require("peft", "this method", "peft")
