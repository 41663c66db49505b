"""Folders whose files are not what a model needs: one failed model with a reason each, never a hang or a crash."""

import json
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file
from tests.sources.folders import load, text_model, tokenizer
from timm.models import save_for_hf

from headstart.errors import ModelError, ModelNameError
from headstart.sources import candidates
from headstart.sources.adapters import ADAPTERS, files_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of timm with safetensors."""
    torch.manual_seed(0)
    save_for_hf(timm.create_model("test_efficientnet", num_classes=4), tmp_path / "model", safe_serialization=True)
    return tmp_path / "model"


def rewritten(folder: Path, rename: str) -> None:
    state = timm.create_model("test_efficientnet", num_classes=4).state_dict()
    (folder / "model.safetensors").unlink()
    save_file({rename + name: value for name, value in state.items()}, folder / "model.safetensors")


def test_shards_of_timm_are_read(folder: Path) -> None:
    expected = load(folder).fingerprint
    torch.manual_seed(0)
    state = timm.create_model("test_efficientnet", num_classes=4).state_dict()
    (folder / "model.safetensors").unlink()
    names = {name: f"model-0000{i % 2 + 1}-of-00002.safetensors" for i, name in enumerate(state)}
    for file in set(names.values()):
        save_file({name: state[name] for name in state if names[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert load(folder).fingerprint == expected
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-00002-of-00002\.safetensors.*is not in"):
        load(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "../model.safetensors"}}))
    with pytest.raises(ModelError, match=r"\.\./model\.safetensors, which .* names, is not in"):
        load(folder)


@pytest.mark.parametrize("prefix", ["model.", "backbone."])
def test_a_checkpoint_of_a_wrapper_is_named_for_what_it_is(folder: Path, prefix: str) -> None:
    rewritten(folder, prefix)
    with pytest.raises(ModelError, match=rf"start with `{prefix}`.*Lightning.*save_model\(wrapper\.{prefix[:-1]}"):
        load(folder)
    state = timm.create_model("test_efficientnet", num_classes=4).state_dict()
    torch.save({"state_dict": {prefix + name: value for name, value in state.items()}}, folder / "last.ckpt")
    with pytest.raises(ModelError, match=f"start with `{prefix}`"):
        load(folder / "last.ckpt")
    rewritten(folder, "")
    assert load(folder).card.num_classes == 4


@pytest.mark.parametrize("config", [None, {"model_type": "bert"}])
def test_an_adapter_alone_is_named_for_what_it_is(tmp_path: Path, config: dict | None) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "bert-base-uncased"}))
    save_file({"x": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"adapter of peft for bert-base-uncased.*merge_and_unload\(\)"):
        load(tmp_path)


def test_a_glob_of_folders(folder: Path) -> None:
    other = folder.parent / "other"
    transformers.BertConfig().save_pretrained(other)
    (folder.parent / "empty").mkdir()
    (folder.parent / "torn").mkdir()
    (folder.parent / "torn" / "config.json").write_text("{")
    found = {Path(one.name.removeprefix("local-dir:")).name: one for one in candidates(f"local-dir:{folder.parent}/*")}
    assert list(found) == ["model", "other", "torn"]
    assert found["model"].load(False).card.num_classes == 4
    with pytest.raises(ModelError, match="is not JSON"):
        found["torn"].load(False)
    assert [one.card.kind for one in candidates(f"local-dir:{folder.parent}/[mo]*", kind="image")] == ["image"]
    with pytest.raises(ModelNameError, match=r"no folder that fits .*1 paths"):
        candidates(f"local-dir:{folder.parent}/emp*")


def test_one_checkpoint_needs_its_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load("model.safetensors").fingerprint == load(folder).fingerprint
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r'config\.json beside it, such as \{"architecture": "resnet50"'):
        load("model.safetensors")
    assert '"architecture"' in ADAPTERS["local-dir"].about


def test_pipes_and_devices_are_refused_before_anything_waits_for_them(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "extra.bin")
    with pytest.raises(ModelError, match=r"extra\.bin is not an ordinary file"):
        load(folder)
    text = tmp_path / "text"
    text_model("bert").save_pretrained(text)
    tokenizer(pad_token="[PAD]").save_pretrained(text)
    (text / "tokenizer.json").unlink()
    (text / "tokenizer.json").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not an ordinary file"):
        load(text)


def test_a_fan_of_links_is_visited_once(tmp_path: Path) -> None:
    levels = [tmp_path / f"level{i}" for i in range(30)]
    for level in levels:
        level.mkdir()
        (level / "file").write_text("x")
    for above, below in pairwise(levels):
        for name in ("left", "right"):
            (above / name).symlink_to(below)
    (levels[-1] / "back").symlink_to(levels[0])
    started = time.monotonic()
    assert len(files_in(levels[0])) == 30
    assert time.monotonic() - started < 5


def test_a_network_larger_than_memory_is_refused_before_it_is_built(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_args": {"num_classes": 10**10}}))
    with pytest.raises(ModelError, match=r"describes a network of at least [\d,]+\.\d GB.*config\.json"):
        load(folder)
    text = tmp_path / "text"
    text_model("bert").save_pretrained(text)
    tokenizer(pad_token="[PAD]").save_pretrained(text)
    config = json.loads((text / "config.json").read_text())
    for change in ({"vocab_size": 10**12}, {"hidden_size": 10**6, "num_hidden_layers": 10**6}):
        (text / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError, match="describes a network of at least"):
            load(text)


def test_a_configuration_nested_too_deep_is_one_failed_model(tmp_path: Path) -> None:
    deep = '{"architecture": "resnet18", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (tmp_path / "config.json").write_text(deep)
    good, bad = candidates(["zoo/tiny_letters", f"local-dir:{tmp_path}"])
    assert good.name == "zoo/tiny_letters"
    with pytest.raises(ModelError, match="is not JSON that can be read"):
        bad.load(False)
