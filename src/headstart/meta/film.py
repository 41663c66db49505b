"""FiLM: a scale and a shift for every channel of a frozen network, given at each call (Perez et al., AAAI 2018).

gamma * norm(x) + beta is the norm itself with weight gamma * w and bias gamma * b + beta. So nothing is inserted: the
network is called with those tensors in the place of its own (`torch.func.functional_call`), whatever its architecture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from headstart.errors import ModelError
from headstart.train.norms import is_norm

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class FilmPoint:
    """A place where each channel is scaled and shifted: dotted names of two tensors with one row a channel."""

    weight: str
    bias: str
    channels: int


def film_points(network: nn.Module, probe: Any) -> tuple[FilmPoint, ...]:
    """The affine norms that the network's features pass through; in one without norms, its convolutions with a bias.

    Args:
        network: batch -> (features, logits or None). It is left as it is, but gradients it holds are cleared.
        probe: A small batch.

    Raises:
        ModelError: There is none, or the network computes without gradients.

    Example:
        >>> class Body(nn.Sequential):
        ...     def forward(self, x):
        ...         return super().forward(x).mean(dim=(2, 3)), None
        >>> body = Body(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
        >>> film_points(body, torch.zeros(1, 3, 2, 2))
        (FilmPoint(weight='1.weight', bias='1.bias', channels=4),)
    """
    live = _live(network, probe)
    found = [
        FilmPoint(f"{name}.weight", f"{name}.bias", layer.bias.numel())
        for name, layer in network.named_modules()
        if is_norm(layer) and {f"{name}.weight", f"{name}.bias"} <= live
    ]
    points = found or _of_convolutions(network, probe, live)
    if not points:
        raise ModelError(
            f"{type(network).__name__} has neither norms nor convolutions with a bias on the way to its features, so "
            "there is nothing that FiLM could scale and shift. Choose another source."
        )
    return tuple(points)


def filmed(
    tensors: Mapping[str, Tensor], points: Sequence[FilmPoint], gammas: Sequence[Tensor], betas: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The tensors to call the network with: at each point weight * gamma and bias * gamma + beta.

    Args:
        tensors: The network's own, by name.
        gammas: (channels,) for each point; 1 leaves the network as it is.
        betas: (channels,) for each point; 0 leaves it as it is.
    """
    found = {}
    for point, gamma, beta in zip(points, gammas, betas, strict=True):
        weight = tensors[point.weight]
        found[point.weight] = weight * gamma.view(-1, *[1] * (weight.ndim - 1))
        found[point.bias] = tensors[point.bias] * gamma + beta
    return found


def features_with(network: nn.Module, film: Mapping[str, Tensor], batch: Any) -> Tensor:
    """Features (b, d) of a batch with other tensors in the place of the network's own."""
    return functional_call(network, dict(film), (batch,))[0]


def _live(network: nn.Module, probe: Any) -> set[str]:
    """Names of the parameters on which the features depend."""
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    network.requires_grad_(True)
    try:
        with torch.enable_grad():
            network(probe)[0].sum().backward()
    except RuntimeError:  # nothing there has a backward pass: the network computes without gradients
        return set()
    finally:
        found = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
        network.zero_grad(set_to_none=True)
        for parameter, wants in zip(network.parameters(), wanted, strict=True):
            parameter.requires_grad_(wants)
    return found


def _of_convolutions(network: nn.Module, probe: Any, live: set[str]) -> list[FilmPoint]:
    """Convolutions whose bias is their own, or that of a lone-bias layer which their result goes straight into.

    The latter is what a batch norm leaves that was folded into the convolution before it.
    """
    results: dict[int, tuple[str, Tensor]] = {}  # the tensors are kept, or their ids would go round
    fed: dict[str, str] = {}  # convolution -> the layer that its result goes into

    def note_result(name: str, result: Tensor) -> None:
        results[id(result)] = (name, result)

    def note_input(name: str, given: Tensor) -> None:
        if id(given) in results:
            fed[results[id(given)][0]] = name

    hooks = []
    for name, layer in network.named_modules():
        if isinstance(layer, _CONVOLUTIONS):
            hooks.append(layer.register_forward_hook(lambda _, __, result, name=name: note_result(name, result)))
        elif [key for key, _ in layer.named_parameters(recurse=False)] == ["bias"]:
            hooks.append(layer.register_forward_pre_hook(lambda _, given, name=name: note_input(name, given[0])))
    try:
        with torch.inference_mode():
            network(probe)
    finally:
        for hook in hooks:
            hook.remove()
    found = []
    for name, layer in network.named_modules():
        if isinstance(layer, _CONVOLUTIONS):
            bias = f"{name if layer.bias is not None else fed.get(name)}.bias"
            if {f"{name}.weight", bias} <= live:
                found.append(FilmPoint(f"{name}.weight", bias, layer.out_channels))
    return found
