"""Leading components found in float32 are those of the whole decomposition, and what is too much is handed back."""

import numpy as np
import pytest

from headstart.scores import _components as components
from headstart.scores import _krylov, gbc
from headstart.scores._krylov import leading_pairs


def _falling(n: int, d: int, power: float, seed: int = 0) -> np.ndarray:
    """Features whose variances fall as the rank to a power."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.arange(1, d + 1) ** (-power / 2)
    return (x @ np.linalg.qr(rng.normal(size=(d, d)))[0]).astype(np.float32)


@pytest.mark.parametrize("keep", [5, 40, 0.8])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_they_are_those_of_the_whole_decomposition(keep: int | float, power: float) -> None:
    x = _falling(1000, 1100, power)
    left, singular, _ = np.linalg.svd(x - x.mean(axis=0, dtype=np.float64), full_matrices=False)
    count = keep if isinstance(keep, int) else int(np.argmax(np.cumsum(singular**2) > keep * (singular**2).sum())) + 1
    exact = components.canonical_signs(left[:, :count] * singular[:count])
    found = components.leading_components(x, keep)
    assert found.shape == exact.shape
    assert (found**2).sum(axis=0) == pytest.approx(singular[:count] ** 2, rel=2e-6)
    assert np.abs(found @ found.T - exact @ exact.T).max() <= 2e-5 * (exact**2).sum(axis=1).max()


def test_where_most_components_are_wanted_it_gives_up() -> None:
    x = np.random.default_rng(0).normal(size=(300, 400)).astype(np.float32)  # a flat spectrum
    x[:, 0] *= 30
    x -= x.mean(axis=0)
    assert leading_pairs(x, lambda squares: min(len(squares), 250)) is None
    assert leading_pairs(x, lambda squares: min(len(squares), 1)) is not None


def test_fewer_directions_than_wanted_end_in_the_whole_decomposition() -> None:
    low_rank = np.random.default_rng(0).normal(size=(1000, 3)) @ np.random.default_rng(1).normal(size=(3, 1200))
    few = components.leading_components(low_rank.astype(np.float32), 64)
    exact = components.leading_components(low_rank, 3)
    assert (few**2).sum() == pytest.approx((exact**2).sum(), rel=1e-5)
    assert np.isfinite(few).all()


@pytest.mark.parametrize("keep", [3, 0.8])
def test_features_of_few_whole_numbers_and_few_directions(keep: int | float) -> None:
    """The space that is grown goes on after the features' three directions are spent, with copies of them."""
    parts = [np.random.default_rng(seed).integers(-3, 4, size=size) for seed, size in enumerate([(1000, 3), (3, 1200)])]
    x = parts[0] @ parts[1]
    found = components.leading_components(x.astype(np.float32), keep)
    exact = components.leading_components(x.astype(np.float64), keep)
    assert found.shape == exact.shape
    assert (found**2).sum(axis=0) == pytest.approx((exact**2).sum(axis=0), rel=1e-6)


def test_directions_that_are_no_basis_are_handed_back() -> None:
    x = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    twice = np.repeat(np.linalg.qr(x)[0][:, :5], 2, axis=1)
    assert _krylov._within(x, twice, len) is None
    assert _krylov._within(x, twice[:, ::2], len) is not None


def test_the_next_look_is_where_the_residuals_point() -> None:
    look = _krylov._next_look
    assert look(0, np.inf, 12, np.inf) == look(0, np.inf, 12, 1e3) == 16, "nothing is known: a third more"
    assert look(9, 1e4, 12, 9.0) == 13, "a power of ten a step, and less than one is left"
    assert look(9, 1e4, 12, 1e3) == look(9, 10.0, 12, 1e3) == 16, "far, or further: at most a third more"


def test_a_score_is_the_same_in_single_and_double_precision() -> None:
    x = _falling(1000, 1100, 1.0)
    labels = np.arange(1000) % 7
    x[:, :7] += 0.2 * np.eye(7)[labels].astype(np.float32)
    assert gbc(x, labels) == pytest.approx(gbc(x.astype(np.float64), labels), rel=1e-5)


def test_many_equal_eigenvalues_are_found_by_the_whole_decomposition():
    """Lanczos sees one of several equal ones and gave up with an error of ARPACK's."""
    features = np.eye(1000, 1200)
    found = components.leading_components(features, 20)
    assert np.square(found).sum(axis=0) == pytest.approx(np.ones(20), abs=1e-9)
    assert found.T @ found == pytest.approx(np.eye(20), abs=1e-9)
