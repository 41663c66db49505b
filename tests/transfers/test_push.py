"""A transfer goes to a hub and loads from there with the library of its base model."""

from collections.abc import Iterator
from pathlib import Path

import headstart.torchvision_ops  # isort: skip  (before timm, which imports torchvision)

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
import transformers
from huggingface_hub import ModelCard
from tests.sources.folders import text_model, tokenizer
from tests.sources.stand_in import StandIn, serving
from tests.transfers.tiny import images, source, target
from timm.models import save_for_hf
from typer.testing import CliRunner

import headstart as hs
from headstart.cli import app
from headstart.errors import InputError, ModelError
from headstart.transfers import transfer
from headstart.transfers.push import push

WORDS = ["a good film", "a bad film", "good", "bad", "rather good", "very bad"] * 6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StandIn]:
    with serving(tmp_path / "hub") as standing:
        yield standing


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head on a timm model beside a training from scratch, and a head on a transformers model."""
    root = tmp_path_factory.mktemp("runs")
    torch.manual_seed(0)
    save_for_hf(timm.create_model("test_resnet"), root / "base", safe_serialization=True)
    data, model = target(), f"local-dir:{root / 'base'}"
    for method in ("head", "scratch"):
        options = {"epochs": 1, "rate": 0.01} if method == "scratch" else {}
        transfer(data, model, method=method, out=root / "runs" / method, cache=False, **options)
    text_model("bert").save_pretrained(root / "bert")
    tokenizer(pad_token="[PAD]").save_pretrained(root / "bert")
    words = {"text": WORDS, "label": ["good" if "good" in text else "bad" for text in WORDS]}
    transfer(words, f"local-dir:{root / 'bert'}", method="head", out=root / "texts", cache=False)
    return root


def test_a_dry_run_sends_nothing_and_shows_the_card(runs: Path, site: StandIn) -> None:
    done = push(runs / "runs" / "head", "me/mine", dry_run=True)
    assert (done.library, done.url, site.requests) == ("timm", None, [])
    assert set(done.files) == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard(done.card)
    assert card.data.library_name == "timm"
    (accuracy,) = [one for one in card.data.eval_results if one.metric_type == "accuracy"]
    outcome = hs.records.Outcome.from_json((runs / "runs/head/outcome.json").read_text())
    assert accuracy.metric_value == pytest.approx(outcome.metrics["accuracy"], abs=1e-6)
    assert accuracy.dataset_revision == outcome.split
    assert "against" in done.card.split("## Gain over training from scratch")[1]


def test_what_was_pushed_loads_with_timm_and_answers_as_the_run(runs: Path, site: StandIn) -> None:
    done = push(runs / "runs" / "head", "me/mine")
    assert done.url
    assert site.commits[0]["repo"] == "me/mine"
    model = timm.create_model("hf-hub:me/mine", pretrained=True).eval()
    pictures = list(images(4, seed=5)[0])
    run = hs.load(runs / "runs" / "head")
    with torch.inference_mode():
        found = model(run.source.collate([run.source.prepare(picture) for picture in pictures]))
    assert np.abs(found.numpy() - run.logits(pictures)).max() < 1e-4
    assert model.pretrained_cfg["label_names"] == list(run.outcome.classes)


def test_what_was_pushed_loads_with_transformers(runs: Path, site: StandIn) -> None:
    assert push(runs / "texts", "me/texts").library == "transformers"
    model = transformers.AutoModelForSequenceClassification.from_pretrained("me/texts").eval()
    words = transformers.AutoTokenizer.from_pretrained("me/texts")
    run = hs.load(runs / "texts")
    with torch.inference_mode():
        found = model(**words(WORDS[:3], padding=True, return_tensors="pt")).logits
    assert np.abs(found.numpy() - run.logits(WORDS[:3])).max() < 1e-4
    assert model.config.id2label == {0: "bad", 1: "good"}


def test_where_no_format_fits_headstarts_own_goes_without_the_names_of_test_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.transfers import push as module

    transfer(target(), source(), method="head", out=tmp_path / "run", cache=False)
    monkeypatch.setattr(module, "load", lambda folder, **options: hs.load(folder, source=source()))
    monkeypatch.setattr(module, "candidates", lambda *args, **options: [source()])
    done = push(tmp_path / "run", "me/own", dry_run=True)
    assert done.library == "headstart"
    assert set(done.files) == {"README.md", "model.json", "outcome.json", "weights.safetensors"}
    assert "Not measured." in done.card


def test_the_command_prints_the_card_line_by_line(runs: Path, site: StandIn) -> None:
    done = CliRunner().invoke(app, ["push", str(runs / "runs" / "head"), "me/mine", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert {"library_name: timm", "## Use", "## Gain over training from scratch"} <= set(done.stdout.splitlines())


def test_a_wrong_name_and_a_refusal_end_with_the_next_step(
    runs: Path, site: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(huggingface_hub, "utils")  # there only once something else has imported it
    for name in ("mine", "a/b/c", "me/my model"):
        with pytest.raises(InputError, match=r"xpected ORG/NAME"):
            push(runs / "runs" / "head", name)
    site.faults["/api/repos/create"] = [401]
    with pytest.raises(ModelError, match="hf auth login"):
        push(runs / "runs" / "head", "me/closed")
    with pytest.raises(InputError, match="holds no finished transfer"):
        push(runs / "base", "me/mine")
