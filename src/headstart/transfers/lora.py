"""LoRA and DoRA: low-rank updates beside linear and convolution layers train, through `peft`.

Targets are found by type and shape, never by name. Grouped convolutions are left out (their rank would have to be
divisible by the groups), and so is the output projection inside torch's own multi-head attention, whose weight is read
without calling the layer, so that an update would do nothing.
"""

import warnings
from typing import Any

from torch import nn

from headstart.errors import InputError, require
from headstart.sources.transformers_models import quiet_import
from headstart.train.groups import Group
from headstart.transfers.four_bit import is_four_bit, plain
from headstart.transfers.network import Transferable, part_groups
from headstart.transfers.options import Options

RATE, RANK = 1e-3, 8
MERGED = ("lora", "dora", "qlora")  # methods whose updates can be folded in


def plan(model: Transferable, options: Options) -> tuple[Group, ...]:
    """Low-rank updates (Hu et al., ICLR 2022. https://arxiv.org/abs/2106.09685)."""
    return insert(model, options)


def plan_dora(model: Transferable, options: Options) -> tuple[Group, ...]:
    """The same with a magnitude that trains on its own (Liu et al., ICML 2024. https://arxiv.org/abs/2402.09353)."""
    return insert(model, options, use_dora=True)


def insert(model: Transferable, options: Options, **config: Any) -> tuple[Group, ...]:
    """Put the updates in; they and the head train.

    Raises:
        MissingExtra: peft is not installed.
        InputError: The network has no layer that fits.
    """
    peft = require_peft()
    targets = target_layers(model)
    if not targets:
        raise InputError("this network has no linear layer or plain convolution for a low-rank update; use `adapters`.")
    rank = options.rank or RANK
    settings = peft.LoraConfig(
        r=rank,
        lora_alpha=2 * rank if options.alpha is None else options.alpha,
        lora_dropout=options.dropout or 0.0,
        target_modules=targets,
        **config,
    )
    network = model.network
    before = {name for name, _ in network.named_modules()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")
        peft.inject_adapter_in_model(settings, network)
    for layer in network.modules():
        if isinstance(layer, nn.TransformerEncoderLayer):  # its fast path takes the weights and passes by the updates
            layer.register_forward_pre_hook(_no_fast_path)
    network.eval()
    names = [name for name, _ in network.named_parameters() if ".lora_" in name]
    added = [n for n, _ in network.named_modules() if n not in before and ".lora_" in n]
    rate = options.rate or RATE
    return part_groups(model, names, rate=rate, head_rate=rate, modules=added)


def _no_fast_path(layer: nn.Module, inputs: tuple) -> None:
    """A layer with a hook, whatever it does, runs its parts one by one."""


def target_layers(model: Transferable) -> list[str]:
    """Full names of the layers below the head that can carry an update."""
    live = {name for block in model.body for name in block.parameters}
    found = []
    inside: tuple[str, ...] = ()
    for name, module in model.network.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            inside = (*inside, f"{name}.")
        plain = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
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
