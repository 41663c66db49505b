"""Nearest neighbours: ties and duplicates as by fair lots, against the full distance matrix."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from tests.reference import on_features as reference
from tests.scores.worlds import features_and_labels

from headstart.errors import InputError
from headstart.scores import _neighbours, evaluate, knn
from headstart.scores._neighbours import neighbours


@pytest.mark.parametrize("k", [1, 4, 5, 59])
def test_against_the_plain_reference(k):
    features, labels = features_and_labels(d=3)
    assert knn(features, labels, k=k) == pytest.approx(reference.knn(features, labels, k), abs=1e-12)


def test_against_scikit_learn():
    features, labels = features_and_labels(d=3, classes=2)
    hits = []
    for i in range(60):
        kept = np.arange(60) != i
        model = KNeighborsClassifier(5).fit(features[kept], labels[kept])
        hits.append(model.predict(features[i : i + 1])[0] == labels[i])
    assert knn(features, labels) == pytest.approx(np.mean(hits), abs=1e-12)


@pytest.mark.parametrize("groups", [None, np.arange(90) % 6])
def test_duplicates_and_equal_distances(groups):
    features = np.random.default_rng(0).integers(0, 3, size=(90, 2)).astype(np.float32)  # nine places for ninety
    labels = np.arange(90) % 4
    done, _ = evaluate(["knn"], labels=labels, groups=groups, features=features)
    assert done["knn"].value == pytest.approx(reference.knn(features, labels, 5), abs=1e-12)
    if groups is not None:
        expected = [reference.knn(features[groups != g], labels[groups != g], 5) for g in range(6)]
        assert done["knn"].deleted == pytest.approx(expected, abs=1e-12)


def test_a_group_of_near_neighbours_reaches_beyond_the_candidates():
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(4, 3)), 40, axis=0) + 0.01 * rng.normal(size=(160, 3))
    labels = rng.integers(0, 3, 160)
    groups = np.repeat(np.arange(4), 40)  # each cluster is a group: left out, it takes all candidates
    done, _ = evaluate(["knn"], labels=labels, groups=groups, features=features)
    expected = [reference.knn(features[groups != g], labels[groups != g], 5) for g in range(4)]
    assert done["knn"].deleted == pytest.approx(expected, abs=1e-12)


def test_blocks_and_the_radius(monkeypatch):
    features, _ = features_and_labels(n=80, d=3)
    monkeypatch.setattr(_neighbours, "BLOCK", 7)
    monkeypatch.setattr(_neighbours, "TILE", 9)  # 8 full tiles a side and a ragged one
    exact = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.fill_diagonal(exact, np.inf)
    blocks = list(neighbours(features, 10))
    assert len(blocks) == 12
    for block, near, distances, radius in blocks:
        assert (near == exact[block].argsort(axis=1)[:, :10]).all()
        assert distances == pytest.approx(np.sort(exact[block], axis=1)[:, :10], rel=1e-12)
        assert (np.sort(exact[block], axis=1)[:, 10] >= radius).all()


def test_far_from_zero_the_distances_keep_their_digits():
    features, labels = features_and_labels(d=3)
    assert knn(features + 1e6, labels) == pytest.approx(knn(features, labels), abs=1e-12)


def test_cosine_sees_angles_only():
    features, labels = features_and_labels(d=3)
    stretched = features * np.random.default_rng(0).uniform(0.1, 10, size=(60, 1))
    assert knn(stretched, labels, metric="cosine") == pytest.approx(knn(features, labels, metric="cosine"), abs=1e-12)
    assert knn(stretched, labels) != knn(features, labels)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert knn(features, labels, metric="cosine") == pytest.approx(reference.knn(unit, labels, 5), abs=1e-12)


@pytest.mark.parametrize("k", [0, 60])
def test_k_fits_the_examples(k):
    with pytest.raises(InputError, match=rf"`k` must be from 1 to 59, the number of other examples; got {k}"):
        knn(*features_and_labels(), k=k)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_metric():
    with pytest.raises(InputError, match='`metric` must be "euclidean" or "cosine"; got \'manhattan\''):
        knn(*features_and_labels(), metric="manhattan")


def test_too_few_examples_are_a_reason_not_a_failure():
    done, reasons = evaluate(["knn"], labels=np.array([0, 1, 0, 1]), features=np.eye(4))
    assert not done
    assert "4 examples are too few for 5 neighbours" in reasons["knn"]
