"""Every message about a caller's arrays: what was expected, what came, where, and the next step."""

import re

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels, probs_and_labels

from headstart.errors import InputError
from headstart.scores import SCORES, evaluate, fit_temperature, leep, logme, random, source_accuracy
from headstart.scores._checks import (
    check_features,
    check_groups,
    check_labels,
    check_logits,
    check_probs,
    check_targets,
)
from headstart.scores._decomposition import decompose

pytestmark = pytest.mark.usefixtures("unchecked")


def says(text: str):
    return pytest.raises(InputError, match=re.escape(text))


LABELS = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.zeros((2, 2)), "`labels` must have shape (n,), one class per example; got (2, 2)."),
        ([], "`labels` is empty"),
        ([0, 0, 0], "`labels` holds 1 class over 3 examples; a score compares at least two classes."),
        ([0.0, np.nan], "`labels[1]` is missing (nan or inf); drop such examples."),
        ([0.0, 1.5], '`labels[1]` is a fraction. For numeric targets pass task="regression"'),
        (np.array(["a", None], dtype=object), "`labels[1]` is missing; drop such examples."),
        (np.array(["a", 3], dtype=object), "must be all integers or all strings; got a mix."),
        (np.array([1j, 2j]), "class `labels` must be integers or strings; got dtype complex128."),
    ],
)
def test_class_labels(labels, text):
    with says(text):
        check_labels(labels)


@pytest.mark.parametrize(
    "labels",
    [[5, 5, -2], ["b", "b", "a"], [True, True, False], [1.0, 1.0, 0.0], np.array(["y", "y", "n"], dtype=object)],
)
def test_labels_of_every_kind_become_codes(labels):
    checked = check_labels(labels)
    assert checked.codes.tolist() == [1, 1, 0]
    assert checked.counts.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("labels", "task", "text"),
    [
        (np.array(["a", "b"]), "regression", "regression `labels` must be numbers of shape (n,) or (n, t); got <U1"),
        (np.array([1.0, np.inf]), "regression", "`labels[1]` is missing (nan or inf)"),
        (np.array([[0, 1], [2, 0]]), "multi-label", "multi-label `labels` must be 0 or 1; row 1 holds another value."),
        (np.array([2.0, 2.0]), "regression", "column 0 of `labels` is the same for every example"),
    ],
)
def test_labels_of_other_tasks(labels, task, text):
    with says(text):
        check_targets(labels, task)


@pytest.mark.parametrize(
    ("probs", "text"),
    [
        (np.full((3, 2), 0.9), "each row of `probs` must be a distribution; row 0 sums to 1.8 (3 of the 3 rows read"),
        (np.array([[1.0, 0.0], [1.5, -0.5], [0.5, 0.5]]), "row 1 has a negative entry (-0.5)"),
        (np.array([[1.0, 0.0], [np.nan, 0.5], [0.5, 0.5]]), "`probs` must be finite; row 1 holds nan or inf"),
        (np.array([[1.0, 0.0], [np.inf, 0.5], [0.5, 0.5]]), "`probs` must be finite; row 1 holds nan or inf"),
        (np.array([[1.0, 0.0], [0.0, 0.0], [0.5, 0.5]]), "row 1 sums to 0"),
        (np.ones(3), "`probs` must have two axes, one row per example; got shape (3,)."),
        (np.zeros((3, 0)), "`probs` is empty: shape (3, 0)."),
        (np.array([["a", "b"]] * 3), "`probs` must hold real numbers; got dtype <U1."),
        (
            np.full((4, 2), 0.5),
            "`probs` has 4 rows and `labels` 3; both must describe the same examples, in one order.",
        ),
    ],
)
def test_probs_alone_and_within_the_counting_sweep(probs, text):
    with says(text):
        check_probs(probs, 3)
    with says(text):
        leep(probs, LABELS)
    with says(text):
        fit_temperature(probs, LABELS)


def test_logits_in_place_of_probs_are_recognised():
    with says("If these are logits, pass softmax(logits)."):
        check_probs(np.random.default_rng(0).normal(size=(5, 3)))


def test_the_row_named_is_the_row_of_the_whole_array(monkeypatch):
    from headstart.scores import _checks

    monkeypatch.setattr(_checks, "BLOCK_BYTES", 64)
    probs = np.full((40, 2), 0.5)
    probs[33] = 3.0
    with says("row 33 sums to 6"):
        check_probs(probs)
    probs[33] = np.nan
    with says("row 33 holds nan or inf"):
        check_features(probs)


def test_half_precision_rounding_is_no_error_and_more_is():
    probs = np.random.default_rng(0).dirichlet(np.ones(1000), size=5)
    check_probs(probs.astype(np.float16))
    with says("must be a distribution"):
        check_probs((probs * 1.02).astype(np.float16))


@pytest.mark.parametrize(
    ("features", "text"),
    [
        (np.array([[1.0], [np.nan], [2.0]]), "`features` must be finite; row 1 holds nan or inf."),
        (np.array([[1.0], [2.0], [-np.inf]]), "`features` must be finite; row 2 holds nan or inf."),
        (np.array([[1.0], [2.0], [1e200]]), "`features` must be finite; row 2 holds 1e+200, too large to square."),
        (np.ones((2, 2)), "`features` has 2 rows and `labels` 3"),
        (np.ones((3, 2, 2)), "`features` must have two axes, one row per example; got shape (3, 2, 2)."),
    ],
)
@pytest.mark.parametrize("score", [s for s in SCORES.values() if s.needs == "features"], ids=lambda s: s.name)
def test_features_of_every_score(score, features, text):
    options = {} if "classification" in score.tasks else {"task": "regression"}
    with says(text):
        score.function(features, LABELS, **options)


def test_logits_may_rule_a_class_out_but_not_all():
    check_logits(np.array([[0.0, -np.inf]]))
    with says("`logits` must be finite; row 1 holds nan or inf"):
        check_logits(np.array([[0.0, 1.0], [-np.inf, -np.inf]]))


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (np.zeros(2, dtype=int), "`groups` must have shape (3,), one group per example; got (2,)."),
        (np.zeros(3, dtype=int), "`groups` holds one group only"),
        (np.array([0.5, 1.0, 1.0]), "`groups` must be integers or strings; got dtype float64."),
    ],
)
def test_groups(groups, text):
    with says(text):
        check_groups(groups, 3)


def test_a_name_that_is_no_score():
    with says("unknown score 'leap'. Did you mean `leep`"):
        SCORES.find("leap")
    with says("unknown score 'zzzz'. Available: leep_pooled, "):
        evaluate(["zzzz"], labels=LABELS)


def test_arrays_of_different_lengths_in_evaluate():
    probs, labels = probs_and_labels()
    with says("`probs` has 60 rows and `labels` 59"):
        evaluate(["leep"], labels=labels[:-1], probs=probs)


def test_a_score_of_another_task_says_so():
    features, _ = features_and_labels()
    _, reasons = evaluate(["h_score"], labels=features[:, 0], features=features, task="regression")
    assert reasons == {"h_score": "h_score is for classification, the target is a regression"}


def test_features_are_not_copied():
    features, _ = features_and_labels()
    assert check_features(features) is features
    assert check_probs(probs_and_labels()[0].astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (30, 30)])
def test_the_decomposition_gives_the_features_back(shape):
    features = np.random.default_rng(0).normal(size=shape) + 5
    parts = decompose(features)
    r = len(parts.squares)
    assert parts.left.T @ parts.left == pytest.approx(np.eye(r), abs=1e-9)
    centred = features - parts.mean
    assert parts.reduced @ parts.reduced.T == pytest.approx(centred @ centred.T, abs=1e-9)
    assert parts.squares == pytest.approx(np.linalg.svd(features - features.mean(axis=0))[1][:r] ** 2)
    assert parts.mean_inside @ parts.mean_inside + parts.mean_outside == pytest.approx(parts.mean @ parts.mean)


def test_random_and_source_accuracy_in_evaluate():
    from headstart.records import ModelCard

    known, unknown = ModelCard("a", "image", imagenet_top1=0.7), ModelCard("b", "image")
    names = ["random", "source_accuracy"]
    done, _ = evaluate(names, labels=LABELS, card=known, seed=3)
    assert done["random"].value == random("a", seed=3)
    assert done["random"].value != evaluate(names, labels=LABELS, card=known, seed=4)[0]["random"].value
    assert done["source_accuracy"].value == source_accuracy(known) == 0.7
    assert done["source_accuracy"].deleted is None
    done, reasons = evaluate(names, labels=LABELS, card=unknown, seed=3)
    assert done["random"].value != random("a", seed=3)
    assert reasons == {"source_accuracy": "no ImageNet accuracy is known for b"}


def test_logme_refuses_strings_as_numbers():
    features, labels = features_and_labels()
    with says("regression `labels` must be numbers"):
        logme(features, labels.astype(str), task="regression")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_labels_at_the_ends_of_their_type(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    for values in ([low, low + 3, low + 3], [high, high - 2, high], [low, high, low]):
        labels = np.array(values, dtype=dtype)
        checked = check_labels(np.repeat(labels, 100))
        assert checked.classes.tolist() == sorted(set(values))
        assert checked.classes[checked.codes].tolist() == np.repeat(labels, 100).tolist()
