"""Ordinary networks of other people, each unlike ours in one way: they transfer, and right."""

import warnings

import numpy as np
import pytest
import torch
from tests.transfers.tiny import WORDS, images, prepare, target, texts
from torch import Tensor, nn
from torch.nn.utils import parametrize, spectral_norm, weight_norm

from headstart.errors import ModelError
from headstart.extract import extract
from headstart.sources import Source, from_module
from headstart.transfers import transfer
from headstart.transfers.network import as_it_trains, transferable
from headstart.transfers.run import Run

TRAINED = {"epochs": 2, "batch_size": 16, "cache": False, "device": "cpu"}


def source(module: nn.Module, **options: object) -> Source:
    return from_module(module, **{"prepare": prepare, **options})  # type: ignore[arg-type]


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def moved(of: Source, run: Run) -> set[str]:
    """Parameters of the body that the training changed."""
    before = dict(transferable(of, 3, seed=0).network.named_parameters())
    return {n for n, p in run.network.named_parameters() if n in before and not torch.equal(p, before[n])}


@pytest.mark.parametrize("method", ["head", "fine-tune"])
def test_a_network_of_double_width(method: str) -> None:
    of = source(plain().double(), prepare=lambda image: prepare(image).double())
    options = {"cache": False} if method == "head" else TRAINED
    assert transfer(target(), of, method=method, **options).outcome.metrics["accuracy"] > 0


def test_a_head_on_a_network_of_half_width() -> None:
    of = source(plain().half(), prepare=lambda image: prepare(image).half())
    assert transfer(target(), of, method="head", cache=False).outcome.metrics["accuracy"] > 0


class Frozen(nn.Module):
    """Its body runs without gradients."""

    def __init__(self, without: type) -> None:
        super().__init__()
        self.body, self.fc, self.without = plain()[:4], nn.Linear(8, 5), without

    def forward(self, x: Tensor) -> Tensor:
        with self.without():
            features = self.body(x)
        return self.fc(features)


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
def test_a_body_without_gradients_has_a_head_trained_and_nothing_else(without: type) -> None:
    of = source(Frozen(without))
    assert transfer(target(), of, method="head", cache=False).outcome.metrics["accuracy"] > 0
    with pytest.raises(ModelError, match=r"no layers to train below its features.*Use `--method head`"):
        transfer(target(), of, method="fine-tune", **TRAINED)


class Viewing(nn.Module):
    """What only a training runs: a branch, or a backward pass, that wants images in the usual order of memory."""

    def __init__(self, branch: bool) -> None:
        super().__init__()
        self.conv, self.aux, self.fc, self.branch = nn.Conv2d(3, 8, 3), nn.Linear(288, 2), nn.Linear(8, 5), branch

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x).relu()
        if self.training and self.branch:
            self.aux(maps.view(len(maps), -1))
        if not self.branch:
            maps = Scaled.apply(maps)
        return self.fc(maps.mean(dim=(2, 3)))


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=torch.channels_last).view(len(gradient), -1).view_as(gradient)


@pytest.mark.parametrize("branch", [True, False])
def test_what_only_a_training_runs_may_want_the_usual_order_of_memory(branch: bool) -> None:
    of = source(Viewing(branch))
    assert of.channels_last
    assert not as_it_trains(of, of.collate([prepare(images(1)[0][0])] * 2)).channels_last
    assert as_it_trains(source(plain()), of.collate([prepare(images(1)[0][0])] * 2)).channels_last


def test_a_branch_of_the_training_trains() -> None:
    of = source(Viewing(True))
    assert "body.model.conv.weight" in moved(of, transfer(target(), of, method="fine-tune", **TRAINED))


class WithAuxiliary(nn.Module):
    """Answers with two outputs while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.aux, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 5), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.conv(x).relu().mean(dim=(2, 3))
        return (self.fc(features), self.aux(features)) if self.training else self.fc(features)


@pytest.mark.parametrize("method", ["fine-tune", "gradual"])
def test_two_outputs_while_training(method: str) -> None:
    of = source(WithAuxiliary(), head="fc")
    assert "body.model.conv.weight" in moved(of, transfer(target(), of, method=method, **TRAINED))


class Encoder(nn.Module):
    """torch's own transformer layers, which have a fast path in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 16, 4, stride=4)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.layers, self.fc = nn.TransformerEncoder(layer, 2), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_updates_count_in_the_fast_path_of_a_transformer_layer(method: str) -> None:
    run = transfer(target(), source(Encoder()), method=method, epochs=5, batch_size=16, cache=False, rate=0.1)
    pictures = images(5, seed=9)[0]
    with torch.enable_grad():  # where gradients are asked for, torch does not take the fast path
        slow = run.network(torch.stack([prepare(picture) for picture in pictures])).detach().numpy()
    np.testing.assert_allclose(run.logits(pictures), slow, rtol=1e-3, atol=1e-4)
    assert any(p.abs().max() > 0 for n, p in run.network.named_parameters() if ".linear1.lora_B" in n)


@pytest.mark.parametrize("norm", [weight_norm, spectral_norm, nn.utils.parametrizations.weight_norm])
def test_scratch_keeps_no_weight_of_a_norm_on_weights(norm: object) -> None:
    net = plain()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the first two are old, and in many checkpoints
        norm(net[0])  # type: ignore[operator]
    assert parametrize.is_parametrized(net[0]) or net[0]._forward_pre_hooks
    of = source(net)
    old, new = (dict(transferable(of, 3, seed=0, scratch=s).network.named_parameters()) for s in (False, True))
    same = {name for name in old if torch.equal(old[name], new[name])}
    assert not {name for name in same if name.startswith("body.model.0")}


class Recurrent(nn.Module):
    """Reads texts with the tokens on the first axis, as torch's recurrent layers do unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.lstm, self.fc = nn.Embedding(10, 8), nn.LSTM(8, 8), nn.Linear(8, 3)

    def forward(self, codes: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(codes))[0][-1])


def codes(text: object) -> Tensor:
    return torch.tensor([1 + WORDS.index(word) if word in WORDS else 0 for word in str(text).split()])


@pytest.mark.parametrize("method", ["fine-tune", "bitfit"])
def test_texts_whose_first_axis_is_that_of_the_tokens(method: str) -> None:
    of = source(Recurrent(), prepare=codes, collate=nn.utils.rnn.pad_sequence, kind="text")
    changed = moved(of, transfer(texts(), of, method=method, **TRAINED))
    assert {"body.model.lstm.bias_ih_l0", "body.model.lstm.bias_hh_l0"} <= changed


def test_a_scripted_network_gives_features_and_says_that_it_cannot_be_trained() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(plain().eval())
    of = source(scripted, head=None)
    expected = plain().eval()(torch.stack([prepare(picture) for picture in images(60)[0]])).detach().numpy()
    np.testing.assert_allclose(extract(target(), of, engine="eager").features, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="scripted or traced"):
        transfer(target(), of, method="fine-tune", **TRAINED)


class Expanded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = plain()[:4], nn.Linear(8, 5)
        self.register_buffer("scale", torch.ones(1).expand(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x) * self.scale)


def test_a_buffer_whose_entries_share_memory() -> None:
    of = source(Expanded())
    run = transfer(target(), of, method="fine-tune", **TRAINED)
    assert torch.equal(run.network.body.model.scale, torch.ones(8))


class OnlyEvaluated(nn.Module):
    """Refuses to be in training mode without labels; a low-rank update leaves it in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fc = plain()[:4], nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("labels are needed")
        return self.fc(self.body(x))


def test_a_network_that_cannot_be_tried_out_in_training_mode_is_adapted_all_the_same() -> None:
    of = source(OnlyEvaluated())
    assert moved(of, transfer(target(), of, method="bitfit", **TRAINED))
