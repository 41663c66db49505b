"""What every score promises, held over the whole table: a new row is tested by being there."""

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels, logits_and_labels, probs_and_labels

from headstart.records import ModelCard
from headstart.scores import SCORES, Inputs, Score, evaluate
from headstart.scores import _inputs as inputs_file

ROWS = list(SCORES.values())
ON_ARRAYS = [row for row in ROWS if row.needs in ("probs", "logits", "features")]
CARD = ModelCard("zoo/some", "image", imagenet_top1=0.7)
CLASSIFYING = [row for row in ON_ARRAYS if "classification" in row.tasks]
FEATURE_CHANGES = ("scale", "shift", "rotation", "unused")


def arrays(row: Score, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    if row.needs == "features":
        return features_and_labels(seed=seed)
    return probs_and_labels(seed=seed) if row.needs == "probs" else logits_and_labels(seed=seed)


def rows(these: list[Score]):
    return pytest.mark.parametrize("row", these, ids=[row.name for row in these])


def changed(row: Score, change: str, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    if change == "order":
        order = rng.permutation(len(labels))
        return np.ascontiguousarray(x[order]), labels[order]
    if change == "names":
        return x, np.array(["zebra", "ape", "<b>"])[labels]
    if change == "scale":
        return 3.7 * x, labels
    if change == "shift":
        return x + rng.normal(size=x.shape[1]), labels
    if change == "rotation":
        return x @ np.linalg.qr(rng.normal(size=(x.shape[1],) * 2))[0], labels
    empty = np.zeros((len(x), 1)) if row.needs != "logits" else np.full((len(x), 1), -np.inf)
    return np.hstack([x[:, :2], empty, x[:, 2:]]), labels


@rows(ROWS)
def test_a_row_says_all_that_a_reader_needs(row):
    assert row.title
    assert row.meaning.endswith(".")
    assert row.cost
    assert row.citation
    assert row.tasks
    assert row.low < row.high
    assert SCORES.find(row.name) is row
    assert row.function.__doc__


@rows(ROWS)
def test_every_score_ignores_the_order_of_samples_and_the_names_of_classes(row):
    assert {"order", "names"} <= row.invariances, "no score may depend on these; say so in the row"


@rows(CLASSIFYING)
@pytest.mark.parametrize("change", ["order", "names", *FEATURE_CHANGES])
def test_a_row_is_invariant_to_exactly_what_it_promises(row, change):
    if row.needs != "features" and change in ("scale", "shift", "rotation"):
        assert change not in row.invariances
        return
    x, labels = arrays(row)
    before = row.function(x, labels)
    after = row.function(*changed(row, change, x, labels))
    if change in row.invariances:
        assert after == pytest.approx(before, rel=1e-7, abs=1e-9)
    else:
        assert abs(after - before) > 1e-12 * abs(before), f"the row may promise {change!r}"


@rows(CLASSIFYING)
def test_labels_may_have_gaps_and_any_sign(row):
    x, labels = arrays(row)
    assert row.function(x, np.array([70, -1, 5])[labels]) == pytest.approx(row.function(x, labels), rel=1e-9)


@rows(CLASSIFYING)
def test_precisions_agree_and_memory_maps_are_read(row, tmp_path):
    x, labels = arrays(row)
    if row.needs == "probs":  # multiples of 1/256 are exact in half precision and still sum to one
        x = np.array([np.random.default_rng(i).multinomial(256, p / p.sum()) for i, p in enumerate(x)]) / 256
    half = x.astype(np.float16)
    expected = row.function(half.astype(np.float64), labels)
    half.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", dtype=np.float16, mode="r", shape=half.shape)
    for given in (half, half.astype(np.float32), mapped, np.asfortranarray(half.astype(np.float32))):
        assert row.function(given, labels) == pytest.approx(expected, rel=2e-5, abs=2e-6)


@rows(CLASSIFYING)
def test_the_input_is_left_alone(row):
    x, labels = arrays(row)
    kept = x.copy()
    for array in (x, labels):
        array.setflags(write=False)
    row.function(x, labels)
    assert (x == kept).all()


@rows(CLASSIFYING)
@pytest.mark.parametrize("seed", range(3))
def test_values_are_floats_inside_the_stated_range(row, seed):
    value = row.function(*arrays(row, seed))
    assert type(value) is float
    assert row.low <= value <= row.high
    assert np.isfinite(value)


AT_ITS_PENALTY = {"leep_pooled", "logme", "ridge_probe", "transferability"}  # held while a group is left out
LOOSE = {"leep_calibrated": 2e-3, "logme": 1e-5}  # each says why in its file


@rows(CLASSIFYING)
def test_leaving_a_group_out_equals_the_score_without_it(row):
    x, labels = arrays(row)
    groups = np.random.default_rng(3).permutation(np.arange(len(labels)) % 6)
    done, missing = evaluate([row.name], labels=labels, groups=groups, **{row.needs: x})
    assert not missing
    assert done[row.name].value == pytest.approx(row.function(x, labels), rel=1e-9)
    if row.name in AT_ITS_PENALTY or any(note.startswith("approximate interval") for note in done[row.name].notes):
        assert done[row.name].deleted.std() > 0
        return
    expected = [row.function(x[groups != g], labels[groups != g]) for g in range(6)]
    assert done[row.name].deleted == pytest.approx(expected, rel=1e-8, abs=LOOSE.get(row.name, 1e-8))


@rows([row for row in ON_ARRAYS if "regression" in row.tasks])
def test_regression_targets_of_one_column_and_of_several(row):
    x, _ = arrays(row)
    numbers = x @ np.random.default_rng(5).normal(size=(x.shape[1], 2)) + np.random.default_rng(6).normal(size=(60, 2))
    one = row.function(x, numbers[:, 0], task="regression")
    assert one == pytest.approx(row.function(x, numbers[:, :1], task="regression"), rel=1e-12)
    both = row.function(x, numbers, task="regression")
    assert np.isfinite([one, both]).all()
    assert both != one


@rows([row for row in ON_ARRAYS if "multi-label" in row.tasks])
def test_several_labels_an_example(row):
    x, labels = arrays(row)
    one_hot = np.eye(3, dtype=int)[labels]
    done, _ = evaluate([row.name], labels=one_hot, groups=np.arange(60) % 5, features=x, task="multi-label")
    assert np.isfinite([done[row.name].value, *done[row.name].deleted]).all()


@rows(ROWS)
def test_a_score_that_cannot_be_had_says_why(row):
    done, reasons = evaluate([row.name], labels=np.array([0, 1, 0, 1]), task="classification")
    assert (row.name in done) == (row.needs == "nothing")
    assert reasons.get(row.name, "a reason") != ""


def test_the_scores_of_a_plain_ranking_begin_with_pooled_leep():
    assert [row.name for row in ROWS if row.default] == [
        "leep_pooled", "leep_gaussian", "leep_calibrated", "leep", "nce", "regularized_h_score", "logme", "knn",
    ]  # fmt: skip


def test_scores_that_share_a_decomposition_compute_it_once(monkeypatch):
    calls = []
    decompose = inputs_file.decompose
    monkeypatch.setattr(inputs_file, "decompose", lambda features: calls.append(1) or decompose(features))
    x, labels = features_and_labels()
    names = ["h_score", "regularized_h_score", "logme", "ridge_probe"]
    done, _ = evaluate(names, labels=labels, groups=np.arange(60) % 5, features=x)
    assert list(done) == names
    assert len(calls) == 1


def test_inputs_say_what_is_missing():
    inputs = Inputs(np.array([0, 1]))
    assert "no features" in inputs.missing("features")
    assert "no classifier" in inputs.missing("probs")
    assert "no logits" in inputs.missing("logits")
    assert inputs.missing("nothing") is None
