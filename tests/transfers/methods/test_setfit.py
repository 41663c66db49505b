"""SetFit: pairs of texts as a stream, their cosine as an objective, and a head solved at the end."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.transfers.tiny import source, target, text_source, texts
from torch import nn

from headstart.errors import InputError
from headstart.train.batches import TensorBatches
from headstart.train.head import fit_head
from headstart.train.objectives import Drawn
from headstart.transfers import load, transfer
from headstart.transfers.methods.setfit import PAIRS, Pairs, SamePairs
from headstart.transfers.network import TransferNetwork

SHORT = {"method": "setfit", "epochs": 4, "rate": 1e-3, "cache": False}


def stream(labels: list[int]) -> Pairs:
    return Pairs(TensorBatches({"input_ids": torch.arange(len(labels))[:, None]}, np.array(labels)), seed=0)


def test_every_example_is_paired_with_one_of_its_class_and_with_one_of_another():
    pairs, labels = stream([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 1, 2, 2])
    batch = pairs.load(np.arange(14), 3)
    first, second = batch["input_ids"][..., 0].T.numpy()
    assert first.tolist() == np.repeat(np.arange(7), 2).tolist()
    assert (first != second).all()
    assert (labels[first] == labels[second]).tolist() == (pairs.labels == 1).tolist()
    assert pairs.labels.sum() == 7


def test_partners_change_from_round_to_round_and_not_within_one():
    pairs = stream([0, 1] * 20)
    rounds = [pairs.load(np.arange(80), turn)["input_ids"] for turn in (0, 0, 1)]
    assert torch.equal(rounds[0], rounds[1])
    assert not torch.equal(rounds[0], rounds[2])


def test_an_example_alone_in_its_class_is_paired_with_itself():
    assert stream([0, 1, 1]).pair(0, 0) == (0, 0)


def test_the_loss_is_the_squared_error_of_the_cosine():
    class Body(nn.Module):
        def forward(self, batch):
            return batch["x"], None

    network = TransferNetwork(Body(), 2, 2)
    inputs = {"x": torch.tensor([[[3.0, 0.0], [5.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]]])}  # cosines 1 and 0.7071
    drawn = Drawn(inputs, torch.tensor([1, 0]), torch.arange(2))
    objective = SamePairs(TensorBatches(inputs, np.zeros(2)), 2, None, balanced=False, seed=0)
    loss, _ = objective.loss(network, {PAIRS: drawn}, SimpleNamespace())
    assert loss.item() == pytest.approx((0.0 + 0.5) / 2)


def test_all_labelled_texts_train_and_the_head_is_the_best_one_on_the_trained_features(tmp_path):
    words, labels = texts(40)
    run = transfer((words, labels), text_source(), out=tmp_path, **SHORT)
    assert (run.outcome.n_train, run.outcome.n_valid) == (30, 0)
    assert run.outcome.curve[-1].train_loss < run.outcome.curve[0].train_loss
    assert run.outcome.curve[-1].valid_loss is None
    assert run.outcome.metrics["accuracy"] == 1.0
    kept = [i for i, text in enumerate(words) if str(i) not in run.predictions.ids]
    assert len(kept) == 30
    body = run.network.body
    batch = run.source.join([run.source.prepare(words[i]) for i in kept])
    with torch.inference_mode():
        features = body(batch)[0].double().numpy()
    codes = np.array([run.outcome.classes.index(labels[i]) for i in kept])
    best = fit_head(features, codes)
    own = run.network.head.weight.detach().numpy()
    assert np.abs(own - best.weight).max() < 0.02 * np.abs(best.weight).max()
    again = load(tmp_path, source=text_source())
    assert (again.predictions.outputs == run.predictions.outputs).all()


def test_settings_of_a_loss_on_labels_and_data_without_classes_are_refused():
    with pytest.raises(InputError, match="`patience` has no effect with method `setfit`"):
        transfer(texts(20), text_source(), patience=2, **SHORT)
    words, _ = texts(20)
    with pytest.raises(InputError, match=r"`setfit` needs examples of two classes.*Use `fine-tune`"):
        transfer((words, np.random.default_rng(0).normal(size=20)), text_source(), **SHORT)


def test_images_are_refused():
    with pytest.raises(InputError, match="method `setfit` is for text data"):
        transfer(target(), source(), **SHORT)
