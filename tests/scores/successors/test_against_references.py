"""Every successor score against a slow plain computation of its paper's formula, options included."""

import sys

import numpy as np
import pytest
from scipy.stats import spearmanr
from tests.reference.successors import on_features as reference
from tests.reference.successors import on_probs
from tests.scores.worlds import features_and_labels, probs_and_labels

from headstart import scores


def uneven(n_features: int = 8, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Classes of unequal size, features off zero."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    return rng.normal(size=(3, n_features))[labels] + rng.normal(size=(60, n_features)) + 0.5, labels


def wide() -> tuple[np.ndarray, np.ndarray]:
    """More features than examples."""
    return uneven(n_features=90, seed=5)


@pytest.mark.parametrize("world", [uneven, wide])
@pytest.mark.parametrize("centring", ["mean", "double"])
def test_lfc(world, centring):
    x, labels = world()
    expected = reference.lfc(x, labels, centring)
    assert scores.lfc(x, labels, centring=centring) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("covariance", ["spherical", "diagonal", "full"])
@pytest.mark.parametrize(("dims", "ddof"), [(None, 0), (3, 1), (2, 0)])
def test_gbc(covariance, dims, ddof):
    x, labels = uneven(n_features=4)
    value = scores.gbc(x, labels, covariance=covariance, dims=dims, ddof=ddof, floor=1e-12)
    assert value == pytest.approx(reference.gbc(x, labels, covariance, dims, ddof), rel=1e-8)


@pytest.mark.parametrize("covariance", ["spherical", "diagonal", "full"])
@pytest.mark.parametrize("dims", [None, 64])
def test_classes_of_one_example_each_do_not_overlap(covariance, dims):
    """Nor is there a warning of what their distances, beyond all bounds, overflow."""
    x = np.random.default_rng(0).normal(size=(10, 90))
    assert scores.gbc(x, np.arange(10), covariance=covariance, dims=dims) == 0.0


def test_gbc_in_many_blocks_is_gbc_in_one(monkeypatch):
    x, labels = uneven(n_features=4)
    for covariance in ("spherical", "diagonal", "full"):
        whole = scores.gbc(x, labels, covariance=covariance)
        monkeypatch.setattr(sys.modules["headstart.scores.catalogue.gbc"], "_BLOCK", 1)
        assert scores.gbc(x, labels, covariance=covariance) == pytest.approx(whole, rel=1e-13)
        monkeypatch.undo()


@pytest.mark.parametrize("world", [uneven, wide])
@pytest.mark.parametrize("weights", ["frequency", "equal"])
@pytest.mark.parametrize("scale", ["none", "rows", "trace"])
def test_transrate(world, weights, scale):
    x, labels = world()
    expected = reference.transrate(x, labels, 0.01, weights, scale)
    value = scores.transrate(x, labels, epsilon=0.01, weights=weights, scale=scale)
    assert value == pytest.approx(expected, rel=1e-8)


def twice() -> tuple[np.ndarray, np.ndarray]:
    """Every feature a second time: as many directions without variance as with."""
    x, labels = uneven()
    return np.hstack([x, x]), labels


def steep() -> tuple[np.ndarray, np.ndarray]:
    """Directions so unlike in size that the squares of the small ones are the rounding of the large ones'."""
    x, labels = uneven()
    return x * np.logspace(0, -8, x.shape[1]), labels


@pytest.mark.parametrize("world", [uneven, wide, twice, steep])
@pytest.mark.parametrize("size", [1e-8, 1e-4, 1e4, 1e6, 1e8])
def test_transrate_of_features_of_any_size(world, size):
    x, labels = world()
    groups, x = np.arange(60) % 6, size * x
    close = {"rel": 1e-6, "abs": 1e-7 * min(size**2, 1)}  # what is small of small features is a difference of rates
    expected = reference.transrate(x, labels, 1e-4, "frequency", "none")
    assert scores.transrate(x, labels) == pytest.approx(expected, **close)
    found = scores.evaluate(["transrate"], labels=labels, features=x, groups=groups)[0]["transrate"]
    assert found.value == pytest.approx(expected, **close)
    kept = groups != 2
    without = reference.transrate(x[kept], labels[kept], 1e-4, "frequency", "none")
    assert found.deleted[2] == pytest.approx(without, **close)


@pytest.mark.parametrize("world", [uneven, wide])
def test_parc_ranks_as_scipy_does(world):
    x, labels = world()
    assert scores.parc(x, labels) == pytest.approx(reference.parc(x, labels), abs=2e-4)


def test_parc_ties_equal_rows_whatever_the_rounding():
    """Four distinct rows, many times over: nearly all distances tie, and three classes are not a power of two."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 7))[rng.integers(0, 4, 90)]
    labels = rng.integers(0, 3, 90)
    assert scores.parc(rows, labels) == pytest.approx(reference.parc(rows, labels), abs=1e-4)


def test_parc_in_tiles_is_parc_in_one(monkeypatch):
    x, labels = uneven()
    whole = scores.parc(x, labels)
    monkeypatch.setattr(sys.modules["headstart.scores.catalogue.parc"], "_TILE", 7)
    assert scores.parc(x, labels) == pytest.approx(whole, abs=1e-9)


def test_parc_on_principal_components():
    from sklearn.decomposition import PCA

    x, labels = uneven()
    reduced = PCA(n_components=4, svd_solver="full").fit_transform(x)
    # standardised components, whose signs matter to the correlation of rows: ours are turned to positive third moments
    reduced = reduced * np.where((reduced**3).sum(axis=0) < 0, -1, 1)
    assert scores.parc(x, labels, dims=4) == pytest.approx(reference.parc(reduced, labels), abs=2e-4)


def test_class_separation_and_nearest_mean():
    x, labels = uneven()
    assert scores.class_separation(x, labels) == pytest.approx(reference.class_separation(x, labels), rel=1e-10)
    assert scores.nearest_mean(x, labels) == pytest.approx(reference.nearest_mean(x, labels), abs=1e-12)


@pytest.mark.parametrize("size", [0.1, 0.3, 1.0, 10.0])
def test_sfda_and_etran_against_scikit_learns_discriminant(size):
    x, labels = uneven()
    x = size * x
    codes = np.unique(labels, return_inverse=True)[1]
    posterior = reference.discriminant(x, labels, reference.published_shrinkage(x, labels))
    assert scores.etran_discriminant(x, labels) == pytest.approx(posterior[np.arange(60), codes].mean(), rel=1e-7)
    assert scores.sfda(x, labels) == pytest.approx(reference.sfda(x, labels), rel=1e-7)


def test_sfda_options_do_what_they_say():
    x, labels = uneven()
    posterior = reference.discriminant(x, labels, 0.2)[np.arange(60), labels]
    assert scores.sfda(x, labels, shrinkage=0.2, challenge=False) == pytest.approx(posterior.mean(), rel=1e-10)
    logs = scores.sfda(x, labels, shrinkage=0.2, challenge=False, log=True)
    assert logs == pytest.approx(np.log(posterior).mean(), rel=1e-10)


@pytest.mark.parametrize(("world", "size"), [(uneven, 0.2), (uneven, 1.0), (uneven, 5.0), (wide, 0.1)])
def test_ncti_against_scikit_learn(world, size):
    x, labels = world()
    parts = scores.ncti_parts(size * x, labels)
    expected = reference.ncti(size * x, labels)
    assert (parts.geometry, parts.nearest, parts.variability) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("penalty", "spread"), [(1.0, 10.0), (0.1, 1.0), (10.0, 0.1)])
def test_pactran_gaussian_at_scikit_learns_optimum(penalty, spread):
    x, labels = uneven()
    expected = reference.pactran_gaussian(x, labels, penalty, spread)
    value = scores.pactran_gaussian(x, labels, penalty=penalty, prior_spread=spread)
    assert value == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("kind", ["dirichlet", "gamma"])
@pytest.mark.parametrize(("alpha", "sweeps"), [(1.0, 10), (5.0, 1), (0.3, 40)])
def test_pactran(kind, alpha, sweeps):
    probs, labels = probs_and_labels(n=50, z=6, classes=4)
    function = getattr(scores, f"pactran_{kind}")
    expected = on_probs.pactran(probs, labels, kind, alpha, sweeps)
    assert function(probs, labels, alpha=alpha, sweeps=sweeps) == pytest.approx(expected, rel=1e-9)


def test_pactran_dirichlet_is_a_bound_on_the_exact_evidence():
    probs, labels = probs_and_labels(n=7, z=3, classes=2)
    exact = on_probs.dirichlet_evidence(probs, labels)
    bounds = [scores.pactran_dirichlet(probs, labels, sweeps=sweeps) for sweeps in (1, 3, 10, 100)]
    assert np.all(np.diff(bounds) >= -1e-12), "each sweep can only raise it"
    assert bounds[-1] < exact
    assert bounds[-1] == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pactran_when_weights_vanish_beside_others(dtype):
    """Flat rows over many source classes: the expected logarithms lie hundreds of nats apart."""
    probs = np.zeros((5, 300), dtype=dtype)
    probs[:4, :299] = 1 / 299
    probs[4, 299] = 1.0
    labels = np.array([0, 0, 0, 1, 1])
    for kind in ("dirichlet", "gamma"):
        value = getattr(scores, f"pactran_{kind}")(probs, labels, alpha=1e-3)
        assert value == pytest.approx(on_probs.pactran(probs.astype(float), labels, kind, 1e-3), rel=1e-5)


def test_soft_nce_and_its_place_between_the_others():
    probs, labels = probs_and_labels()
    assert scores.soft_nce(probs, labels) == pytest.approx(on_probs.soft_nce(probs, labels), rel=1e-12)
    assert scores.soft_nce(probs, labels) <= scores.leep(probs, labels)


@pytest.mark.parametrize("penalty", [0.0, 0.3, 1.0])
def test_linear_mse(penalty):
    x, _ = features_and_labels()
    targets = np.random.default_rng(1).normal(size=(60, 2)) + x[:, :2]
    for given in (targets, targets[:, 0]):
        expected = reference.linear_mse(x, given, penalty)
        assert scores.linear_mse(x, given, penalty=penalty) == pytest.approx(expected, rel=1e-9)


def test_label_mse_regresses_on_the_sources_outputs():
    probs, _ = probs_and_labels()
    target = np.random.default_rng(1).normal(size=60) + probs[:, 0]
    expected = reference.linear_mse(probs, target, 0.5)
    assert scores.label_mse(probs, target, penalty=0.5) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["linear_mse", "label_mse"])
def test_regression_scores_in_an_evaluation_are_the_functions(name):
    """There they come from the shared decomposition, here from a solve."""
    x = features_and_labels()[0] if name == "linear_mse" else probs_and_labels()[0]
    target = np.random.default_rng(1).normal(size=60) + x[:, 0]
    groups = np.arange(60) % 5
    given = {"features": x} if name == "linear_mse" else {"probs": x}
    done, _ = scores.evaluate([name], labels=target, groups=groups, task="regression", **given)
    function = getattr(scores, name)
    assert done[name].value == pytest.approx(function(x, target), rel=1e-9)
    assert done[name].deleted == pytest.approx([function(x[groups != g], target[groups != g]) for g in range(5)])


@pytest.mark.parametrize("name", ["lfc", "class_separation", "nearest_mean"])
def test_groups_subtracted_from_the_sums_of_wide_features_equal_scoring_without_them(name):
    """The table's test does the same where examples outnumber the features."""
    x, labels = features_and_labels(30, 50)
    groups, function = np.arange(30) % 5, getattr(scores, name)
    found = scores.evaluate([name], labels=labels, features=x, groups=groups)[0][name]
    expected = [function(x[groups != g], labels[groups != g]) for g in range(5)]
    assert found.deleted == pytest.approx(expected, rel=1e-9)


def test_parc_without_a_group_counts_the_pairs_of_the_others():
    """Columns stay standardised as over all examples: the rank correlation over the other pairs, by scipy."""
    x, labels = features_and_labels(40, 8)
    groups = np.arange(40) % 5
    found = scores.evaluate(["parc"], labels=labels, features=x, groups=groups)[0]["parc"]
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    for g in range(5):
        kept = groups != g
        first, second = np.triu_indices(kept.sum(), 1)
        apart = 1 - np.corrcoef(standard[kept])[first, second]
        expected = spearmanr(apart, labels[kept][first] != labels[kept][second]).statistic
        assert found.deleted[g] == pytest.approx(100 * expected, abs=0.01)


def test_pactran_gaussian_without_a_group_spreads_as_fitting_again_does():
    x, labels = features_and_labels(60, 8)
    groups = np.arange(60) % 6
    found = scores.evaluate(["pactran_gaussian"], labels=labels, features=x, groups=groups)[0]["pactran_gaussian"]
    expected = [scores.pactran_gaussian(x[groups != g], labels[groups != g]) for g in range(6)]
    assert found.deleted == pytest.approx(expected, abs=0.15 * np.std(expected))
