"""A source whose rows are all cached is not loaded again; any doubt loads it."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.models import save_for_hf

from headstart.data import open_target
from headstart.errors import ModelError
from headstart.extract import extract
from headstart.sources import Candidate, Source, candidates
from headstart.sources.recall import Recalled, load_or_recall


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_for_hf(timm.create_model("test_efficientnet", num_classes=5), tmp_path / "model", safe_serialization=True)
    return tmp_path / "model"


def counted(name: str) -> tuple[Candidate, list[str]]:
    """The candidate, and a list that grows each time it is loaded."""
    (candidate,) = candidates(name)
    loads: list[str] = []

    def load(trust_pickle: bool) -> Source:
        loads.append(candidate.name)
        return candidate.load(trust_pickle)

    return replace(candidate, load=load), loads


def pictures(count: int):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)) for _ in range(count)]
    return open_target((images, np.arange(count) % 2))


@pytest.mark.parametrize("name", ["zoo/tiny_digits", "local-dir:FOLDER"])
def test_cached_rows_need_no_network(name: str, folder: Path, tmp_path: Path) -> None:
    candidate, loads = counted(name.replace("FOLDER", str(folder)))
    target = pictures(12)
    first = extract(target, load_or_recall(candidate, False, tmp_path / "cache"), cache=tmp_path / "cache")
    known = load_or_recall(candidate, False, tmp_path / "cache")
    again = extract(target, known, cache=tmp_path / "cache")
    assert isinstance(known, Recalled)
    assert len(loads) == 1
    np.testing.assert_array_equal(first.features, again.features)
    for field in ("source", "card", "layer", "fingerprint", "source_classes", "notes"):
        assert getattr(first, field) == getattr(again, field)
    more = extract(pictures(14), known, cache=tmp_path / "cache")  # two rows are new
    assert (more.computed, len(loads)) == (2, 2)


def test_other_weights_another_configuration_or_trust_are_loaded(folder: Path, tmp_path: Path) -> None:
    candidate, loads = counted(f"local-dir:{folder}")

    def loaded(trust: bool = False) -> bool:
        before = len(loads)
        load_or_recall(candidate, trust, tmp_path / "cache")
        return len(loads) > before

    assert [loaded(), loaded(), loaded(trust=True)] == [True, False, True]
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # of the same size, and with the time of the old file
    stat = weights.stat()
    weights.write_bytes(bytes(content))
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [loaded(), loaded()] == [True, False]
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"]["mean"] = [0.1, 0.2, 0.3]
    (folder / "config.json").write_text(json.dumps(config))
    assert [loaded(), loaded()] == [True, False]


def test_what_is_kept_may_be_damaged_or_missing(folder: Path, tmp_path: Path) -> None:
    candidate, loads = counted(f"local-dir:{folder}")
    load_or_recall(candidate, False, tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "sources").iterdir()
    kept.write_text("{")
    load_or_recall(candidate, False, tmp_path / "cache")
    assert isinstance(load_or_recall(candidate, False, tmp_path / "cache"), Recalled)
    shutil.rmtree(tmp_path / "cache")
    load_or_recall(candidate, False, None)
    assert (len(loads), (tmp_path / "cache").exists()) == (3, False)


def test_a_model_that_changed_under_a_recalled_source_is_refused(folder: Path, tmp_path: Path) -> None:
    candidate, _ = counted(f"local-dir:{folder}")
    load_or_recall(candidate, False, tmp_path / "cache")
    known = load_or_recall(candidate, False, tmp_path / "cache")
    torch.manual_seed(1)
    save_for_hf(timm.create_model("test_efficientnet", num_classes=5), folder, safe_serialization=True)
    with pytest.raises(ModelError, match="has changed since its rows were cached"):
        extract(pictures(4), known, cache=tmp_path / "cache")


def test_a_source_of_one_s_own_module_is_never_recalled(tmp_path: Path) -> None:
    candidate, loads = counted("zoo/tiny_digits")
    for _ in range(2):
        load_or_recall(replace(candidate, files=None), False, tmp_path)
    assert len(loads) == 2
    assert not list(tmp_path.iterdir())
