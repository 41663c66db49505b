"""Every option changes the result, every bad one is refused with the next step, and edge cases stay finite."""

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels, probs_and_labels

from headstart import scores
from headstart.errors import InputError
from headstart.scores import NotApplicableError

CHANGES = {
    "lfc": [{"centring": "double"}],
    "gbc": [{"covariance": "diagonal"}, {"covariance": "full"}, {"dims": 2}, {"ddof": 1}],
    "transrate": [{"epsilon": 1e-2}, {"weights": "equal"}, {"scale": "rows"}, {"scale": "trace"}],
    "parc": [{"dims": 3}],
    "sfda": [{"shrinkage": 0.5}, {"challenge": False}, {"log": True}],
    "linear_mse": [{"penalty": 0.0}, {"penalty": 5.0}],
    "pactran_gaussian": [{"penalty": 5.0}, {"prior_spread": 1.0}],
    "pactran_dirichlet": [{"alpha": 3.0}, {"sweeps": 1}],
    "pactran_gamma": [{"alpha": 3.0}, {"sweeps": 1}],
}


def world(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name in ("pactran_dirichlet", "pactran_gamma"):
        return probs_and_labels()
    x, labels = features_and_labels()
    labels = np.where(np.arange(60) < 6, 0, labels)  # classes of unequal size
    if name == "linear_mse":
        return x, labels + np.random.default_rng(0).normal(size=60)
    return x, labels


@pytest.mark.parametrize(("name", "options"), [(name, o) for name, several in CHANGES.items() for o in several])
def test_an_option_changes_the_result(name, options):
    function = getattr(scores, name)
    x, labels = world(name)
    assert function(x, labels, **options) != pytest.approx(function(x, labels), rel=1e-6)


def test_gbc_without_components_takes_the_axes_of_the_features():
    x, labels = features_and_labels()
    along, turned = (scores.gbc(x, labels, covariance="diagonal", dims=dims) for dims in (None, 64))
    assert along != pytest.approx(turned, rel=1e-6)
    more = np.hstack([x, np.ones((60, 1))])
    assert scores.gbc(more, labels, covariance="diagonal", dims=None) == pytest.approx(along, rel=1e-12)


def test_the_floor_of_gbc_matters_where_a_class_has_no_spread():
    x, labels = features_and_labels()
    x[labels == 0] = x[labels == 0][0]
    low, high = (scores.gbc(x, labels, covariance="diagonal", floor=floor) for floor in (1e-6, 0.5))
    assert low > high


BAD = [
    ("lfc", {"centring": "row"}, '`centring` must be "mean" or "double"'),
    ("gbc", {"covariance": "round"}, "`covariance` must be"),
    ("gbc", {"dims": 0}, "`dims` must be at least 1"),
    ("gbc", {"ddof": 2}, "`ddof` must be 0 or 1"),
    ("gbc", {"floor": 0.0}, "`floor` must lie between 0 and 1"),
    ("transrate", {"weights": "none"}, "`weights` must be"),
    ("transrate", {"scale": "std"}, "`scale` must be"),
    ("transrate", {"epsilon": 0.0}, "`epsilon` must be a positive number"),
    ("parc", {"dims": 1}, "`dims` must be at least 2"),
    ("sfda", {"shrinkage": 0.0}, r"`shrinkage` must lie in \(0, 1\]"),
    ("nleep", {"energy": 1.0}, "`energy` must lie between 0 and 1"),
    ("nleep", {"components_per_class": 0}, "`components_per_class` must be at least 1"),
    ("linear_mse", {"penalty": -1.0}, "`penalty` must be a finite number"),
    ("linear_mse", {"task": "classification"}, '`task` must be "regression"'),
    ("pactran_gaussian", {"penalty": 0.0}, "`penalty` must be a positive number"),
    ("pactran_dirichlet", {"alpha": 0.0}, "`alpha` must be a positive number"),
    ("pactran_gamma", {"sweeps": 0}, "`sweeps` must be at least 1"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_a_bad_option_is_refused(name, options, message, unchecked):
    with pytest.raises(InputError, match=message):
        getattr(scores, name)(*world(name), **options)


ON_FEATURES = [
    "lfc", "gbc", "transrate", "parc", "sfda", "nleep", "ncti", "etran_discriminant", "pactran_gaussian",
    "class_separation", "nearest_mean",
]  # fmt: skip


@pytest.mark.parametrize("name", ON_FEATURES)
def test_more_features_than_examples_and_classes_of_one(name):
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    x = rng.normal(size=(12, 40)) + 0.3 * labels[:, None]
    options = {"components_per_class": 1} if name == "nleep" else {}
    value = getattr(scores, name)(x, labels, **options)
    row = scores.SCORES.get(name)
    assert np.isfinite(value)
    assert row is None or row.low <= value <= row.high


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_features_of_any_size_stay_finite(name, size):
    x, labels = features_and_labels()
    value = getattr(scores, name)(size * x, labels)
    assert np.isfinite(value)


@pytest.mark.parametrize("name", ON_FEATURES)
def test_features_of_more_bits_are_read_as_float64(name, unchecked):
    x, labels = features_and_labels()
    of_more = getattr(scores, name)(x.astype(np.longdouble), labels)
    assert of_more == pytest.approx(getattr(scores, name)(x, labels), rel=1e-12)


@pytest.mark.parametrize("name", ["lfc", "transrate", "nearest_mean"])
def test_features_that_do_not_vary_say_nothing(name):
    value = getattr(scores, name)(np.ones((6, 3)), np.array([0, 0, 1, 1, 2, 2]))
    nothing = 1 / 3 if name == "nearest_mean" else 0.0
    assert value == pytest.approx(nothing, abs=1e-9)


@pytest.mark.parametrize("name", ["gbc", "sfda", "nleep", "ncti", "etran_discriminant", "parc"])
def test_features_that_do_not_vary_cannot_be_scored(name):
    with pytest.raises(NotApplicableError, match=r"the same for every example|at least two features must vary"):
        getattr(scores, name)(np.ones((30, 3)), np.arange(30) % 2)


def test_rows_without_a_direction_are_refused():
    x, labels = features_and_labels()
    x[4] = 0.0
    with pytest.raises(NotApplicableError, match=r"1 of the \d+ rows of `features` are all zeros"):
        scores.class_separation(x, labels)
    flat = np.array([[1.0, 2.0], [2.0, 1.0], [1.5, 1.5], [0.0, 0.0], [3.0, 3.0]])
    with pytest.raises(NotApplicableError, match=r"no correlation with other rows"):
        scores.parc(flat, np.array([0, 0, 1, 1, 1]))


def test_parc_needs_two_examples_of_a_class():
    with pytest.raises(NotApplicableError, match="a class of its own"):
        scores.parc(np.random.default_rng(0).normal(size=(4, 3)), np.arange(4))


def test_equal_distances_share_the_point_of_the_nearest_mean():
    x, labels = np.array([[0.0], [0.0], [0.0], [0.0]]), np.array([0, 0, 1, 1])
    assert scores.nearest_mean(x, labels) == 0.5
    assert scores.nearest_mean(np.array([[0.0], [0.0], [9.0]]), np.array([0, 0, 1])) == pytest.approx(2 / 3)
