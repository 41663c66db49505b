"""The mixture behind N-LEEP: scikit-learn's EM from the same start, and what the seed may and may not change."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from tests.scores.worlds import features_and_labels

from headstart import scores
from headstart.errors import InputError
from headstart.scores import _mixture
from headstart.scores._mixture import fit_mixture, k_means, run_em


class StartedMixture(GaussianMixture):
    """scikit-learn's mixture from given assignments."""

    def __init__(self, start: np.ndarray) -> None:
        count = int(start.max()) + 1
        super().__init__(count, tol=1e-12, max_iter=400, reg_covar=1e-6)
        self.start = start

    def _initialize_parameters(self, X, random_state, xp=None):  # noqa: N803
        self._initialize(X, np.eye(self.n_components)[self.start])


def blobs(n: int = 300, d: int = 4, k: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)) * rng.uniform(0.3, 1, size=d) + 1.5 * rng.normal(size=(k, d))[np.arange(n) % k]


def test_em_is_scikit_learns_from_the_same_start():
    x = blobs()
    start = k_means(x, 5, seed=0)
    fitted = run_em(x, start, 1e-6, 1e-12, 400)
    expected = StartedMixture(start).fit(x)
    assert fitted.settled
    assert fitted.log_likelihood == pytest.approx(expected.score(x), abs=1e-8)
    assert fitted.posterior == pytest.approx(expected.predict_proba(x), abs=1e-4)


def test_giving_up_early_changes_nothing():
    """One E-step against scipy's densities of the same Gaussians, every pair summed to the end."""
    x = 3 * blobs(k=8)
    start = k_means(x, 8, seed=0)
    weights = sparse.csc_array((np.ones(300), (np.arange(300), start)))
    gaussians = _mixture._gaussians(x, weights, 1e-6)
    posterior, best, value = _mixture._responsibilities(x, start, *gaussians)
    logs = []
    for k in range(8):
        part = x[start == k]
        density = multivariate_normal(part.mean(axis=0), np.cov(part.T, ddof=0) + 1e-6 * np.eye(4))
        logs.append(np.log(len(part) / 300) + density.logpdf(x))
    logs = np.stack(logs, axis=1)
    whole = logsumexp(logs, axis=1, keepdims=True)
    assert posterior == pytest.approx(np.exp(logs - whole), abs=1e-12)
    assert value == pytest.approx(whole.mean(), rel=1e-10)
    assert (best == logs.argmax(axis=1)).all()
    assert (posterior == 0).mean() > 0.1, "many pairs were given up, or this test shows nothing"


def test_responsibilities_that_stay_end_the_steps():
    """Clusters so far apart that each keeps its own examples: the second step would be the first again."""
    x = blobs() + 1e4 * np.eye(5, 4)[np.arange(300) % 5]
    start = np.arange(300) % 5
    fitted = run_em(x, start, 1e-6, 1e-3, 100)
    assert (fitted.posterior == np.eye(5)[start]).all()
    assert (fitted.settled, fitted.steps) == (True, 1)
    expected = StartedMixture(start).fit(x)
    assert fitted.log_likelihood == pytest.approx(expected.score(x), abs=1e-6)
    moved = run_em(x, np.where(np.arange(300) == 7, 0, start), 1e-6, 1e-3, 100)
    assert moved.steps > 1, "one example in another cluster"
    assert (moved.posterior == fitted.posterior).all()


def test_the_start_spreads_over_distinct_examples():
    x = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 20, axis=0)
    codes = k_means(x, 10, seed=0)  # more centres than distinct examples
    assert codes.max() == 2
    assert len({tuple(row) for row in np.c_[x, codes]}) == 3
    fitted = fit_mixture(x, 10)
    assert fitted.posterior.shape == (60, 3)
    assert np.isfinite(fitted.posterior).all()


def test_the_same_seed_gives_the_same_mixture_and_another_seed_another():
    x = blobs()
    one, again, other = (k_means(x, 20, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()


def test_a_start_from_a_sample_still_reaches_all(monkeypatch):
    monkeypatch.setattr(_mixture, "_LLOYD", 1)
    codes = k_means(blobs(n=600), 5, seed=0)  # 10 x 5 of the 600 are looked at for the start
    assert codes.shape == (600,)


def test_nleep_of_far_clusters_is_the_entropy_of_labels_within_them():
    """Eight far clusters for eight components: the posterior is the cluster, and LEEP is -H(label given cluster)."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(8), 40)
    x = 1000 * rng.normal(size=(8, 3))[cluster] + rng.normal(size=(320, 3))
    labels = (cluster // 4 + (rng.random(320) < 0.3)) % 2
    expected = 0.0
    for k in range(8):
        for y in (0, 1):
            share = np.mean(labels[cluster == k] == y)
            expected += share * np.log(share) / 8
    assert scores.nleep(x, labels, components_per_class=4) == pytest.approx(expected, rel=1e-9)


def test_nleep_options_change_the_result():
    x, labels = features_and_labels(n=200)
    plain = scores.nleep(x, labels)
    for options in (
        {"energy": 0.5},
        {"components_per_class": 2},
        {"seed": 3},
    ):
        assert scores.nleep(x, labels, **options) != plain, options


def test_nleep_leaves_groups_out_of_the_counts_with_the_mixture_held():
    x, labels = features_and_labels(n=300)
    groups = np.arange(300) % 6
    done, _ = scores.evaluate(["nleep"], labels=labels, groups=groups, features=x)
    posterior_without = done["nleep"].deleted
    assert any("approximate interval" in note for note in done["nleep"].notes)
    assert np.ptp(posterior_without) > 0
    assert posterior_without == pytest.approx(np.full(6, done["nleep"].value), abs=0.1)


def test_nleep_on_few_examples_says_what_to_lower():
    x, labels = features_and_labels(n=12)
    with pytest.raises(InputError, match=r"15 mixture components, more than the 12 examples; lower"):
        scores.nleep(x, labels)
    assert scores.nleep(x, labels, components_per_class=2) <= 0
