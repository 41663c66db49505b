"""Models of a hub without a network: what is cached works, what is not says so at once."""

import shutil
import socket
import time

import pytest
import timm
import torch
from huggingface_hub import constants
from timm.models import save_for_hf
from torchvision import models as torchvision_models

from headstart.errors import OfflineError
from headstart.sources import candidates, hub, list_models

HUB_MODELS = ["timm/resnet18", "torchvision/resnet18", "hf/google/vit-base-patch16-224", "st/paraphrase-MiniLM-L3-v2"]


@pytest.fixture
def empty_caches(tmp_path, monkeypatch):
    """No cached model, and a hub at an address where nobody answers."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path


def no_network(*address, **options):
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize("name", HUB_MODELS)
def test_without_a_network_the_message_says_exactly_that(name, empty_caches, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", no_network)  # what every http connection of Python goes through
    (candidate,) = candidates(name)
    assert not candidate.card.local
    started = time.monotonic()
    with pytest.raises(OfflineError, match="is not on this machine and there is no network to fetch it"):
        candidate.load(False)
    assert time.monotonic() - started < 20  # no minutes of retries


@pytest.mark.parametrize("name", HUB_MODELS)
def test_the_switch_that_forbids_the_network_is_honoured(name, empty_caches, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="HF_HUB_OFFLINE forbids fetching it"):
        candidates(name)[0].load(False)


def test_a_cached_timm_model_asks_no_network(empty_caches, monkeypatch):
    monkeypatch.setattr(hub, "require_network", None)
    random = timm.create_model("test_efficientnet.r160_in1k", pretrained=False)
    folder = empty_caches / "hub/models--timm--test_efficientnet.r160_in1k"
    save_for_hf(random, folder / "snapshots/abc", safe_serialization=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("abc")

    (candidate,) = candidates("timm/test_efficientnet")
    assert candidate.card.local
    source = candidate.load(False)
    assert torch.equal(source.module.conv_stem.weight, random.conv_stem.weight)
    assert source.card.trained_on == "ImageNet-1k"
    assert source.classes[0] == "tench, Tinca tinca"
    assert [card.name for card in list_models("timm/test_*") if card.local] == [source.name]
    shutil.rmtree(folder)
    assert not candidates("timm/test_efficientnet")[0].card.local


def test_a_cached_torchvision_model_brings_its_own_transform(empty_caches, monkeypatch):
    monkeypatch.setattr(hub, "_reach", None)
    weights = torchvision_models.get_model_weights("squeezenet1_1").DEFAULT
    random = torchvision_models.squeezenet1_1()
    path = empty_caches / "torch/hub/checkpoints" / weights.url.rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True)
    torch.save(random.state_dict(), path)

    source = candidates("torchvision/squeezenet1_1")[0].load(False)
    assert torch.equal(source.module.features[0].weight, random.features[0].weight)
    assert source.card.input_size == (3, 224, 224)
    assert source.card.imagenet_top1 == 0.58178
    assert source.classes[:2] == ("tench", "goldfish")
    assert source.head == "classifier.1"
