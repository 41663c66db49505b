"""Folding batch norms into convolutions changes no row; a network that cannot be folded runs unchanged."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.extract.toys import pictures
from torch import Tensor, nn

import headstart.torchvision_ops  # noqa: F401 (torchvision imports beside a CPU-only torch)
from headstart.extract import extract
from headstart.extract.eager import Eager
from headstart.sources import Source, from_module


def prepare(image: object) -> Tensor:
    return torch.from_numpy(np.array(image.resize((32, 32)))).permute(2, 0, 1) / 127.5 - 1  # type: ignore[attr-defined]


def used(module: nn.Module) -> nn.Module:
    """With statistics and weights that a training has left."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    with torch.no_grad():
        for _ in range(2):
            module.train()(torch.randn(8, 3, 32, 32))
    return module.eval()


def of_timm(name: str, **options: object) -> nn.Module:
    import timm

    return timm.create_model(name, **options)


class Twice(nn.Module):
    """Uses what its convolution returns before and after the norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.fc((x + self.norm(x)).mean(dim=(2, 3)))


class Peeking(Twice):
    """Reads a number of its own norm, which a folded one has no longer."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x)).mean(dim=(2, 3)) * self.norm.eps)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "plain norms": (lambda: of_timm("resnet10t", num_classes=4, channels=(8, 16, 32, 64)), True),
    "norms with an activation": (lambda: of_timm("test_efficientnet", num_classes=4), True),
    "standardised weights": (lambda: of_timm("resnetv2_18", num_classes=4), False),
    "used twice": (Twice, False),
    "peeking": (Peeking, False),
}


def measured(source: Source) -> Eager:
    engine = Eager(source, torch.device("cpu"), None, lanes=2)
    engine.measure(engine.batch([prepare(image) for image in _images(1)]))
    return engine


def _images(count: int) -> list:
    return [pictures(range(count)).examples.load(index) for index in range(count)]


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_are_the_networks_own_whether_it_is_folded_or_not(name: str) -> None:
    make, folds = NETWORKS[name]
    module = used(make())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    source = from_module(module, prepare=prepare, head="fc" if isinstance(module, Twice) else "auto")
    engine = measured(source)
    networks = [engine._networks.get() for _ in range(2)]
    norms = [sum(isinstance(part, nn.BatchNorm2d) for part in one.modules()) for one in networks]
    assert (norms == [0, 0]) == folds
    batch = torch.stack([prepare(image) for image in _images(5)])
    for network in networks:
        for found, expected in zip(network(batch), source.forward(batch), strict=True):
            assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    source.check_unchanged()


def test_a_pass_keeps_the_fingerprint_of_the_weights_as_they_came() -> None:
    source = from_module(used(NETWORKS["plain norms"][0]()), prepare=prepare)
    found = extract(pictures(range(6)), source, engine="eager")
    assert found.fingerprint == source.fingerprint
    batch = torch.stack([prepare(image) for image in _images(6)])
    np.testing.assert_allclose(found.features, source.forward(batch)[0], rtol=0, atol=1e-5 * abs(found.features).max())
