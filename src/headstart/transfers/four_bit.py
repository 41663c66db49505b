"""Linear layers in 4 bits: made, saved, read back and turned into plain ones again, through `bitsandbytes`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import require
from headstart.sources.quiet import quiet_import

BLOCK = 64  # numbers that share a scale


def require_bitsandbytes() -> Any:
    """The library, or the line that installs it.

    Raises:
        MissingExtra: bitsandbytes is not installed.
    """
    with quiet_import():
        return require("bitsandbytes", "`qlora`", "qlora")


def four_bits(network: nn.Module, names: Sequence[str], run: Callable[[], object]) -> int:
    """Round those of the named layers that are linear, in place; how many they are.

    Two kinds of layers stay as they are. Those whose inputs are no multiple of 64: bitsandbytes 0.50 reads some of them
    back wrongly on a CPU, because a block of 64 then runs over the end of a row. And those whose caller casts their
    input to the type of their weights, as T5 does: in 4 bits that type is an integer.

    Args:
        run: Sends a batch through the network.
    """
    layers = {name: network.get_submodule(name) for name in names}
    linear = {n: one for n, one in layers.items() if type(one) is nn.Linear and one.in_features % BLOCK == 0}
    cast: set[nn.Module] = set()

    def watch(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not inputs[0].is_floating_point():
            cast.add(layer)
        return tuple(each.float() for each in inputs)

    rounded = {name: _rounded(layer) for name, layer in linear.items()}
    hooks = [layer.register_forward_pre_hook(watch) for layer in rounded.values()]
    for name, layer in rounded.items():
        network.set_submodule(name, layer)
    run()
    for hook in hooks:
        hook.remove()
    for name in [name for name, layer in rounded.items() if layer in cast]:
        network.set_submodule(name, linear.pop(name))
    network.is_loaded_in_4bit = True  # type: ignore[assignment]  # peft asks for it
    return len(linear)


def is_four_bit(parameter: Tensor) -> bool:
    """Whether a parameter holds packed 4-bit numbers."""
    return getattr(parameter, "quant_state", None) is not None


def size(parameter: Tensor) -> int:
    """How many numbers a parameter stands for, packed or not."""
    return math.prod(parameter.quant_state.shape) if is_four_bit(parameter) else parameter.numel()  # type: ignore[attr-defined]


def plain(layer: nn.Linear) -> nn.Linear:
    """A 4-bit layer as an ordinary one with the values that it stands for."""
    packed: Any = layer.weight
    weight = require_bitsandbytes().functional.dequantize_4bit(packed.data, packed.quant_state)
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None)
    with torch.no_grad():
        made.weight.copy_(weight)
        if layer.bias is not None:
            made.bias.copy_(layer.bias)
    return made


def scales(network: nn.Module) -> dict[str, Tensor]:
    """What belongs to the packed numbers, by name: `LAYER.weight.absmax` and so on."""
    return {
        f"{name}.{key}": value.clone()
        for name, parameter in network.named_parameters()
        if is_four_bit(parameter)
        for key, value in parameter.quant_state.as_dict(packed=True).items()  # type: ignore[attr-defined]
    }


def put_packed(network: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put packed numbers and their scales back, in place; returns the tensors that are left."""
    left = dict(tensors)
    for name, parameter in list(network.named_parameters()):
        if is_four_bit(parameter) and name in left:
            own = {key: left.pop(key) for key in list(left) if key.startswith(f"{name}.")}
            state = {key.removeprefix(f"{name}."): value for key, value in own.items()}
            owner, _, last = name.rpartition(".")
            layer = network.get_submodule(owner)
            packed = require_bitsandbytes().nn.Params4bit.from_prequantized(
                left.pop(name), state, device=parameter.device, module=layer
            )
            setattr(layer, last, packed)
    return left


def _rounded(layer: nn.Linear) -> nn.Linear:
    library = require_bitsandbytes()
    made = library.nn.Linear4bit(
        layer.in_features, layer.out_features, layer.bias is not None, compute_dtype=torch.float32, quant_type="nf4"
    )
    made.weight = library.nn.Params4bit(layer.weight.data.clone(), quant_type="nf4", module=made)
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.data.clone())
    # Its fast path on some processors repacks the weights while it predicts, and rounds products to 16 bits.
    made.support_avx512bf16_for_cpu = False
    done: nn.Linear = made.to(layer.weight.device).train(layer.training)
    return done
