"""What pairs of examples add to a score, against examples taken out two and three at a time, and against the truth."""

from itertools import combinations

import numpy as np
import pytest
from tests.reference import leep as reference
from tests.scores.worlds import probs_and_labels

from headstart.scores import _deletions, _second_order, evaluate
from headstart.scores._head_counts import conditional, likelihoods, read_probs
from headstart.scores._influence import plain_contributions, spread_of
from headstart.scores._second_order import Probes, entropy_step, hard_excess, probe

FAMILY = ("leep", "leep_loo", "nce")


def _weighted_leep(weights: np.ndarray, probs: np.ndarray, codes: np.ndarray, prior: float = 0.0) -> float:
    """Weighted sum of log-likelihoods under the table that the weighted examples count, on top of `prior` counts."""
    joint = (weights[:, None] * np.eye(codes.max() + 1)[codes]).T @ probs
    joint += prior * (np.bincount(codes) / len(codes))[:, None]
    return float(weights @ np.log((probs * (joint / joint.sum(axis=0))[codes]).sum(axis=1)))


def _probes(probs: np.ndarray, labels: np.ndarray, prior: float = 0.0) -> Probes:
    head = read_probs(probs, labels)
    joint = head.joint + prior * (np.bincount(labels) / len(labels))[:, None]
    table = conditional(joint, joint.sum(axis=0))
    return probe(head, table, likelihoods(head, table), prior)


def _second_derivatives(function, n: int, step: float = 1e-3) -> np.ndarray:
    """By every two weights, at 1."""
    found, moves = np.empty((n, n)), step * np.eye(n)
    for i in range(n):
        for j in range(n):
            corners = [(s * t, function(1 + s * moves[i] + t * moves[j])) for s in (-1, 1) for t in (-1, 1)]
            found[i, j] = sum(sign * value for sign, value in corners) / (4 * step**2)
    return found


def _off_diagonal(matrix: np.ndarray) -> float:
    return float(np.square(matrix).sum() - np.square(np.diag(matrix)).sum())


def _brute(probs: np.ndarray, codes: np.ndarray, prior: float = 0.0) -> np.ndarray:
    return _second_derivatives(lambda weights: _weighted_leep(weights, probs, codes, prior), len(codes))


@pytest.mark.parametrize(("seed", "prior"), [(0, 0.0), (1, 0.0), (2, 0.5), (3, 20.0)])
def test_probes_are_the_second_derivatives_by_the_weights_times_signs(seed: int, prior: float) -> None:
    probs, labels = probs_and_labels(n=24, seed=seed)
    found = _probes(probs, labels, prior)
    assert found.signs.shape == (24, 8)
    assert set(found.signs.ravel()) == {-1.0, 1.0}
    np.testing.assert_allclose(found.moved, _brute(probs, labels, prior) @ found.signs, atol=1e-5)


@pytest.mark.parametrize("most", [_deletions.MOST_WORK, 0])
@pytest.mark.parametrize("name", ["leep", "leep_loo", "leep_calibrated"])
def test_a_source_class_next_to_nothing_changes_no_error(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deletions, "MOST_WORK", most)
    rng = np.random.default_rng(0)
    logits, labels = 0.9 * rng.normal(size=(60, 4)), np.arange(60) % 3
    spreads = []
    for least in (-1e4, -720.0):  # none, and less than a number's inverse can be
        logits[:, 0] = least
        spreads.append(evaluate([name], labels=labels, logits=logits, groups=labels)[0][name].spread)
    assert spreads[1].standard_error == pytest.approx(spreads[0].standard_error, rel=1e-9)


def test_large_data_get_fewer_vectors_of_signs() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(700), size=5000)
    assert _probes(probs, rng.integers(0, 3, 5000)).signs.shape == (5000, 2)


def test_the_excess_is_half_the_sum_of_squares_off_the_diagonal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_second_order, "MOST", 4000)
    probs, labels = probs_and_labels(n=24)
    matrix, found, classes = _brute(probs, labels), _probes(probs, labels), read_probs(probs, labels).labels
    assert found.signs.shape == (24, 4000)
    assert found.excess() == pytest.approx(_off_diagonal(matrix) / (2 * 24**2), rel=0.05)

    mean_of_class = np.eye(3)[labels] / np.bincount(labels) @ np.eye(3)[labels].T
    within = _off_diagonal(matrix - mean_of_class @ matrix) / (2 * 24**2)
    assert found.within(classes).excess() == pytest.approx(within, rel=0.05)


def test_on_a_thick_table_it_is_efron_and_stein_s_sum_over_pairs_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_second_order, "MOST", 500)
    rng = np.random.default_rng(0)
    n, labels = 80, np.arange(80) % 2
    probs = rng.dirichlet([1.0, 1.0, 1.0], size=n)
    whole = np.ones(n)
    one = [_weighted_leep(whole - np.eye(n)[i], probs, labels) for i in range(n)]
    both = [
        _weighted_leep(whole, probs, labels)
        - one[i]
        - one[j]
        + _weighted_leep(whole - np.eye(n)[i] - np.eye(n)[j], probs, labels)
        for i, j in combinations(range(n), 2)
    ]
    assert _probes(probs, labels).excess() == pytest.approx(np.square(both).sum() / n**2, rel=0.1)


def test_differences_of_m_log_m_are_those_written_out_also_of_large_counts() -> None:
    def plain(m: int) -> float:
        return m * np.log(m) if m > 0 else 0.0

    counts = np.arange(1, 40)
    for order, weights in ((1, (1, -1)), (2, (1, -2, 1)), (3, (1, -3, 3, -1))):
        expected = [sum(w * plain(m - taken) for taken, w in enumerate(weights)) for m in counts]
        np.testing.assert_allclose(entropy_step(counts, order), expected, atol=1e-12)
    large = np.array([10**6])
    assert entropy_step(large, 2)[0] == pytest.approx(1e-6, rel=1e-4)  # the derivatives of m log m: 1 / m, -1 / m^2
    assert entropy_step(large, 3)[0] == pytest.approx(-1e-12, rel=1e-2)


def test_the_excess_of_nce_is_from_two_and_three_examples_left_out_by_hand() -> None:
    rng = np.random.default_rng(2)
    n, hard, labels = 14, rng.integers(0, 3, 14), rng.integers(0, 2, 14)
    probs = np.eye(3)[hard]

    def total(out: tuple[int, ...]) -> float:
        return (n - len(out)) * reference.nce(np.delete(probs, out, 0), np.delete(labels, out))

    def difference(of: tuple[int, ...]) -> float:
        return sum((-1) ** k * total(out) for k in range(len(of) + 1) for out in combinations(of, k))

    pairs, triples = (sum(difference(of) ** 2 for of in combinations(range(n), order)) for order in (2, 3))
    cells, counts = np.unique(np.stack([hard, labels]), axis=1, return_counts=True)
    found = hard_excess(counts, cells[0])
    assert found == pytest.approx(pairs**2 / (pairs + triples) / n**2, rel=1e-9)
    assert hard_excess(np.array([5, 3]), np.array([0, 1])) == 0.0  # one class in every source class: nothing by chance


@pytest.mark.parametrize("most", [_deletions.MOST_WORK, 0])
def test_where_the_source_is_nearly_blind_the_error_is_near_the_truth_and_the_jackknife_s_far_off(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_deletions, "MOST_WORK", most)
    rng = np.random.default_rng(4)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in FAMILY}
    jackknife = []
    for _ in range(150):
        labels = rng.integers(0, 4, 200)
        probs = reference.softmax(2 * rng.normal(size=(200, 12)) + 0.2 * np.eye(12)[labels])
        for name, one in evaluate(list(FAMILY), labels=labels, groups=np.arange(200) % 2, probs=probs)[0].items():
            found[name].append((one.value, one.spread.standard_error))
        head = read_probs(probs, labels)
        table = conditional(head.joint, head.mass)
        jackknife.append(spread_of(plain_contributions(head, table, likelihoods(head, table))).standard_error)
    truth = {name: np.var([value for value, _ in pairs], ddof=1) for name, pairs in found.items()}
    ratios = [np.mean(np.square([error for _, error in pairs])) / truth[name] for name, pairs in found.items()]
    assert 0.85 < min(ratios) <= max(ratios) < 1.5
    assert np.mean(np.square(jackknife)) / truth["leep"] > 1.6
