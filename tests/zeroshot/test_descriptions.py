"""ESZSL against its normal equations, and on planted classes that it never saw."""

import numpy as np
import pytest

from headstart.errors import InputError
from headstart.zeroshot import learn_descriptions

RNG = np.random.default_rng(0)
SIGNATURES = RNG.standard_normal((12, 6))
LABELS = np.repeat(np.arange(12), 20)
MIXING = RNG.standard_normal((6, 30))
FEATURES = SIGNATURES[LABELS] @ MIXING + 0.5 * RNG.standard_normal((240, 30))


def test_the_map_solves_the_normal_equations():
    seen = LABELS < 9
    learnt = learn_descriptions(FEATURES[seen], LABELS[seen], SIGNATURES[:9], penalties=(3.0, 0.5))
    x = FEATURES[seen] - FEATURES[seen].mean(axis=0)
    s = SIGNATURES[:9] / np.linalg.norm(SIGNATURES[:9], axis=1, keepdims=True)
    y = np.where(LABELS[seen][:, None] == np.arange(9), 1.0, -1.0)
    left = (x.T @ x + 3.0 * np.eye(30)) @ learnt.map @ (s.T @ s + 0.5 * np.eye(6))
    assert left == pytest.approx(x.T @ y @ s, abs=1e-8)


def test_the_map_minimises_the_regularised_loss():
    seen = LABELS < 9
    learnt = learn_descriptions(FEATURES[seen], LABELS[seen], SIGNATURES[:9], penalties=(3.0, 0.5))
    x = FEATURES[seen] - FEATURES[seen].mean(axis=0)
    s = SIGNATURES[:9] / np.linalg.norm(SIGNATURES[:9], axis=1, keepdims=True)
    y = np.where(LABELS[seen][:, None] == np.arange(9), 1.0, -1.0)

    def loss(v: np.ndarray) -> float:
        fit = np.square(x @ v @ s.T - y).sum()
        return fit + 3.0 * np.square(v @ s.T).sum() + 0.5 * np.square(x @ v).sum() + 1.5 * np.square(v).sum()

    best = loss(learnt.map)
    assert all(loss(learnt.map + 1e-3 * RNG.standard_normal(learnt.map.shape)) > best for _ in range(20))


def test_classes_that_were_never_seen_are_recognised():
    seen = LABELS < 9
    learnt = learn_descriptions(FEATURES[seen], LABELS[seen], SIGNATURES[:9])
    found = 9 + learnt.predict(FEATURES[~seen], SIGNATURES[9:])
    assert (found == LABELS[~seen]).mean() > 0.9


def test_descriptions_that_mean_nothing_recognise_nothing():
    seen = LABELS < 9
    wrong = RNG.standard_normal(SIGNATURES.shape)
    learnt = learn_descriptions(FEATURES[seen], LABELS[seen], wrong[:9])
    assert (9 + learnt.predict(FEATURES[~seen], wrong[9:]) == LABELS[~seen]).mean() < 0.75


@pytest.mark.parametrize(
    ("labels", "words"), [(LABELS[:5], "5 labels"), (LABELS + 5, "rows of `signatures`"), (LABELS - 1, "signatures")]
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, words: str):
    with pytest.raises(InputError, match=words):
        learn_descriptions(FEATURES, labels, SIGNATURES)
