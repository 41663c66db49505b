"""Arrays made elsewhere are ranked as they are: files, folders, mappings, pairs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import headstart as hs
from headstart.data import Reading
from headstart.errors import InputError, TargetError
from headstart.ranking.inputs import array_files, open_inputs

SCORES = "leep,knn"


def arrays(noise: float, *, seed: int = 0, n: int = 90) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.array(["bird", "cat", "dog"])[np.arange(n) % 3]
    features = np.eye(3)[np.arange(n) % 3] + noise * rng.standard_normal((n, 3))
    probs = np.exp(3 * features @ np.random.default_rng(9).standard_normal((3, 6)))
    return {"features": features, "probs": probs / probs.sum(axis=1, keepdims=True), "labels": labels}


def saved(folder: Path, **noises: float) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for seed, (name, noise) in enumerate(noises.items()):
        np.savez(folder / f"{name}.npz", **arrays(noise, seed=seed))
    return [folder / f"{name}.npz" for name in noises]


def test_one_file_is_one_source_with_the_scores_of_its_arrays(tmp_path: Path) -> None:
    (path,) = saved(tmp_path, a=0.5)
    held = arrays(0.5)
    ranking = hs.rank(path, scores=SCORES)
    assert [row.source for row in ranking.rows] == ["a"]
    scores = ranking.rows[0].scores
    assert scores["leep"].value == pytest.approx(hs.scores.leep(held["probs"], held["labels"]), abs=1e-9)
    assert scores["knn"].value == pytest.approx(hs.scores.knn(held["features"], held["labels"]), abs=1e-9)
    assert ranking.target.kind == "arrays"


def test_several_files_or_their_folder_are_several_sources(tmp_path: Path) -> None:
    paths = saved(tmp_path / "scans", far=2.0, near=0.2)
    by_name = hs.rank(paths, scores=SCORES)
    by_folder = hs.rank(tmp_path / "scans", scores=SCORES)
    assert [row.source for row in by_name.rows] == [row.source for row in by_folder.rows] == ["near", "far"]
    assert by_name.target.name == "scans"


def test_files_of_the_same_name_are_told_apart_by_their_path(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one", a=0.2), saved(tmp_path / "other", a=0.9)
    assert {row.source for row in hs.rank([*one, *other], scores=SCORES).rows} == {str(one[0]), str(other[0])}


def test_a_mapping_of_arrays_is_the_same_as_a_file(tmp_path: Path) -> None:
    (path,) = saved(tmp_path, a=0.5)
    from_file, from_memory = hs.rank(path, scores=SCORES), hs.rank(arrays(0.5), scores=SCORES)
    for name in ("leep", "knn"):
        assert from_file.rows[0].scores[name].value == from_memory.rows[0].scores[name].value


def test_a_pair_of_features_and_labels_is_scored_on_features_and_says_so() -> None:
    held = arrays(0.5)
    ranking = hs.rank((held["features"], held["labels"]))
    assert "the numbers given are taken as features" in ranking.target.notes
    assert "leep" not in ranking.rows[0].scores
    assert ranking.rows[0].scores["knn"].value > 0.5


def test_limit_takes_the_same_examples_of_every_file(tmp_path: Path) -> None:
    paths = saved(tmp_path, a=0.5, b=0.5)
    ranking = hs.rank(paths, scores=SCORES, limit=30)
    assert ranking.target.counts == (10, 10, 10)
    assert ranking.notes == ()  # no "slightly different examples"
    assert ranking.rows[0].scores["leep"].value != hs.rank(paths, scores=SCORES).rows[0].scores["leep"].value


def test_different_labels_or_lengths_are_refused(tmp_path: Path) -> None:
    (a,) = saved(tmp_path, a=0.5)
    other, shorter = arrays(0.5), arrays(0.5, n=60)
    other["labels"][7] = "dog"
    np.savez(tmp_path / "other.npz", **other)
    np.savez(tmp_path / "shorter.npz", **shorter)
    with pytest.raises(
        InputError, match=r"other.npz and .*a.npz have different labels: row 7 is 'dog' and 'cat' \(1 of 90"
    ):
        hs.rank([a, tmp_path / "other.npz"], scores=SCORES)
    with pytest.raises(InputError, match=r"a.npz has 90 labels and .*shorter.npz has 60"):
        hs.rank([a, tmp_path / "shorter.npz"], scores=SCORES)


def test_arrays_take_no_models_and_mixed_targets_are_refused(tmp_path: Path) -> None:
    (a,) = saved(tmp_path, a=0.5)
    with pytest.raises(InputError, match="leave out `models`"):
        hs.rank(a, "zoo")
    with pytest.raises(TargetError, match=r"several targets are named, but photos is not a \.npz"):
        hs.rank([a, "photos"])


def test_a_folder_with_anything_else_in_it_is_no_folder_of_arrays(tmp_path: Path) -> None:
    saved(tmp_path, a=0.5)
    assert array_files(tmp_path) == [tmp_path / "a.npz"]
    (tmp_path / ".hidden").write_text("")
    assert array_files(tmp_path) == [tmp_path / "a.npz"]
    (tmp_path / "notes.txt").write_text("")
    assert array_files(tmp_path) == []


def test_regression_targets_are_ranked_by_features() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((80, 5))
    ranking = hs.rank({"features": features, "labels": features @ rng.standard_normal(5) + 0.5})
    assert ranking.target.task == "regression"
    assert ranking.sort == "logme"


def test_ranking_arrays_needs_no_torch(tmp_path: Path) -> None:
    (path,) = saved(tmp_path, a=0.5)
    code = f"import sys, headstart as hs; hs.rank({str(path)!r}, scores='leep,knn'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_with_zeros_score_as_the_functions_score_them(dtype: type) -> None:
    held = arrays(0.5)
    probs = np.where(held["probs"] < 1e-2, 0, held["probs"])
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(dtype)
    assert 0 < (probs == 0).mean() < 0.6
    rows = hs.scores.SCORES.values()
    names = [row.name for row in rows if row.needs == "probs" and "classification" in row.tasks]
    found = hs.rank({"probs": probs, "labels": held["labels"]}, scores=names).rows[0].scores
    for name in names:
        expected = hs.scores.SCORES[name].function(probs, held["labels"])
        assert found[name].value == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-9), name


def test_what_constant_features_leave_unsaid_is_said_in_whole_sentences() -> None:
    ranking = hs.rank({"features": np.ones((90, 4)), "labels": np.arange(90) % 3}, scores="transrate,gbc,parc")
    assert ranking.rows[0].scores["transrate"].notes[0] == "the features are the same for every example"
    assert ".." not in str(ranking)
    assert "No gbc for arrays: `features` are the same for every example; there is nothing to tell apart." in str(
        ranking
    )


def test_a_class_that_a_left_out_group_empties_is_told_in_one_sentence() -> None:
    features, labels = np.random.default_rng(0).standard_normal((40, 4)), np.arange(40) // 39
    text = str(hs.rank({"features": features, "labels": labels}, scores="gbc"))
    assert "at least two classes" in text
    assert ".." not in text


def test_a_file_is_read_once_and_held_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = saved(tmp_path, a=0.5, b=0.6)
    opened: list[object] = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda file, **options: opened.append(file) or load(file, **options))
    for files in (paths[:1], paths):
        inputs = open_inputs(files, Reading(), most=None, seed=0)
        assert len(opened) == len(files)
        assert inputs.target.examples.examples.rows is inputs.extractions[0].features  # type: ignore[attr-defined]
        opened.clear()
    with pytest.raises(TargetError, match="label_column"):
        hs.rank(paths, label_column="labels")


def test_tensors_of_every_width_and_with_gradients_are_arrays() -> None:
    held = arrays(0.5)
    features = torch.from_numpy(held["features"]).bfloat16()
    as_float = features.float().numpy()
    expected = hs.scores.knn(as_float, held["labels"])
    for given in (
        {"features": features, "labels": held["labels"]},
        {"features": features.float().requires_grad_(), "labels": held["labels"]},
        (features, held["labels"]),
        (features.float().requires_grad_(), held["labels"]),
    ):
        assert hs.rank(given, scores="knn").rows[0].scores["knn"].value == pytest.approx(expected, abs=1e-9)
