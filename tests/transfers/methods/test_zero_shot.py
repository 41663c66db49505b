"""Fine-tuning from class names: starts as the zero-shot classifier, ends between it and the fine-tuned network."""

import numpy as np
import pytest
import torch
from tests.transfers.tiny import images, source, target

import headstart as hs
from headstart.errors import InputError, ModelNameError
from headstart.transfers import load
from headstart.transfers.methods.zero_shot import Interpolated
from headstart.zeroshot import open_pair, text_head
from headstart.zeroshot.pairs import unit

MODEL = "zoo/tiny_clip"
SHORT = {"method": "zero-shot", "epochs": 2, "rate": 3e-3, "batch_size": 8, "cache": False}


def named(n: int = 24):
    pictures, labels = images(n)
    names = {"class 0": "red", "class 1": "green", "class 2": "blue"}
    return pictures, [names[label] for label in labels]


@pytest.fixture(scope="module")
def runs():
    """By the weight of the fine-tuned network."""
    return {share: hs.transfer(named(), MODEL, share=share, **SHORT) for share in (0.0, 0.25, 1.0)}


def test_without_a_share_it_is_the_zero_shot_classifier_bit_for_bit(runs):
    pair = open_pair(MODEL)
    pictures, _ = named()
    batch = pair.image.join([pair.image.prepare(picture) for picture in pictures])
    with torch.inference_mode():
        features = runs[0.0].network.features(batch)
        texts = text_head(pair, runs[0.0].outcome.classes, ["a photo of a {}."])
        assert torch.equal(runs[0.0].network.head(features), texts(features))
        assert torch.allclose(features, unit(pair.image.network(batch)[0].numpy()), atol=1e-6)


def test_the_result_lies_between_the_zero_shot_and_the_fine_tuned_weights(runs):
    first, between, last = (dict(runs[share].network.state_dict()) for share in (0.0, 0.25, 1.0))
    moved = [name for name, value in first.items() if not torch.equal(value, last[name])]
    assert "head.weight" in moved
    assert len(moved) > 10
    for name in (name for name in moved if first[name].is_floating_point()):
        assert torch.allclose(between[name], first[name] + 0.25 * (last[name] - first[name]), atol=1e-5), name


def test_a_saved_run_answers_the_same(runs, tmp_path):
    run = runs[0.25]
    run.save(tmp_path)
    again = load(tmp_path)
    pictures, _ = named()
    assert np.array_equal(again.logits(pictures), run.logits(pictures))


def test_what_it_cannot_start_from_is_refused():
    with pytest.raises(ModelNameError, match="zoo/tiny_clip"):
        hs.transfer(target(), source(), **SHORT)
    pictures, labels = named(24)
    with pytest.raises(InputError, match=r"`zero-shot` needs classes.*Use `fine-tune`"):
        hs.transfer((pictures, np.arange(24) / 7), MODEL, **SHORT)
    with pytest.raises(InputError, match=r"(?s)number or nothing.*`class_names`"):
        hs.transfer((pictures, [str(len(label)) for label in labels]), MODEL, **SHORT)


def test_an_inner_objective_begins_and_ends_too():
    calls = []

    class Inner:
        def begin(self, network):
            calls.append("begin")

        def end(self, network):
            calls.append("end")

    objective, layer = Interpolated(Inner(), 0.5), torch.nn.Linear(1, 1)
    objective.begin(layer)
    objective.end(layer)
    assert calls == ["begin", "end"]
