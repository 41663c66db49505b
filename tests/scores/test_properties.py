"""What must hold on any input, tried on inputs that hypothesis invents."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from tests.reference import leep as reference

from headstart.scores import SCORES, evaluate, fit_em, h_score, leep, leep_loo, leep_normalized, nce

pytestmark = pytest.mark.usefixtures("unchecked")  # thousands of small calls: the checks would take all the time
QUICK = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@some.composite
def sources(draw):
    """Probabilities with zeros, ones and repeats, over labels of two or more classes."""
    n, z = draw(some.integers(4, 15)), draw(some.integers(1, 6))
    weights = draw(arrays(np.float64, (n, z), elements=some.sampled_from([0.0, 1e-9, 0.1, 1.0, 5.0])))
    weights[:, 0] += weights.sum(axis=1) == 0
    labels = draw(arrays(np.int64, n, elements=some.integers(0, 3)))
    labels[0], labels[1] = 0, 1
    return weights / weights.sum(axis=1, keepdims=True), labels


@some.composite
def clouds(draw):
    """Features with repeated, constant and huge values."""
    n, d = draw(some.integers(6, 14)), draw(some.integers(1, 8))
    values = some.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0, 1e-6, 1e6])
    features = draw(arrays(np.float64, (n, d), elements=values))
    labels = draw(arrays(np.int64, n, elements=some.integers(0, 2)))
    labels[0], labels[1] = 0, 1
    return features, labels


@QUICK
@given(sources())
def test_the_chain_of_bounds(source):
    probs, labels = source
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    entropy = -(share * np.log(share)).sum()
    assert -entropy - 1e-9 <= leep(probs, labels) <= 0
    assert -entropy - 1e-9 <= nce(probs, labels) <= 0
    fit = fit_em(probs, labels, tolerance=0.01)
    assert leep(probs, labels) - 1e-9 <= fit.value <= 0
    assert 0 <= leep_normalized(probs, labels) <= 1


@QUICK
@given(sources(), some.sampled_from([0.01, 0.5, 2.0]))
def test_leave_one_out_is_brute_force(source, prior):
    probs, labels = source
    expected = reference.leep_loo(probs, labels, prior)
    assert leep_loo(probs, labels, prior=prior) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert leep(probs, labels) == pytest.approx(reference.leep(probs, labels), abs=1e-9)
    assert nce(probs, labels) == pytest.approx(reference.nce(probs, labels), abs=1e-9)


OURS = [
    "leep_calibrated", "leep_gaussian", "leep_pooled", "leep_loo", "leep", "nce", "leep_skill", "leep_normalized",
    "regularized_h_score", "h_score", "logme", "knn", "ridge_probe",
]  # fmt: skip


@settings(QUICK, max_examples=8)
@given(sources(), clouds(), some.integers(2, 4))
def test_nothing_is_ever_nan(source, cloud, count):
    for arrays_, labels in (({"probs": source[0]}, source[1]), ({"features": cloud[0]}, cloud[1])):
        groups = np.arange(len(labels)) % count
        done, _ = evaluate(OURS, labels=labels, groups=groups, **arrays_)
        for name, evaluation in done.items():
            assert np.isfinite(evaluation.value), name
            assert evaluation.deleted is None or np.isfinite(evaluation.deleted).all(), name
            assert SCORES[name].low <= evaluation.value <= SCORES[name].high


@QUICK
@given(clouds())
def test_the_h_score_keeps_its_bound(cloud):
    features, labels = cloud
    assert 0 <= h_score(features, labels) <= min(len(set(labels.tolist())) - 1, features.shape[1])
