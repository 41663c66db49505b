"""Paired inference on ranks: against a slow reference, and against known truth in simulation."""

import numpy as np
import pytest
from scipy import stats

from headstart.errors import InputError
from headstart.stats import clearly_better, paired_ranks, probability_best, rank_intervals, ranks

GROUPS = 20


def _world(rng: np.random.Generator, truth: np.ndarray, common: float = 3.0) -> np.ndarray:
    """Contributions (s, g): a part that all sources share, and each source's own noise of its own size."""
    own = np.linspace(0.5, 1.5, len(truth))[:, None] * rng.standard_normal((len(truth), GROUPS))
    return truth[:, None] + common * rng.standard_normal(GROUPS) + own


def _stepdown_by_hand(contributions: np.ndarray, level: float, flips: int, seed: int) -> np.ndarray:
    """Romano and Wolf's step-down over all ordered pairs, with scipy's t test and no shortcut."""
    sources, groups = contributions.shape
    rng = np.random.default_rng(seed)
    signs = np.vstack([np.ones(groups), rng.choice([-1.0, 1.0], size=(flips, groups))])
    pairs = [(j, k) for j in range(sources) for k in range(sources) if j != k]
    flipped = {
        (j, k): stats.ttest_1samp(signs * (contributions[j] - contributions[k]), 0.0, axis=1).statistic
        for j, k in pairs
    }
    undecided, better = list(pairs), np.zeros((sources, sources), dtype=bool)
    while undecided:
        largest = np.max([flipped[pair] for pair in undecided], axis=0)
        strongest = max(undecided, key=lambda pair: flipped[pair][0])
        t = flipped[strongest][0]
        if np.mean(largest >= t - 1e-9) > 1 - level or t <= 0:
            break
        better[strongest] = True
        undecided.remove(strongest)
    return better


@pytest.mark.parametrize("seed", range(6))
def test_the_step_down_equals_the_one_done_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    contributions = _world(rng, np.array([0.0, 0.3, 0.8, 0.9, 1.6]))
    expected = _stepdown_by_hand(contributions, 0.95, 499, seed=7)
    assert 0 < expected.sum() < 10  # the case is neither trivial nor hopeless
    np.testing.assert_array_equal(clearly_better(contributions, seed=7, flips=499), expected)


def test_blocks_of_flips_give_the_same_answer_as_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    contributions = _world(np.random.default_rng(0), np.linspace(0, 2, 6))
    whole = clearly_better(contributions, seed=1), probability_best(contributions, seed=1)
    monkeypatch.setattr("headstart.stats.ranks.BLOCK", 700)
    np.testing.assert_array_equal(clearly_better(contributions, seed=1), whole[0])
    np.testing.assert_allclose(probability_best(contributions, seed=1), whole[1], atol=0.02)


@pytest.mark.parametrize(
    "truth",
    [np.zeros(8), np.array([0.0, 0.0, 0.0, 1.0, 1.0, 3.0]), np.linspace(0, 2, 6)],
    ids=["all equal", "ties", "steps"],
)
def test_all_rank_intervals_hold_at_once_in_95_worlds_of_100(truth: np.ndarray) -> None:
    """A source's true ranks run from 1 + (number truly better) to S - (number truly worse): all must be covered."""
    rng, worlds, hits = np.random.default_rng(0), 400, 0
    true_low = np.array([1 + (truth > t).sum() for t in truth])
    true_high = np.array([len(truth) - (truth < t).sum() for t in truth])
    for world in range(worlds):
        low, high = rank_intervals(clearly_better(_world(rng, truth), seed=world, flips=499))
        hits += bool((low <= true_low).all() and (true_high <= high).all())
    assert hits / worlds >= 0.92  # 95 % less three standard deviations (1.1 %)


def test_skewed_groups_do_not_break_the_coverage() -> None:
    rng, worlds, hits = np.random.default_rng(1), 300, 0
    for world in range(worlds):
        contributions = rng.exponential(size=(5, GROUPS, 5)).mean(axis=2)  # all equal; groups of five skewed terms
        hits += not clearly_better(contributions, seed=world, flips=499).any()
    assert hits / worlds >= 0.91


def test_pairing_tells_apart_what_separate_intervals_cannot() -> None:
    contributions = _world(np.random.default_rng(0), np.array([0.0, 1.5, 3.0]), common=30.0)
    errors = contributions.std(axis=1, ddof=1) / np.sqrt(GROUPS)
    assert errors.min() > 3  # each value alone is known to about 6: the intervals overlap widely
    assert clearly_better(contributions).sum() == 3


def test_equal_sources_are_never_told_apart_and_share_the_first_place() -> None:
    row = np.random.default_rng(0).standard_normal(GROUPS)
    ranks = paired_ranks(np.array([1.0, 1.0, -50.0]), np.array([row, row, row[::-1] - 50.0]))
    assert ranks.rank.tolist() == [1, 2, 3]
    assert ranks.low.tolist() == [1, 1, 3]
    assert ranks.tied == 2
    np.testing.assert_allclose(ranks.probability_best, [0.5, 0.5, 0.0], atol=1e-3)


def test_rounding_noise_between_equal_sources_is_no_difference() -> None:
    row = np.random.default_rng(0).standard_normal(GROUPS) + 5
    contributions = np.array([row, row + 1e-15, row - 3])
    assert clearly_better(contributions).tolist() == [[False, False, True], [False, False, True], [False] * 3]


def test_scores_known_exactly_are_ranked_exactly() -> None:
    ranks = paired_ranks(np.array([0.7, 0.8, 0.8, 0.1]), None)
    assert ranks.order.tolist() == [1, 2, 0, 3]
    assert (ranks.low.tolist(), ranks.high.tolist()) == ([3, 1, 1, 4], [3, 2, 2, 4])
    assert ranks.probability_best.tolist() == [0.0, 0.5, 0.5, 0.0]
    assert ranks.tied == 2


def test_the_tie_at_the_top_ends_at_the_first_source_that_is_clearly_beaten() -> None:
    rng = np.random.default_rng(0)
    quiet, loud = 0.01 * rng.standard_normal((3, GROUPS)), 30 * rng.standard_normal((1, GROUPS))
    contributions = np.vstack([quiet, loud]) + np.array([[3.0], [2.99], [2.0], [1.5]])
    contributions -= contributions.mean(axis=1, keepdims=True) - np.array([[3.0], [2.999], [2.0], [1.5]])
    deleted = -contributions / (GROUPS - 1)
    ranks = paired_ranks(contributions.mean(axis=1), deleted)
    assert ranks.low.tolist() == [1, 1, 3, 1]  # the loud fourth might still be the best
    assert ranks.tied == 2


def test_too_few_groups_decide_nothing() -> None:
    contributions = np.array([[5.0, 5.1, 5.2, 4.9, 5.0], [0.0, 0.1, 0.0, 0.2, 0.1]])
    assert not clearly_better(contributions).any()
    assert clearly_better(contributions, level=0.8).any()


def test_one_source_is_first_for_certain() -> None:
    ranks = paired_ranks(np.array([-3.0]), np.array([[-3.0, -2.9, -3.1]]))
    assert (ranks.rank.tolist(), ranks.low.tolist(), ranks.high.tolist()) == ([1], [1], [1])
    assert (ranks.probability_best.tolist(), ranks.tied) == ([1.0], 1)


def test_a_higher_level_decides_less_and_the_seed_decides_the_draws() -> None:
    contributions = _world(np.random.default_rng(3), np.linspace(0, 1.5, 6))
    assert clearly_better(contributions, level=0.999).sum() < clearly_better(contributions, level=0.8).sum()
    assert (probability_best(contributions, seed=1) == probability_best(contributions, seed=1)).all()
    assert (probability_best(contributions, seed=1) != probability_best(contributions, seed=2)).any()


def test_for_two_sources_the_probability_of_being_best_is_the_t_probability() -> None:
    contributions = _world(np.random.default_rng(5), np.array([0.0, 0.7]))
    t = stats.ttest_rel(contributions[1], contributions[0]).statistic
    expected = stats.t.cdf(t, GROUPS - 1)
    assert 0.6 < expected < 0.99
    assert probability_best(contributions)[1] == pytest.approx(expected, abs=0.012)


def test_probabilities_of_being_best_are_calibrated() -> None:
    """Worlds whose truth is drawn widely: among sources given a probability near p, a share near p is the best."""
    rng, given, was_best = np.random.default_rng(6), [], []
    for world in range(500):
        truth = 1.5 * rng.standard_normal(4)
        given.append(probability_best(_world(rng, truth), seed=world, draws=1000))
        was_best.append(truth == truth.max())
    p, best = np.concatenate(given), np.concatenate(was_best)
    np.testing.assert_allclose(np.array(given).sum(axis=1), 1.0, atol=1e-12)
    for low, high in [(0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.0)]:
        held = (p >= low) & (p <= high)
        assert best[held].mean() == pytest.approx(p[held].mean(), abs=3.5 * 0.5 / np.sqrt(held.sum())), (low, high)


@pytest.mark.parametrize(
    ("values", "deleted", "message"),
    [
        (np.zeros(2), np.zeros((3, 4)), r"`deleted` \(s, g\).*their shapes are \(2,\) and \(3, 4\)"),
        (np.zeros(0), None, "at least one source"),
        (np.zeros(2), np.zeros((2, 1)), "at least 2 groups"),
        (np.array([0.0, np.nan]), np.zeros((2, 4)), "leave out the sources that have no score"),
    ],
)
def test_bad_input_is_named(values: np.ndarray, deleted: np.ndarray | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        paired_ranks(values, deleted)


def test_many_sources_take_fewer_flips_and_clear_differences_stay_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    counted = ranks._exceedances
    monkeypatch.setattr(ranks, "_exceedances", lambda *given: used.append(given[2]) or counted(*given))
    values = np.arange(6.0)
    deleted = values[:, None] + 0.01 * np.random.default_rng(0).standard_normal((6, 20))
    usual = ranks.paired_ranks(values, deleted)
    monkeypatch.setattr(ranks, "WORK", 1.0)
    fewer = ranks.paired_ranks(values, deleted)
    assert used == [1999, 199]
    assert fewer.low.tolist() == usual.low.tolist() == [6, 5, 4, 3, 2, 1]
