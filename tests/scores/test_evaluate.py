"""One source's scores together: what a single score meets must not cost the others, nor row order the digits."""

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels, logits_and_labels

from headstart import scores
from headstart.errors import InputError
from headstart.scores import SCORES, _inputs, evaluate
from headstart.scores.catalogue import knn as knn_file
from headstart.scores.catalogue import parc as parc_file


def test_one_example_per_class_costs_the_discriminants_alone() -> None:
    rng = np.random.default_rng(0)
    names = ["leep", "sfda", "etran_discriminant"]
    done, missing = evaluate(
        names, labels=np.arange(8), features=rng.normal(size=(8, 16)), probs=rng.dirichlet(np.ones(10), 8)
    )
    assert list(done) == ["leep"]
    assert "no class has two examples" in missing["sfda"]
    assert "no class has two examples" in missing["etran_discriminant"]


@pytest.mark.parametrize("error", [np.linalg.LinAlgError("singular"), ZeroDivisionError("by zero")])
def test_a_numerical_failure_of_one_score_is_told_and_the_others_stand(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(inputs: scores.Inputs) -> None:
        raise error

    features, labels = features_and_labels()
    broken = type(SCORES["logme"])(**{**vars(SCORES["logme"]), "measure": fail})
    monkeypatch.setitem(SCORES._entries, "logme", broken)
    done, missing = evaluate(["logme", "knn"], labels=labels, features=features)
    assert list(done) == ["knn"]
    assert type(error).__name__ in missing["logme"]
    assert str(error) in missing["logme"]


def test_a_defect_of_a_score_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(inputs: scores.Inputs) -> None:
        raise TypeError("a defect")

    features, labels = features_and_labels()
    monkeypatch.setitem(SCORES._entries, "logme", type(SCORES["logme"])(**{**vars(SCORES["logme"]), "measure": fail}))
    with pytest.raises(TypeError, match="a defect"):
        evaluate(["logme"], labels=labels, features=features)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_probabilities_called_logits_are_refused(dtype: type) -> None:
    logits, labels = logits_and_labels()
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    with pytest.raises(InputError, match=r"every row of `logits` is a distribution.*pass them as `probs`"):
        evaluate(["leep"], labels=labels, logits=probs.astype(dtype))
    for fine in (logits, np.log(probs), np.where(np.arange(60)[:, None] == 0, logits, probs)):
        assert "leep" in evaluate(["leep"], labels=labels, logits=fine)[0]


ORDERED = ("pactran_gaussian", "ncti", "gbc", "ridge_probe", "nleep", "transrate")


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("kind", ["whole", "half"])
def test_row_order_and_memory_layout_change_nothing_on_small_features(name: str, kind: str) -> None:
    rng = np.random.default_rng(4)
    labels = rng.permutation(np.arange(60) % 3)
    x = rng.integers(0, 3, (60, 9)).astype(float) if kind == "whole" else rng.normal(size=(60, 9)).astype(np.float16)
    groups, function = np.arange(60) % 5, getattr(scores, name)
    value, given = function(x, labels), evaluate([name], labels=labels, groups=groups, features=x)[0][name]
    assert given.value == pytest.approx(value, abs=1e-6)
    for _ in range(2):
        order = rng.permutation(60)
        for moved in (np.ascontiguousarray(x[order]), np.asfortranarray(x[order])):
            assert function(moved, labels[order]) == pytest.approx(value, abs=1e-10)
            again, _ = evaluate([name], labels=labels[order], groups=groups[order], features=moved)
            assert again[name].value == pytest.approx(given.value, abs=1e-10)
            assert again[name].deleted == pytest.approx(given.deleted, abs=1e-10)


def test_features_too_large_to_sort_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(6, 2))
    both = [_inputs.Inputs(np.arange(6), features=rows).features for rows in (x, x[::-1])]
    assert (both[0] == both[1]).all()
    monkeypatch.setattr(_inputs, "SMALL", 11)
    assert (_inputs.Inputs(np.arange(6), features=x).features == x).all()


@pytest.mark.parametrize(("name", "file"), [("knn", knn_file), ("parc", parc_file)])
def test_scores_that_grow_with_n_squared_take_a_sample_and_say_so(
    name: str, file: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "at most 20,000 examples" in SCORES[name].cost
    features, labels = features_and_labels(200, 6)
    whole, _ = evaluate([name], labels=labels, groups=np.arange(200) % 5, features=features)
    assert not any("drawn at random" in note for note in whole[name].notes)
    monkeypatch.setattr(file, "MOST", 100)
    done, _ = evaluate([name], labels=labels, groups=np.arange(200) % 5, features=features)
    again, _ = evaluate([name], labels=labels, groups=np.arange(200) % 5, features=features)
    assert "100 of the 200 examples" in done[name].notes[0]
    assert done[name].value == again[name].value != whole[name].value
    assert np.isfinite(done[name].deleted).all()


def test_no_other_score_grows_with_n_squared() -> None:
    assert {name for name, score in SCORES.items() if "n^2" in score.cost} == {"knn", "parc"}


def test_features_of_very_different_sizes_get_a_note():
    features, labels = features_and_labels()
    for factor, noted in ((1e6, False), (1e10, True), (1e20, True), (1e-10, True), (1e-33, False)):
        scaled = features.copy()
        scaled[:, 0] *= factor
        done, _ = evaluate(["logme", "leep"], labels=labels, features=scaled, logits=features)
        assert any("differ in size by more than 1e8" in note for note in done["logme"].notes) is noted
        assert not any("differ in size" in note for note in done["leep"].notes)
