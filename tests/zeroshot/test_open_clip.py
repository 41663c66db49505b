"""Image-text pairs of open_clip: a small model of random weights, read from a file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import headstart as hs
import headstart.torchvision_ops
from headstart.errors import ModelError, ModelNameError, OfflineError
from headstart.sources import candidates
from headstart.sources.adapters.open_clip import trained_with_quick_gelu
from headstart.zeroshot import open_pair

open_clip = pytest.importorskip("open_clip")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    place: Path = tmp_path_factory.mktemp("open_clip")
    vision = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8}
    text = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    config = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}
    (place / "headstart_tiny.json").write_text(json.dumps(config))
    open_clip.add_model_config(place / "headstart_tiny.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("headstart_tiny").state_dict(), place / "weights.pt")
    return f"open_clip/headstart_tiny:{place / 'weights.pt'}"


def pictures(n: int = 12) -> tuple[list[Image.Image], list[str]]:
    rng = np.random.default_rng(0)
    shown = [Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)) for _ in range(n)]
    return shown, [("red", "blue", "green")[i % 3] for i in range(n)]


def test_answers_are_those_of_the_model_itself(model: str):
    shown, labels = pictures()
    found = hs.zero_shot((shown, labels), model, cache=False)
    whole, _, transform = open_clip.create_model_and_transforms("headstart_tiny", pretrained=model.partition(":")[2])
    texts = open_clip.get_tokenizer("headstart_tiny")([f"a photo of a {name}." for name in found.classes])
    with torch.inference_mode():
        images, named, scale = whole.eval()(torch.stack([transform(one) for one in shown]), texts)[:3]
        expected = (scale * images @ named.T).argmax(dim=1)
    assert list(found.answers) == expected.tolist()


def test_its_image_side_is_a_source_and_it_fine_tunes_from_names(model: str):
    source = candidates(model, kind="image")[0].load(False)
    assert source.fingerprint == open_pair(model).image.fingerprint
    run = hs.transfer(pictures(), model, method="zero-shot", epochs=1, rate=1e-4, cache=False)
    assert run.outcome.options["share"] == 0.5


def test_weights_get_the_activation_they_were_trained_with(model: str):
    assert trained_with_quick_gelu("ViT-B-32", "openai")  # what open_clip/ViT-B-32 stands for
    assert not trained_with_quick_gelu("ViT-B-32", "laion2b_s34b_b79k")
    architecture, _, file = model.removeprefix("open_clip/").partition(":")
    assert not trained_with_quick_gelu(architecture, file)


def test_a_published_model_without_a_network_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"not on this machine.*HF_HUB_OFFLINE"):
        open_pair("open_clip/MobileCLIP-S1")
    assert capsys.readouterr().err == ""


def test_unknown_names_and_missing_weights_are_said(tmp_path: Path):
    with pytest.raises(ModelNameError, match=r"open_clip has no model 'headstart_tyni'.*headstart_tiny"):
        open_pair("open_clip/headstart_tyni")
    with pytest.raises(ModelError, match="name a file after a colon"):
        open_pair("open_clip/headstart_tiny")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_pair(f"open_clip/headstart_tiny:{tmp_path / 'none.pt'}")
