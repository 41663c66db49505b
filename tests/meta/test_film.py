"""FiLM without inserted layers: against layers that are inserted, on norms of several kinds and on folded ones."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from headstart.errors import ModelError
from headstart.meta.film import features_with, film_points, filmed
from headstart_paper.architectures import Bias


class Pair(nn.Module):
    """As a source's network: features, and no logits."""

    def __init__(self, *layers: nn.Module, pool: Callable[[Tensor], Tensor] = lambda x: x.mean(dim=(2, 3))) -> None:
        super().__init__()
        self.layers, self.pool = nn.Sequential(*layers), pool

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.pool(self.layers(x)), None


class Film(nn.Module):
    """The layer itself, as it would be inserted."""

    def __init__(self, gamma: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.gamma, self.beta = gamma, beta

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, 1, 1) if x.ndim == 4 else (-1,)
        return self.gamma.view(shape) * x + self.beta.view(shape)


def lived_in(norm: nn.Module) -> nn.Module:
    """With weights and statistics that are not those it begins with."""
    for tensor in (*norm.parameters(), *norm.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5)
    return norm


def norms() -> dict[str, Callable[[], nn.Module]]:
    return {
        "batch": lambda: nn.BatchNorm2d(8),
        "group": lambda: nn.GroupNorm(2, 8),
        "instance": lambda: nn.InstanceNorm2d(8, affine=True),
    }


@pytest.mark.parametrize("name", list(norms()))
def test_film_after_a_norm_is_that_norm_with_other_weights(name: str) -> None:
    torch.manual_seed(0)
    conv, norm, last = nn.Conv2d(3, 8, 3), lived_in(norms()[name]()), nn.Conv2d(8, 4, 1)
    body = Pair(conv, norm, nn.ReLU(), last).eval()
    x, gamma, beta = torch.randn(5, 3, 6, 6), torch.randn(8), torch.randn(8)
    points = film_points(body, x)
    assert [(point.weight, point.bias, point.channels) for point in points] == [("layers.1.weight", "layers.1.bias", 8)]
    inserted = Pair(conv, norm, Film(gamma, beta), nn.ReLU(), last).eval()
    found = features_with(body, filmed(dict(body.named_parameters()), points, [gamma], [beta]), x)
    torch.testing.assert_close(found, inserted(x)[0])


def test_layer_norm_and_a_norm_of_a_librarys_own() -> None:
    class OwnNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight + self.bias

    torch.manual_seed(0)
    first, norm, own = nn.Linear(3, 8), lived_in(nn.LayerNorm(8)), OwnNorm()
    body = Pair(first, norm, nn.GELU(), own, pool=lambda x: x.mean(dim=1)).eval()
    x = torch.randn(5, 7, 3)
    gammas, betas = [torch.randn(8), torch.randn(8)], [torch.randn(8), torch.randn(8)]
    points = film_points(body, x)
    inserted = Pair(
        first, norm, Film(gammas[0], betas[0]), nn.GELU(), own, Film(gammas[1], betas[1]), pool=body.pool
    ).eval()
    found = features_with(body, filmed(dict(body.named_parameters()), points, gammas, betas), x)
    torch.testing.assert_close(found, inserted(x)[0])


def test_without_norms_it_acts_on_convolutions_with_a_bias_of_their_own_or_folded_out_of_a_norm() -> None:
    torch.manual_seed(0)
    depthwise, bias = nn.Conv2d(8, 8, 3, groups=8, bias=False), Bias(torch.randn(8), nn.ReLU6())
    first, last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1, bias=False)
    body = Pair(first, nn.ReLU(), depthwise, bias, last).eval()
    x = torch.randn(5, 3, 8, 8)
    points = film_points(body, x)
    assert [(p.weight, p.bias) for p in points] == [
        ("layers.0.weight", "layers.0.bias"),
        ("layers.2.weight", "layers.3.bias"),
    ]  # the last has no bias to shift
    gammas, betas = [torch.randn(8), torch.randn(8)], [torch.randn(8), torch.randn(8)]
    plain = Bias(bias.bias, nn.Identity())
    inserted = Pair(
        first, Film(gammas[0], betas[0]), nn.ReLU(), depthwise, plain, Film(gammas[1], betas[1]), nn.ReLU6(), last
    )
    found = features_with(body, filmed(dict(body.named_parameters()), points, gammas, betas), x)
    torch.testing.assert_close(found, inserted.eval()(x)[0])


def norm_of_responses() -> tuple[nn.Module, ...]:
    class GlobalResponseNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))

        def forward(self, x: Tensor) -> Tensor:
            size = x.norm(dim=(1, 2), keepdim=True)
            return x + self.bias[:, None, None] + self.weight[:, None, None] * x * size

    return nn.Conv2d(3, 8, 1), GlobalResponseNorm()


def standardised() -> tuple[nn.Module, ...]:
    class Standardised(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            weight = self.weight / self.weight.std(dim=(1, 2, 3), keepdim=True)
            return nn.functional.conv2d(x, weight, self.bias)

    return (Standardised(3, 8, 3),)


def tied() -> tuple[nn.Module, ...]:
    one, other = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
    other.weight = one.weight
    return nn.Conv2d(3, 8, 1), one, nn.Conv2d(8, 8, 1), other


def written_over() -> tuple[nn.Module, ...]:
    return nn.Conv2d(3, 8, 1, bias=False), nn.ReLU6(inplace=True), Bias(torch.rand(8), nn.Identity())


def scaling() -> tuple[nn.Module, ...]:
    class Times(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.rand(8))  # a bias by name only

        def forward(self, x: Tensor) -> Tensor:
            return x * self.bias[:, None, None]

    return nn.Conv2d(3, 8, 1, bias=False), Times()


@pytest.mark.parametrize("layers", [norm_of_responses, standardised, tied, written_over, scaling])
def test_where_other_weights_are_not_what_an_inserted_layer_does_there_is_no_point(
    layers: Callable[[], tuple[nn.Module, ...]],
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 4, 1)
    found = film_points(Pair(*layers(), plain).eval(), torch.randn(2, 3, 4, 4))
    last = len(layers())
    own = [(f"layers.{last}.weight", f"layers.{last}.bias")]
    tied_besides = [("layers.0.weight", "layers.0.bias"), ("layers.2.weight", "layers.2.bias"), *own]
    of_responses = [("layers.0.weight", "layers.0.bias"), *own]
    expected = {tied: tied_besides, norm_of_responses: of_responses}.get(layers, own)
    assert [(point.weight, point.bias) for point in found] == expected


def test_layers_that_the_features_do_not_pass_through_are_no_points() -> None:
    class Beside(Pair):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            seen = self.layers[:2](x)
            return seen.mean(dim=(2, 3)), self.layers[2](seen)

    body = Beside(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.BatchNorm2d(8)).eval()
    assert [point.weight for point in film_points(body, torch.randn(2, 3, 4, 4))] == ["layers.1.weight"]


def test_looking_for_points_leaves_the_network_as_it_was() -> None:
    body = Pair(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)).eval()
    body.layers[0].requires_grad_(False)
    before = copy.deepcopy(body.state_dict())
    film_points(body, torch.randn(2, 3, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in body.modules())
    assert all(parameter.grad is None for parameter in body.parameters())
    assert [parameter.requires_grad for parameter in body.parameters()] == [False, False, True, True]


def test_a_network_with_nothing_to_scale_and_shift_is_refused() -> None:
    with pytest.raises(ModelError, match="no norms, and no convolutions with a bias"):
        film_points(Pair(nn.Conv2d(3, 8, 1, bias=False)), torch.randn(2, 3, 4, 4))

    class Frozen(Pair):
        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            with torch.inference_mode():
                return super().forward(x)

    with pytest.raises(ModelError, match="whose channels FiLM could scale and shift"):
        film_points(Frozen(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)).eval(), torch.randn(2, 3, 4, 4))
