"""Parameter groups: what trains, at which rate and from which epoch; and keeping frozen parts truly frozen.

Every live parameter of a network is in exactly one group from the first step, those that never train with rate 0:
groups that are added later break an exact resume.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
_AFFINE_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Group:
    """Parameters of one block that share a rate and the epoch in which they thaw."""

    block: str
    parameters: tuple[str, ...]  # dotted names in the network
    modules: tuple[str, ...]  # in train mode while the group trains; every other module stays in eval
    rate: float  # peak learning rate; 0: frozen throughout
    thaw: int = 0  # the first epoch (from 0) in which it trains
    new: bool = False  # freshly drawn (a head, an adapter): no pretrained value to stay close to

    def trains_in(self, epoch: int) -> bool:
        return self.rate > 0 and epoch >= self.thaw


def set_trainable(network: nn.Module, groups: Sequence[Group], epoch: int, *, keep_statistics: bool = False) -> int:
    """Freeze and thaw for `epoch`; return how many numbers train in it.

    Frozen means that nothing moves: no gradient, batch-norm statistics kept, dropout off. A module that no group names,
    because it spans several, is in train mode only while every layer beneath it that holds live parameters is.

    Args:
        keep_statistics: Batch norm keeps its pretrained statistics even where its weights train.
    """
    parameters, modules = dict(network.named_parameters()), dict(network.named_modules())
    network.eval()
    active = {name for group in groups if group.trains_in(epoch) for name in group.parameters}
    live = {id(parameters[name]) for group in groups for name in group.parameters}
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in active)
    owned = {name for group in groups for name in group.modules}
    for group in groups:
        if group.trains_in(epoch):
            for name in group.modules:
                modules[name].training = True  # .train() would also reach into children of other groups
    for name, module in reversed(modules.items()):  # children before their parents
        if name not in owned:
            below = [part for part in module.modules() if part is not module and _holds(part, live)]
            module.training = bool(below) and all(part.training for part in below)
    if keep_statistics:
        for module in modules.values():
            if isinstance(module, _NORMS):
                module.training = False
    return sum(parameters[name].numel() for name in active)


def _holds(module: nn.Module, live: set[int]) -> bool:
    return any(id(parameter) in live for parameter in module.parameters(recurse=False))


def has_batch_statistics(network: nn.Module, groups: Sequence[Group]) -> bool:
    """Whether some batch norm would compute statistics over the batch at some time in the training."""
    training = {name for group in groups if group.rate > 0 for name in group.modules}
    return any(isinstance(module, _NORMS) and name in training for name, module in network.named_modules())


def is_norm(module: nn.Module) -> bool:
    """Whether a layer scales and shifts each channel after normalising it, torch's own or a library's.

    Example:
        >>> is_norm(nn.BatchNorm2d(3)), is_norm(nn.BatchNorm2d(3, affine=False)), is_norm(nn.Linear(3, 3))
        (True, False, False)
    """
    parameters = list(module.parameters(recurse=False))
    known = isinstance(module, _AFFINE_NORMS) or "norm" in type(module).__name__.lower()  # a library's own
    return known and bool(parameters) and all(parameter.ndim == 1 for parameter in parameters)


def reached(module: nn.Module, run: Callable[[], Tensor]) -> set[str]:
    """Names of the parameters on which a result depends: those that a backward pass from it would reach.

    The graph of the forward pass tells; no gradient is computed. None is reached in a network that runs its layers
    without gradients.
    """
    wanted = {parameter: parameter.requires_grad for parameter in module.parameters()}
    for parameter in wanted:
        parameter.requires_grad_(parameter.is_floating_point())
    try:
        with torch.enable_grad():
            found = _leaves(run())
        return {name for name, parameter in module.named_parameters() if id(parameter) in found}
    except RuntimeError:  # under `torch.inference_mode` even a head has no backward pass
        return set()
    finally:
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)


def _leaves(result: Tensor) -> set[int]:
    """Ids of the tensors at the ends of a result's graph."""
    found, seen, todo = set(), set(), [result.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo += [before for before, _ in node.next_functions]
        if (leaf := getattr(node, "variable", None)) is not None:
            found.add(id(leaf))
    return found
