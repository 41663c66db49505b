"""Every classifier against scikit-learn, on every episode."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import cosine_distances
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from headstart.fewshot import classifiers
from headstart.fewshot.classifiers import METHODS, classify
from headstart.fewshot.episodes import draw

SHOTS = (1, 4)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(120) % 8)
    features = 3 + rng.normal(size=(8, 12))[labels] + rng.normal(size=(120, 12))
    drawn = draw(labels, ways=4, shots=4, queries=6, episodes=40, names=list("abcdefgh"), seed=1)
    found = {(name, few): np.empty(drawn.query.shape, dtype=int) for name in METHODS for few in SHOTS}
    for block, few, name, predicted in classify(features.astype(np.float32), drawn, SHOTS, tuple(METHODS)):
        found[name, few][block] = predicted.reshape(len(predicted), *drawn.query.shape[1:])
    return features.astype(np.float32).astype(np.float64), drawn, found


def penalty_of(support: np.ndarray) -> float:
    return float(((support - support.mean(axis=0)) ** 2).sum(axis=1).mean())


def nearest(support, own, query):
    with np.errstate(invalid="ignore"):  # scikit-learn's standard deviation of one example a class
        return NearestCentroid().fit(support, own).predict(query)


def centred(support, own, query):
    middle = support.mean(axis=0)
    return nearest(normalize(support - middle), own, normalize(query - middle))


def cosine(support, own, query):
    unit = normalize(support)
    means = np.stack([unit[own == way].mean(axis=0) for way in range(own.max() + 1)])
    return cosine_distances(query, means).argmin(axis=1)


def ridge(support, own, query):
    fitted = Ridge(alpha=penalty_of(support)).fit(support, np.eye(own.max() + 1)[own])
    return fitted.predict(query).argmax(axis=1)


def logistic(support, own, query):
    middle = support.mean(axis=0)
    fitted = LogisticRegression(C=1 / penalty_of(support), fit_intercept=False, tol=1e-10, max_iter=1000)
    return fitted.fit(support - middle, own).predict(query - middle)


REFERENCES = {"prototypes": nearest, "centred": centred, "cosine": cosine, "ridge": ridge, "logistic": logistic}


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("method", METHODS)
def test_every_episode_is_classified_as_by_scikit_learn(world, method, shots):
    features, drawn, found = world
    for episode in range(40):
        support = features[drawn.support[episode, :, :shots].ravel()]
        own, query = np.repeat(np.arange(4), shots), drawn.query[episode].ravel()
        expected = REFERENCES[method](support, own, features[query])
        assert found[method, shots][episode].ravel().tolist() == expected.tolist()


def test_blocks_of_episodes_change_nothing(world, monkeypatch):
    features, drawn, found = world
    monkeypatch.setattr(classifiers, "BLOCK_BYTES", 1)
    parts = [predicted for _, few, _, predicted in classify(features, drawn, (4,), ("ridge",)) if few == 4]
    assert len(parts) == 40
    assert (np.concatenate(parts) == found["ridge", 4].reshape(40, -1)).all()


def test_features_of_zeros_are_classified_without_a_warning():
    labels = np.arange(12) % 3
    drawn = draw(labels, ways=3, shots=2, queries=2, episodes=3, names=list("abc"), seed=0)
    for _, _, _, predicted in classify(np.zeros((12, 4)), drawn, (2,), tuple(METHODS)):
        assert (predicted == 0).all()
