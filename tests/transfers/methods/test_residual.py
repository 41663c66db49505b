"""Residual features: the start is that of training from scratch, the source stays, and noise does not hurt."""

import numpy as np
import pytest
import torch
from tests.transfers.tiny import images, planned, source, target, text_source, texts

from headstart.data import open_target
from headstart.errors import InputError
from headstart.transfers import load, transfer
from headstart.transfers.methods import Residual

SHORT = {"epochs": 2, "batch_size": 16, "cache": False}


def test_it_starts_as_training_from_scratch_with_no_weight_on_the_source():
    of = source()
    torch.manual_seed(0)  # as a transfer does before parts are inserted
    ours, theirs = (planned(name, of)[0].network for name in ("residual", "scratch"))
    batch = torch.randn(4, 3, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-6)
        features = ours.features(batch)
    assert features.shape == (4, 16)
    assert torch.equal(ours.head.weight[:, 8:], torch.zeros(3, 8))
    frozen = of.network(batch)[0].detach().numpy()
    expected = (frozen - frozen.mean(axis=1, keepdims=True)) / np.sqrt(frozen.var(axis=1, keepdims=True) + 1e-5)
    assert np.allclose(features[:, 8:], expected, atol=1e-5)


def test_the_encoder_trains_is_counted_and_is_saved(tmp_path):
    run = transfer(target(), source(), method="residual", out=tmp_path, **SHORT)
    rows = {row.block: row for row in run.outcome.plan}
    assert [name for name, row in rows.items() if row.trains] == ["encoder", "head"]
    assert rows["encoder"].trained == sum(
        row.parameters for name, row in rows.items() if name not in {"encoder", "head"}
    )
    assert rows["head"].parameters == (8 + 8) * 3 + 3
    assert run.network.head.weight[:, 8:].abs().min() > 0
    pictures = images(5, seed=3)[0]
    assert np.array_equal(load(tmp_path, source=source()).logits(pictures), run.logits(pictures))


def test_a_smaller_encoder_has_the_first_blocks_only():
    model, groups = planned("residual", source(), blocks=1)
    encoder = next(group for group in groups if group.block == "encoder")
    assert {name.split(".")[4] for name in encoder.parameters} == {"stem"}
    assert not any(name.startswith("body.encoder.body.model.stages") for name in encoder.parameters)
    assert model.network.head.in_features == 16
    with pytest.raises(InputError, match="`blocks` must be one of 1, 2, 3, 4 with this source; got 9"):
        planned("residual", source(), blocks=9)


def test_texts_train_a_residual_encoder_too():
    run = transfer(open_target(texts()), text_source(), method=Residual(rate=0.01), **SHORT)
    assert run.outcome.method == "residual"
