"""Batch norm in two domains: each batch is normalised by its own domain's statistics, in training and in use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from headstart.train.batches import Batch, Batches, epoch_order, to_device

ROWS = 64  # examples per batch


def has_statistics(network: nn.Module) -> bool:
    """Whether batch norm keeps statistics of the inputs somewhere in the network."""
    return any(isinstance(module, _BatchNorm) and module.track_running_stats for module in network.modules())


@contextmanager
def unrecorded(network: nn.Module) -> Iterator[None]:
    """Batch norm normalises with the batch's own statistics as ever, but the running ones do not move."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def reestimate(network: nn.Module, batches: Batches) -> None:
    """Replace the running statistics of every batch norm by those of some inputs (AdaBN), in one pass without labels.

    Dropout that is on during the pass is drawn with a fixed seed.
    """
    if not has_statistics(network):
        return
    device = next(network.parameters()).device

    def loader() -> Iterator[Batch]:
        for rows in epoch_order(len(batches.labels), ROWS, 0, 0):
            yield to_device(batches.load(rows, None), device)

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        update_bn(loader(), network)
    network.eval()
