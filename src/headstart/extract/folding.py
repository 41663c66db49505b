"""Batch norms folded into the convolutions before them: the same function in fewer passes over memory."""

import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from headstart.errors import ModelError
from headstart.extract.outputs import Outputs, disagreement
from headstart.sources.network import share_weights

ROUNDING = 1e-5  # of the largest value; more means that a norm's input is also used elsewhere


def folded(network: nn.Module, run: Callable[[nn.Module], Outputs], expected: Outputs) -> nn.Module | None:
    """A copy with every batch norm folded that directly follows a convolution; None if there is none to gain.

    Args:
        network: In eval mode; it is not edited.
        run: Sends a batch through a network.
        expected: What `run` returns for `network`; the copy must agree to `ROUNDING`.
    """
    if not any(_after(module) is not None for module in network.modules()):
        return None
    copy = share_weights(network).eval()
    try:
        pairs = _pairs(copy, run)
        for before, after in pairs:
            conv, norm = copy.get_submodule(before), copy.get_submodule(after)
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            copy.set_submodule(before, fuse_conv_bn_eval(conv, norm).requires_grad_(False))
            copy.set_submodule(after, _after(norm) or nn.Identity())
        return copy if pairs and disagreement(run(copy), expected) <= ROUNDING else None
    except ModelError:  # it reads the weights of its own norms
        return None


def _pairs(network: nn.Module, run: Callable[[nn.Module], Outputs]) -> list[tuple[str, str]]:
    """Names of the convolutions and norms where the norm's input is the convolution's output, each called once."""
    made: dict[int, tuple[str, Tensor]] = {}  # the tensors are kept, or their ids would be used again
    calls: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_: nn.Module, inputs: object, output: Tensor, name: str = name) -> None:
                made[id(output)] = name, output
                calls[name] = calls.get(name, 0) + 1

            hooks.append(module.register_forward_hook(note))
        elif _after(module) is not None and not module._forward_hooks and not module._forward_pre_hooks:

            def meet(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                calls[name] = calls.get(name, 0) + 1
                if (before := made.get(id(inputs[0]))) is not None:
                    found.append((before[0], name))

            hooks.append(module.register_forward_pre_hook(meet))
    run(network)
    for hook in hooks:
        hook.remove()
    return [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1 and _plain(network, pair[0])]


def _plain(network: nn.Module, conv: str) -> bool:
    module = network.get_submodule(conv)
    return not module._forward_hooks and not module._forward_pre_hooks


def _after(norm: nn.Module) -> nn.Module | None:
    """What is left of a batch norm once it is folded; None for other modules, and without statistics."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
        return None
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    timm: Any = sys.modules.get("timm.layers")
    acting: Any = norm
    return nn.Sequential(acting.drop, acting.act) if timm and type(norm) is timm.BatchNormAct2d else None
