"""Models fetched from a hub: the real download code, against a stand-in on the loopback address."""

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants, file_download
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tests.sources.folders import text_model, tokenizer
from tests.sources.stand_in import StandIn, serving
from timm.models import save_for_hf

import headstart as hs
from headstart.errors import HeadstartError, ModelError, OfflineError
from headstart.ranking import attempt, entry
from headstart.runner import Event
from headstart.sources import Source, candidates, hub

TINY, REPO, FILE = "timm/test_efficientnet", "timm/test_efficientnet.r160_in1k", "model.safetensors"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A timm model, a transformers model in shards, and a sentence encoder."""
    root = tmp_path_factory.mktemp("folders")
    torch.manual_seed(0)
    save_for_hf(timm.create_model("test_efficientnet.r160_in1k"), root / "timm", safe_serialization=True)
    text_model("bert").save_pretrained(root / "bert", max_shard_size="5KB")
    tokenizer(pad_token="[PAD]").save_pretrained(root / "bert")
    text_model("bert").base_model.save_pretrained(root / "words")
    tokenizer(pad_token="[PAD]").save_pretrained(root / "words")
    words = modules.Transformer(str(root / "words"))
    pooling = modules.Pooling(words.get_embedding_dimension())
    SentenceTransformer(modules=[words, pooling], device="cpu").save(str(root / "encoder"))
    return root


@pytest.fixture
def site(tmp_path: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with serving(tmp_path / "hub") as standing:
        standing.waits = waits  # type: ignore[attr-defined]
        standing.add(REPO, folders / "timm")
        yield standing


def fetched(name: str) -> Source:
    (candidate,) = candidates(name, kind="image" if name.startswith("timm/") else "text")
    return candidate.load(False)


def test_a_file_that_was_cut_off_is_continued(site: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
    site.faults[FILE] = ["cut"]
    source = fetched(TINY)
    size = len(site.repos[REPO][source.card.revision][FILE])
    assert site.gets(FILE) == ["", f"bytes={size // 2 >> 16 << 16}-"]


@pytest.mark.parametrize(
    ("faults", "error", "message"),
    [
        ([401] * 9, ModelError, "no public repository timm/.*hf auth login"),
        ([403] * 9, ModelError, "is gated. Accept its terms"),
        ([404] * 9, ModelError, "no public repository.*spelling"),
        ([429] * 99, OfflineError, "limits requests"),
        ([500] * 99, OfflineError, r"an error of its own \(500\)"),
    ],
)
def test_what_a_hub_refuses_is_said_with_the_next_step(
    site: StandIn, faults: list[int], error: type[HeadstartError], message: str
) -> None:
    site.faults[FILE] = faults
    with pytest.raises(error, match=message):
        fetched(TINY)


def test_a_hub_that_is_busy_or_fails_for_a_moment_is_asked_again(site: StandIn) -> None:
    site.faults[FILE] = [(429, {"Retry-After": "7"}), 500, 503]
    fetched(TINY)
    assert any(7 <= wait < 9 for wait in site.waits)  # type: ignore[attr-defined]


def test_damaged_content_is_found_deleted_and_fetched_anew(site: StandIn) -> None:
    site.wrong.add(FILE)
    with pytest.raises(ModelError, match=r"checksum .* damaged on its way and has been deleted"):
        fetched(TINY)
    site.wrong.clear()
    assert fetched(TINY).card.revision in site.repos[REPO]


def test_a_full_disk_is_named(site: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "_chmod_and_move", full)
    with pytest.raises(ModelError, match=r"no room left in .*HF_HUB_CACHE"):
        fetched(TINY)


def test_two_processes_fetch_a_model_once_however_many_tasks_use_it(
    site: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (attempt, entry):
        monkeypatch.setattr(room, "SHARD", 4)
    pixels = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 3)).astype(np.uint8)
    ranking = hs.rank((list(pixels), ["a", "b"] * 6), [TINY], cache=tmp_path / "cache", scores="leep", workers=2)
    assert [row.computed for row in ranking.rows] == [12]
    assert site.gets(FILE) == [""]


def test_the_switch_that_forbids_the_network_holds_for_what_is_fetched(
    site: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(TINY)
    before = len(site.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetched(TINY)
    with pytest.raises(OfflineError, match="HF_HUB_OFFLINE"):
        fetched("hf/owner/elsewhere")
    assert len(site.requests) == before


def test_a_revision_is_recorded_and_can_be_asked_for(site: StandIn, folders: Path, tmp_path: Path) -> None:
    old = fetched(TINY).card.revision
    torch.manual_seed(1)
    save_for_hf(timm.create_model("test_efficientnet.r160_in1k"), tmp_path / "new", safe_serialization=True)
    new = site.add(REPO, tmp_path / "new")
    names = [f"{TINY}@{old}", f"{TINY}.r160_in1k@{new}"]
    first, second = (fetched(name) for name in names)
    assert [first.card.revision, second.card.revision] == [old, new]
    assert first.fingerprint != second.fingerprint
    with pytest.raises(ModelError, match="has no revision v9"):
        fetched(f"{TINY}@v9")


def test_a_sharded_model_of_transformers_and_one_in_pickles(site: StandIn, folders: Path) -> None:
    commit = site.add("owner/bert", folders / "bert")
    site.faults["00001-of-00003.safetensors"] = ["cut", 500]
    source = fetched("hf/owner/bert")
    assert source.card.revision == commit
    assert source.classes == ("bad", "good", "neither")
    assert candidates("hf/owner/bert")[0].card.local
    assert candidates("hf/owner/bert", kind="text")[0].classes() == source.classes
    asked = len(site.requests)
    assert fetched(f"hf/owner/bert@{commit}").fingerprint == source.fingerprint
    assert len(site.requests) == asked  # it is here
    with pytest.raises(ModelError, match="no public repository owner/absent"):
        fetched("hf/owner/absent")


def test_a_sentence_encoder(site: StandIn, folders: Path) -> None:
    commit = site.add("owner/encoder", folders / "encoder")
    site.repos["owner/encoder"][commit]["onnx/model.onnx"] = b"large"
    source = fetched("st/owner/encoder")
    assert source.card.revision == commit
    assert site.gets("model.onnx") == []  # what is not needed is not fetched
    assert hub.cached_repositories() == ["owner/encoder"]


def test_the_next_model_is_downloaded_while_one_runs_and_a_ranking_repeats_on_its_revisions(
    site: StandIn, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    save_for_hf(timm.create_model("test_vit.r160_in1k"), tmp_path / "vit", safe_serialization=True)
    site.add("timm/test_vit.r160_in1k", tmp_path / "vit")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 8, 3)).astype(np.uint8)
    came: list[bool] = []

    def during(event: Event) -> None:
        if event.what.startswith(TINY) and event.done:  # the first model is in its pass
            came.append(
                any(
                    threading.Event().wait(0.02) or site.gets("test_vit.r160_in1k/resolve/main/" + FILE)
                    for _ in range(250)
                )
            )

    data = (list(pixels), ["a", "b"] * 4)
    ranking = hs.rank(data, [TINY, "timm/test_vit"], cache=False, batch_size=4, scores="leep", progress=during)
    assert came
    assert came[0]
    assert all("@" in name for name in ranking.models)
    torch.manual_seed(3)
    save_for_hf(timm.create_model("test_vit.r160_in1k"), tmp_path / "new", safe_serialization=True)
    site.add("timm/test_vit.r160_in1k", tmp_path / "new")  # `main` moves on
    again = hs.rank(data, ranking.models, cache=False, batch_size=4, scores="leep")
    assert {*again.provenance.source_hashes.values()} == {*ranking.provenance.source_hashes.values()}
