"""Fine-tuning, partly, wholly or from random weights: learning rates by hand, and weights drawn anew."""

import pytest
import torch
from tests.transfers.tiny import planned, source

from headstart.transfers.network import draw_anew, transferable

IMAGE = source()


def rates(name: str, **options: object) -> list[float]:
    model, groups = planned(name, IMAGE, **options)
    by_block = {group.block: group.rate for group in groups}
    return [by_block[block.name] for block in model.blocks]


def test_rates_by_hand() -> None:
    assert rates("fine-tune", rate=0.1, ratio=100) == pytest.approx([0.001] * 4 + [0.1])
    assert rates("partial", rate=0.1, top=1) == pytest.approx([0, 0, 0, 0.01, 0.1])
    assert rates("partial", rate=0.1, top=0.5) == pytest.approx([0, 0, 0.01, 0.01, 0.1])
    assert rates("layer-decay", rate=0.1, decay=0.5) == pytest.approx([0.1 / 16, 0.1 / 8, 0.1 / 4, 0.1 / 2, 0.1])
    assert rates("gradual", rate=0.1) == pytest.approx([0.1 / 2.6**k for k in (4, 3, 2, 1, 0)])  # ULMFiT's
    assert rates("gradual", rate=0.1, decay=0.5) == pytest.approx([0.1 / 2**k for k in (4, 3, 2, 1, 0)])
    assert rates("scratch", rate=0.1) == pytest.approx([0.1] * 5)


def test_scratch_draws_every_weight_anew_and_by_its_seed() -> None:
    pretrained = transferable(IMAGE, 3, seed=0).network.state_dict()
    one, again, other = (transferable(IMAGE, 3, seed=s, scratch=True).network.state_dict() for s in (1, 1, 2))
    for name, value in one.items():
        assert torch.equal(value, again[name])
        if name.endswith("weight") and value.ndim > 1:
            assert not torch.equal(value, pretrained[name]), name
            assert not torch.equal(value, other[name]), name
            assert value.std() > 0
    assert torch.equal(one["body.model.stem.1.running_mean"], torch.zeros(8))


def test_scratch_draws_parameters_that_no_layer_resets() -> None:
    module = torch.nn.Module()
    module.token, module.gamma = torch.nn.Parameter(torch.full((1, 4), 9.0)), torch.nn.Parameter(torch.full((4,), 9.0))
    module.bias = torch.nn.Parameter(torch.full((4,), 9.0))
    draw_anew(module)
    assert 0 < module.token.abs().max() < 0.1
    assert module.gamma.tolist() == [1.0] * 4
    assert module.bias.tolist() == [0.0] * 4
