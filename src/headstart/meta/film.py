"""FiLM: scales and shifts each channel of a frozen network, by values given at each call (Perez et al., AAAI 2018).

gamma * norm(x) + beta equals the norm with weight gamma * w and bias gamma * b + beta, so no layer is inserted: the
network is called with these tensors instead of its own (`torch.func.functional_call`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.hooks import RemovableHandle

from headstart.errors import ModelError
from headstart.train.groups import is_norm, reached

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_AFFINE = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)  # timm's versions may add an activation


@dataclass(frozen=True)
class FilmPoint:
    """A layer whose channels can be scaled and shifted: dotted names of its weight and bias."""

    weight: str
    bias: str
    channels: int


def film_points(network: nn.Module, probe: Any) -> tuple[FilmPoint, ...]:
    """The layers where FiLM can act: affine norms on the way to the features, or else convolutions with a bias.

    A layer counts only if changing its weights has the effect of an inserted scale and shift. That excludes custom
    norms that use their weights in another way, convolutions that rescale theirs, and weights that layers share.

    Args:
        network: batch -> (features, logits or None). It is not changed, but its gradients are cleared.
        probe: A small batch.

    Raises:
        ModelError: The network has no such layer.

    Example:
        >>> class Body(nn.Sequential):
        ...     def forward(self, x):
        ...         return super().forward(x).mean(dim=(2, 3)), None
        >>> body = Body(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
        >>> film_points(body, torch.zeros(1, 3, 2, 2))
        (FilmPoint(weight='1.weight', bias='1.bias', channels=4),)
    """
    usable = reached(network, lambda: network(probe)[0]) - _shared(network)
    norms = {name: layer for name, layer in network.named_modules() if is_norm(layer)}
    norms = {name: layer for name, layer in norms.items() if {f"{name}.weight", f"{name}.bias"} <= usable}
    seen, _ = _watched(network, probe, norms)
    found = [
        FilmPoint(f"{name}.weight", f"{name}.bias", layer.bias.numel())
        for name, layer in norms.items()
        if isinstance(layer, _AFFINE) or _is_affine(layer, seen[name])
    ]
    points = found or _of_convolutions(network, probe, usable)
    if not points:
        raise ModelError(
            f"{type(network).__name__} has no norms, and no convolutions with a bias, that its features pass through "
            "with gradients and whose channels FiLM could scale and shift. Choose another source."
        )
    return tuple(points)


def filmed(
    tensors: Mapping[str, Tensor], points: Sequence[FilmPoint], gammas: Sequence[Tensor], betas: Sequence[Tensor]
) -> dict[str, Tensor]:
    """The tensors to call the network with: weight * gamma and bias * gamma + beta at each point.

    Args:
        tensors: The network's tensors by name.
        gammas: (channels,) for each point; 1 changes nothing.
        betas: (channels,) for each point; 0 changes nothing.
    """
    found = {}
    for point, gamma, beta in zip(points, gammas, betas, strict=True):
        weight, bias = tensors[point.weight], tensors[point.bias]
        found[point.weight] = (weight * gamma.view(-1, *[1] * (weight.ndim - 1))).to(weight.dtype)
        found[point.bias] = (bias * gamma + beta).to(bias.dtype)
    return found


def features_with(network: nn.Module, film: Mapping[str, Tensor], batch: Any) -> Tensor:
    """Features (b, d) of a batch, with the tensors in `film` instead of the network's."""
    features: Tensor = functional_call(network, dict(film), (batch,))[0]
    return features


def _shared(network: nn.Module) -> set[str]:
    """Names of the parameters that several layers share: FiLM at one of these layers would change all of them."""
    owners: dict[int, int] = {}
    for layer in network.modules():
        for parameter in layer.parameters(recurse=False):
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {name for name, parameter in network.named_parameters() if owners[id(parameter)] > 1}


def _watched(
    network: nn.Module, probe: Any, layers: Mapping[str, nn.Module]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The first input of each layer on the probe, and for each layer the one that receives its output unchanged."""
    seen: dict[str, Tensor] = {}
    feeds: dict[str, str] = {}
    results: dict[int, tuple[str, Tensor, int]] = {}  # keeps the tensors, so that Python does not reuse their ids

    def before(name: str, given: tuple[Tensor, ...]) -> None:
        seen.setdefault(name, given[0].clone())
        maker, _, version = results.get(id(given[0]), ("", None, 0))
        if maker and version == given[0]._version:  # no in-place activation changed it
            feeds[maker] = name

    def after(name: str, result: Tensor) -> None:
        if not result.is_inference():  # such tensors have no version and no gradient
            results[id(result)] = (name, result, result._version)

    hooks: list[RemovableHandle] = []
    for name, layer in layers.items():
        hooks.append(layer.register_forward_pre_hook(lambda _, given, name=name: before(name, given)))
        hooks.append(layer.register_forward_hook(lambda _, __, result, name=name: after(name, result)))
    try:
        with torch.no_grad():
            network(probe)
    finally:
        for hook in hooks:
            hook.remove()
    return seen, feeds


def _is_affine(layer: Any, x: Tensor) -> bool:
    """Whether scaling the layer's weight and bias, and shifting its bias, scales and shifts the channels of its output.

    The channels are the second axis of the output, or the last.
    """
    generator = torch.Generator().manual_seed(0)
    gamma, beta = (torch.rand(len(layer.weight), generator=generator).to(x) + 0.5 for _ in range(2))
    scaled = layer.weight * gamma.view(-1, *[1] * (layer.weight.ndim - 1))
    bias = {} if layer.bias is None else {"bias": layer.bias * gamma + beta}
    with torch.no_grad():
        plain, filmed = layer(x.clone()), functional_call(layer, {"weight": scaled, **bias}, (x.clone(),))
    shift = beta if bias else torch.zeros_like(beta)
    shapes = ([1, -1, *[1] * (plain.ndim - 2)], [-1])
    return any(
        plain.shape[axis] == len(gamma) and _close(filmed, gamma.view(shape) * plain + shift.view(shape))
        for axis, shape in zip((1, -1), shapes, strict=True)
    )


def _is_shift(layer: Any, x: Tensor) -> bool:
    """Whether a layer with only a bias gives the same for x as it gives, without the bias, for x plus the bias."""
    bias = layer.bias.view(-1, *[1] * (x.ndim - 2))
    with torch.no_grad():
        without = functional_call(layer, {"bias": torch.zeros_like(layer.bias)}, (x + bias,))
        return _close(layer(x.clone()), without)


def _close(one: Tensor, other: Tensor) -> bool:
    size = float(other.abs().max())
    return bool(torch.allclose(one, other, rtol=0, atol=size * (1e-4 if one.dtype.itemsize >= 4 else 2e-2)))


def _of_convolutions(network: nn.Module, probe: Any, usable: set[str]) -> list[FilmPoint]:
    """Convolutions with a bias, or followed directly by a layer that has only a bias.

    Folding a batch norm into the convolution before it leaves such a layer.
    """
    layers = dict(network.named_modules())
    convolutions = {name: layer for name, layer in layers.items() if isinstance(layer, _CONVOLUTIONS)}
    lone = {name: layer for name, layer in layers.items() if [k for k, _ in layer.named_parameters()] == ["bias"]}
    seen, feeds = _watched(network, probe, {**convolutions, **lone})
    found = []
    for name, layer in convolutions.items():
        home = name if layer.bias is not None else feeds.get(name, "")
        there = {f"{name}.weight", f"{home}.bias"} <= usable and _is_affine(layer, seen[name])
        if there and (home == name or (home in lone and _is_shift(lone[home], seen[home]))):
            found.append(FilmPoint(f"{name}.weight", f"{home}.bias", layer.out_channels))
    return found
