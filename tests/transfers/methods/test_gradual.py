"""Gradual unfreezing and layer-wise decay of the learning rate."""

import numpy as np
import torch
from tests.transfers.tiny import planned, source

from headstart.runner.progress import silent
from headstart.tasks import task_of
from headstart.train.batches import TensorBatches
from headstart.train.loop import _Loop
from headstart.train.objectives import Labels
from headstart.train.training import Training
from headstart.transfers.methods.gradual import thaws

IMAGE = source()


def test_layer_decay_keeps_its_rates_under_every_schedule() -> None:
    """timm's own only marks the groups, and a torch scheduler then trains all of them at one rate."""
    model, groups = planned("layer-decay", IMAGE)
    data = TensorBatches(torch.randn(6, 3, 8, 8), np.arange(6) % 3)
    place, task = torch.device("cpu"), "classification"
    loop = _Loop(
        *(model.network, groups, data, None, Training(epochs=1), task_of(task), place, Labels(task), {}),
        *(None, "", 60.0, silent),
    )
    loop.run()
    assert len({group["peak"] for group in loop.optimizer.param_groups}) == 5
    assert len({round(group["lr"], 12) for group in loop.optimizer.param_groups}) == 5


def test_gradual_thaws_from_the_top_one_block_an_epoch() -> None:
    model, groups = planned("gradual", IMAGE)
    assert [group.block for group in groups] == [block.name for block in model.blocks]
    assert [group.thaw for group in groups] == [4, 3, 2, 1, 0]
    assert thaws(4, 1) == [0] * 5  # a single epoch trains all
    assert max(thaws(30, 8)) == 6
