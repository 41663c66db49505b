"""Batch norm's statistics of a new domain: against torch's own means, and `update_bn`."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from headstart.adaptation.statistics import reestimate, unrecorded
from headstart.train.batches import TensorBatches


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)).eval()


def test_statistics_are_those_of_the_new_inputs_and_of_torchs_update_bn():
    x = torch.randn(64, 3, 6, 6) * 3 + 1  # one batch
    net, theirs = network(), network()
    weights = copy.deepcopy(list(net.parameters()))
    reestimate(net, TensorBatches(x, torch.zeros(64)))
    update_bn([x], theirs)
    for ours, other in zip(net.buffers(), theirs.buffers(), strict=True):
        assert torch.allclose(ours.float(), other.float(), rtol=1e-5, atol=1e-7)  # in another order of rows
    first = net[0](x).detach()
    assert torch.allclose(net[1].running_mean, first.mean(dim=(0, 2, 3)), atol=1e-6)
    assert torch.allclose(net[1].running_var, first.var(dim=(0, 2, 3)), rtol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), weights, strict=True))
    assert not any(module.training for module in net.modules())


def test_a_batch_may_pass_without_a_trace_in_the_running_statistics():
    net, x = network().train(), torch.randn(8, 3, 6, 6)
    before = {name: value.clone() for name, value in net.named_buffers() if "running" in name}
    with unrecorded(net):
        outputs = net(x)
    assert all(torch.equal(before[name], value) for name, value in net.named_buffers() if "running" in name)
    assert torch.allclose(outputs, network().train()(x))
    net(x)
    assert not torch.equal(before["1.running_mean"], net[1].running_mean)
    assert net[1].momentum == 0.1
