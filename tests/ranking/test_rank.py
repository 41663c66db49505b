"""`hs.rank` end to end on small real modules: order, failures, options, what is written and what is not."""

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.ranking.toys import Blind, Broken, Eye, clear, dazzled, folder_of_classes, pixels, source, to_tensor

import headstart as hs
from headstart.errors import CacheError, InputError, ModelError, TargetError
from headstart.records import Ranking
from headstart.runner import Event
from headstart.sources import Candidate

SCORES = ("leep_calibrated", "leep", "knn")


def test_the_source_that_sees_the_colour_is_best() -> None:
    ranking = hs.rank(pixels(), [dazzled(), clear()], cache=False)
    assert [row.source for row in ranking.rows] == ["clear", "dazzled"]
    assert ranking.best == "clear"
    assert ranking.sort == "leep_pooled"
    first = ranking.rows[0]
    assert first.computed == 60
    assert first.forward_seconds > 0
    assert first.examples_per_second == pytest.approx(60 / first.forward_seconds)
    assert first.head is not None
    assert ranking.target.classes == ("blue", "green", "red")
    assert set(ranking.target.samples) == {"blue", "green", "red"}


def test_scores_are_those_of_the_scores_room_on_the_modules_own_outputs() -> None:
    images, labels = pixels()
    module = Eye(blur=0.3).eval()
    ranking = hs.rank((images, labels), source(module, "m"), scores="leep,knn", cache=False)
    with torch.inference_mode():
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        probs = module(batch).double().softmax(1).numpy()
    assert ranking.rows[0].scores["leep"].value == pytest.approx(hs.scores.leep(probs, labels), abs=1e-5)
    assert ranking.scores == ("leep", "knn")


def test_one_broken_model_does_not_stop_the_others() -> None:
    class LibraryError(Exception):
        """Derives from nothing narrower, as safetensors' does."""

    def unloadable(trust_pickle: bool) -> None:
        raise LibraryError("no 'head.weight'")

    lost = Candidate(hs.ModelCard("lost", "image"), unloadable)  # type: ignore[arg-type]
    models = [source(Broken(), "broken"), lost, clear(), source(Blind(), "blind")]
    ranking = hs.rank(pixels(), models, scores=SCORES, cache=False)
    assert [row.source for row in ranking.rows] == ["clear"]
    reasons = {failure.source: failure.reason for failure in ranking.failures}
    assert set(reasons) == {"broken", "lost", "blind"}
    assert "mat1 and mat2 shapes cannot be multiplied" in reasons["broken"]
    assert all("\n" not in reason for reason in reasons.values())
    assert "'head.weight'" in reasons["lost"]
    assert "nan" in reasons["blind"].lower()


def test_when_every_model_fails_there_is_no_best_and_nothing_is_written(tmp_path: Path) -> None:
    out, report = tmp_path / "run", tmp_path / "page.html"
    ranking = hs.rank(pixels(), source(Broken(), "broken"), scores=SCORES, cache=False, out=out, report=report)
    assert (ranking.rows, len(ranking.failures)) == ((), 1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no source could be ranked"):
        _ = ranking.best


def test_ctrl_c_ends_the_search() -> None:
    def interrupted(trust_pickle: bool) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hs.rank(pixels(), [Candidate(hs.ModelCard("slow", "image"), interrupted)], cache=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [CacheError("the disk is full"), TargetError("too many are unreadable")])
def test_what_would_hit_every_source_ends_the_search(error: Exception) -> None:
    def load(trust_pickle: bool) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        hs.rank(pixels(), [Candidate(hs.ModelCard("any", "image"), load), clear()], cache=False)  # type: ignore[arg-type]


def test_a_source_is_let_go_before_the_next_is_loaded() -> None:
    alive: list[weakref.ref] = []

    def candidate(name: str) -> Candidate:
        def load(trust_pickle: bool) -> hs.Source:
            gc.collect()
            assert not any(held() for held in alive), "the last module is still in memory"
            made = source(Eye(), name)
            alive.append(weakref.ref(made.module))
            return made

        return Candidate(hs.ModelCard(name, "image"), load)

    ranking = hs.rank(pixels(), [candidate("one"), candidate("two")], scores=SCORES, cache=False)
    assert ranking.failures == ()
    assert len(alive) == 2


def test_trust_in_pickles_is_passed_on_and_not_given_by_default() -> None:
    asked = []

    def load(trust_pickle: bool) -> hs.Source:
        asked.append(trust_pickle)
        return clear()

    for trust in ({}, {"trust_pickle": True}):
        hs.rank(pixels(), [Candidate(hs.ModelCard("m", "image"), load)], scores="leep", cache=False, **trust)
    assert asked == [False, True]


def test_a_second_run_costs_no_forward_pass(tmp_path: Path) -> None:
    first = hs.rank(pixels(), clear(), scores=SCORES, cache=tmp_path)
    second = hs.rank(pixels(), clear(), scores=SCORES, cache=tmp_path)
    assert (first.rows[0].computed, second.rows[0].computed) == (60, 0)
    assert second.rows[0].examples_per_second is None
    for name in SCORES:
        assert first.rows[0].scores[name].value == second.rows[0].scores[name].value
    assert hs.rank(pixels(), clear(), scores=SCORES, cache=False).rows[0].computed == 60


def test_the_usual_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    hs.rank(pixels(), clear(), scores="leep")
    assert list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("search", ["all", "race"])
def test_a_cache_that_cannot_be_written_costs_no_ranking_and_is_noted(tmp_path: Path, search: str) -> None:
    (tmp_path / "file").write_text("no folder can be made below a file, whoever runs this")
    models = [clear(), dazzled()]
    ranking = hs.rank(pixels(), models, scores=SCORES, cache=tmp_path / "file" / "cache", search=search)
    assert [row.computed for row in ranking.rows] == [60, 60]
    for row in ranking.rows:
        assert "Not a directory" in row.notes[0]
        assert "`--cache FOLDER`" in row.notes[0]
    usual = hs.rank(pixels(), models, scores=SCORES, cache=False, search=search)
    assert [row.scores["leep"].value for row in ranking.rows] == [row.scores["leep"].value for row in usual.rows]


@pytest.mark.parametrize("cache", [None, False])
def test_no_cache_leaves_no_rows(cache: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    assert hs.rank(pixels(), clear(), cache=cache).rows[0].computed == 60
    assert not list(tmp_path.iterdir())


def test_a_cache_that_is_no_folder_is_refused() -> None:
    with pytest.raises(InputError, match="`cache` must be True, False, a folder or a URL; got 5"):
        hs.rank(pixels(), clear(), cache=5)  # type: ignore[arg-type]


def test_limit_keeps_a_stratified_part_and_says_so() -> None:
    ranking = hs.rank(pixels(), clear(), scores=SCORES, limit=30, cache=False)
    assert (ranking.target.n, ranking.target.counts) == (30, (10, 10, 10))
    assert any("30 of 60" in note for note in ranking.target.notes)
    assert ranking.rows[0].computed == 30


def test_the_seed_changes_which_examples_are_kept() -> None:
    hashes = {
        seed: hs.rank(pixels(), clear(), scores="leep", limit=9, seed=seed, cache=False).provenance.target_hash
        for seed in (0, 1)
    }
    assert hashes[0] != hashes[1]


def test_sort_and_scores_change_the_ranking() -> None:
    ranking = hs.rank(pixels(), [clear(), dazzled()], scores=["nce", "leep"], sort="knn", cache=False)
    assert (ranking.scores, ranking.sort, ranking.sort_reason) == (("nce", "leep", "knn"), "knn", "you chose it")
    assert hs.rank(pixels(), clear(), cache=False).scores != ranking.scores


def test_batch_size_reaches_the_module() -> None:
    class Counting(Eye):
        sizes: list[int] = []  # noqa: RUF012

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.sizes.append(len(x))
            return super().forward(x)

    hs.rank(pixels(), source(Counting(), "m"), scores="leep", batch_size=7, cache=False)
    assert max(Counting.sizes) == 7


def test_out_and_report_hold_the_same_ranking(tmp_path: Path) -> None:
    ranking = hs.rank(
        pixels(), clear(), scores=SCORES, cache=False, out=tmp_path / "run", report=tmp_path / "run" / "report.html"
    )
    assert Ranking.load(tmp_path / "run") == ranking
    assert "<html" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(("option", "place"), [("out", "file"), ("report", "folder")])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, option: str, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="Name another place"):
        hs.rank(tmp_path / "no such data", clear(), **{option: tmp_path / place})  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "mine"


def test_provenance_says_how_to_make_the_same_numbers_again(tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos")
    ranking = hs.rank(folder, clear(), scores=["leep"], limit=30, seed=3, cache=False)
    record = ranking.provenance
    assert record.command == f"headstart.rank({str(folder)!r}, models=<Source>, scores=['leep'], limit=30, seed=3)"
    assert (record.seed, set(record.source_hashes)) == (3, {"clear"})
    assert {"headstart", "numpy", "torch", "python"} <= set(record.versions)
    again = hs.rank(folder, clear(), scores=["leep"], limit=30, seed=3, cache=False)
    assert again.provenance.target_hash == record.target_hash
    assert hs.rank(folder, clear(), scores="leep", command="mine", cache=False).provenance.command == "mine"


def test_unreadable_examples_are_skipped_counted_and_listed_for_all_sources(tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos")
    whole = (folder / "red" / "002.png").read_bytes()
    (folder / "red" / "002.png").write_bytes(whole[:60])
    with pytest.raises(TargetError):
        hs.rank(folder, clear(), scores=SCORES, max_bad=0, cache=False)
    ranking = hs.rank(folder, [clear(), dazzled()], scores=SCORES, max_bad=0.1, cache=False)
    assert ranking.target.n == 59
    assert [name for name in ranking.target.skipped if "002.png" in name]
    assert ranking.notes == ()


def test_progress_tells_every_stage_of_every_source() -> None:
    events: list[Event] = []
    hs.rank(pixels(), [clear(), source(Broken(), "broken")], scores="leep", cache=False, progress=events.append)
    models = [(event.done, event.total, event.message.split(" in ")[0]) for event in events if event.what == "models"]
    assert models == [(0, 2, ""), (1, 2, "[1/2] clear: done"), (2, 2, "[2/2] broken: failed"), (0, 0, "")]
    forward = [event.done for event in events if event.what == "clear" and event.total]
    assert forward == sorted(forward)
    assert (forward[0], forward[-1]) == (0, 60)


def test_a_torch_data_set_is_a_target() -> None:
    images, names = pixels()
    labels = np.unique(names, return_inverse=True)[1]

    class Data(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            return images[index], int(labels[index])

    assert hs.rank(Data(), clear(), scores=SCORES, cache=False).target.n == 60


@pytest.mark.parametrize("search", ["all", "race"])
def test_examples_are_hashed_once_however_many_sources_there_are(tmp_path: Path, search: str) -> None:
    images, names = pixels(60)
    codes = np.unique(names, return_inverse=True)[1]
    asked: list[int] = []

    class Data(torch.utils.data.Dataset):
        targets = codes.tolist()

        def __len__(self) -> int:
            return 60

        def __getitem__(self, row: int) -> tuple[Image.Image, int]:
            asked.append(row)
            return Image.fromarray(images[row]), int(codes[row])

    sources = [clear(), dazzled()]
    options = {"scores": "leep,knn", "cache": tmp_path, "search": search}
    first = hs.rank(Data(), sources, limit=30, **options)
    assert len(asked) < 4 * 30  # once for the digest, once a source, a few looks at the first
    asked.clear()
    again = hs.rank(Data(), sources, limit=30, **options)
    assert len(asked) < 2 * 30
    assert [row.scores["leep"].value for row in again.rows] == [row.scores["leep"].value for row in first.rows]
    assert again.provenance.target_hash == hs.rank(Data(), sources[:1], limit=30, cache=False).provenance.target_hash


def test_a_bare_module_without_preprocessing_fails_with_the_next_step() -> None:
    ranking = hs.rank(pixels(), [Eye(), clear()], scores=SCORES, cache=False)
    assert "prepare" in ranking.failures[0].reason
    assert ranking.best == "clear"


def test_a_target_that_is_open_already_is_taken_as_it_is(tmp_path: Path) -> None:
    target = hs.open_target(folder_of_classes(tmp_path / "photos"))
    assert hs.rank(target, clear(), scores=SCORES, cache=False).target.n == 60


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scores": "lepe"}, InputError, "lepe"),
        ({"sort": "lepe"}, InputError, "lepe"),
        ({"models": []}, InputError, "`models` is empty"),
        ({"models": "zoo/efficientnet_lite9"}, ModelError, "efficientnet_lite"),
        ({"limit": 0}, InputError, "`limit` must be a whole number of at least 1"),
        ({"limit": 1.5}, InputError, r"`limit` must be a whole number of at least 1; got 1\.5"),
        ({"seed": -1}, InputError, "`seed` must be a whole number of at least 0; got -1"),
        ({"scores": 3}, InputError, "`scores` must be names of scores; got 3"),
        ({"scores": ["leep", 3]}, InputError, r"`scores` must be names of scores; got \['leep', 3\]"),
        ({"task": "clasification"}, InputError, "classification"),
        ({"device": "abacus"}, InputError, "`device` must be one of auto, cpu"),
        ({"batch_size": 0}, InputError, "`batch_size` must be a whole number of at least 1; got 0"),
        ({"max_bad": 1.5}, InputError, "`max_bad` .* between 0 and 1; got 1.5"),
        ({"label_column": "label"}, InputError, "label_column"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hs.rank(pixels(), **{"models": clear(), "cache": False, **options})


def test_a_source_without_classifier_is_ranked_by_features() -> None:
    headless = hs.from_module(Eye().body, head=None, prepare=lambda image: to_tensor(image).mean((1, 2)), name="bare")
    ranking = hs.rank(pixels(), [headless, clear()], cache=False)
    assert ranking.sort == "leep_pooled"
    bare = next(row for row in ranking.rows if row.source == "bare")
    assert "classifier" in bare.unavailable["leep"]


def test_the_record_is_plain_json(tmp_path: Path) -> None:
    hs.rank(pixels(), clear(), scores=SCORES, cache=False).save(tmp_path)
    assert json.loads((tmp_path / "ranking.json").read_text())["sort"] == "leep_calibrated"
