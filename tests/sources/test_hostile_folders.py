"""Folders whose files are not what a model needs: one failed model with a reason each, never a hang or a crash."""

import io
import json
import os
import re
import time
import tomllib
from collections.abc import Callable
from functools import partial
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


def test_the_libraries_that_load_models_start_at_the_versions_that_are_attacked_here() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    for name in ("safetensors", "sentence-transformers", "timm", "torch", "transformers"):
        pinned = re.search(rf"^{name}==(\d+\.\d+\.\d+)$", (root / "constraints.txt").read_text(), re.M)[1]
        floors = {line.partition(">=")[2] for line in asked if re.match(rf"{name}\b(?!-)", line)}
        assert floors, name
        assert all(f"{floor}.0".startswith(pinned) for floor in floors), f"{name}: {floors} against {pinned}"


class Code:
    """Runs on unpickling: makes the file that it names."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return Path.touch, (self.place,)


def timm_files(root: Path) -> None:
    (root / "config.json").write_text('{"architecture": "test_efficientnet", "num_classes": 4}')


def text_files(root: Path) -> None:
    text_model("bert").bert.save_pretrained(root)
    tokenizer(pad_token="[PAD]").save_pretrained(root)


def sentence_files(root: Path, **modules: str) -> None:
    text_files(root)
    kinds = {"": "sentence_transformers.models.Transformer", "1_Pooling": "sentence_transformers.models.Pooling"}
    parts = [{"idx": i, "name": str(i), "path": p, "type": t} for i, (p, t) in enumerate((kinds | modules).items())]
    (root / "modules.json").write_text(json.dumps(parts))
    (root / "1_Pooling").mkdir()
    (root / "1_Pooling/config.json").write_text('{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true}')


PLAIN, ONLY = "more than plain tensors.*--trust-pickle", r"may name files that end in \.%s only"


@pytest.mark.parametrize(
    ("write", "bad", "index", "why"),
    [
        *((write, "pytorch_model.bin", "", PLAIN) for write in (timm_files, text_files, sentence_files)),
        *((timm_files, name, "", PLAIN) for name in ("model.pth.tar", "last.ckpt", "pytorch_model.pth")),
        *((timm_files, name, "", "holds no weights") for name in ("model.pkl", "model.npz")),
        (timm_files, "model.safetensors", "", "timm cannot load it: SafetensorError"),
        *((write, "w.bin", "model.safetensors", ONLY % "safetensors") for write in (timm_files, text_files)),
        (text_files, "w.dat", "pytorch_model.bin", ONLY % "bin"),
        (partial(sentence_files, **{"2.pkl": "joblib.numpy_pickle"}), "2.pkl", "", "joblib.numpy_pickle"),
    ],
)
def test_no_file_runs_code(tmp_path: Path, write: Callable[[Path], None], bad: str, index: str, why: str) -> None:
    place = tmp_path / "model"
    place.mkdir()
    write(place)
    if Path(bad).suffix in (".bin", ".dat"):
        (place / "model.safetensors").unlink(missing_ok=True)
        save_file({"x": torch.zeros(1)}, place / "decoy.safetensors")
    torch.save({"x": Code(tmp_path / "ran")}, place / bad)
    if index:
        (place / f"{index}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"x": bad}}))
    with pytest.raises(ModelError, match=why):
        load(place)
    assert not (tmp_path / "ran").exists()
    torch.load(io.BytesIO((place / bad).read_bytes()), weights_only=False)  # it would have run
    assert (tmp_path / "ran").exists()


def test_a_sentence_encoder_with_an_activation_of_its_own_is_refused(tmp_path: Path) -> None:
    sentence_files(tmp_path, **{"2_Dense": "sentence_transformers.models.Dense"})
    (tmp_path / "2_Dense").mkdir()
    config = {"in_features": 16, "out_features": 4, "bias": True, "activation_function": "torch.nn.Tanh"}
    save_file(
        {"linear.weight": torch.zeros(4, 16), "linear.bias": torch.zeros(4)}, tmp_path / "2_Dense/model.safetensors"
    )
    (tmp_path / "2_Dense/config.json").write_text(json.dumps(config))
    assert load(tmp_path).card.kind == "text"
    (tmp_path / "2_Dense/config.json").write_text(json.dumps(config | {"activation_function": "mine.Swish"}))
    with pytest.raises(ModelError, match=r"2_Dense needs code of its own, the activation mine\.Swish"):
        load(tmp_path)


def test_a_configuration_nested_too_deep_is_one_failed_model(tmp_path: Path) -> None:
    deep = '{"architecture": "resnet18", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (tmp_path / "config.json").write_text(deep)
    good, bad = candidates(["zoo/tiny_letters", f"local-dir:{tmp_path}"])
    assert good.name == "zoo/tiny_letters"
    with pytest.raises(ModelError, match="is not JSON that can be read"):
        bad.load(False)
