"""Racing: against scipy's paired t interval, and its error against simulated races in which the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from headstart.errors import InputError
from headstart.stats import (
    Stage,
    compare,
    forecast,
    growing_sizes,
    halving_plan,
    jackknife_groups,
    level_of_each,
    staged_ranks,
)

GROUPS = 20


def means(rows: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each source's rows (s, n), and without each group."""
    member = np.eye(GROUPS)[groups]  # (n, g)
    total, count = rows.sum(axis=1, keepdims=True), len(groups)
    return rows.mean(axis=1), (total - rows @ member) / (count - member.sum(axis=0))


def test_a_shortfall_is_scipys_paired_t_interval_on_group_means() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([[1.0], [0.0]]) + 0.5 * rng.standard_normal((2, 100)) + rng.standard_normal(100)
    groups = np.arange(100) % GROUPS
    values, deleted = means(rows, groups)
    standing = compare(values, deleted, seen=100, whole=100, error=0.01)
    by_group = np.array([[row[groups == g].mean() for g in range(GROUPS)] for row in rows])
    interval = stats.ttest_rel(by_group[0], by_group[1]).confidence_interval(0.98)  # 1 % on each side
    assert standing.leader == 0
    assert standing.below.tolist() == [-1, 0]
    assert standing.shortfall[1] == pytest.approx(interval.low, rel=1e-9)
    assert compare(values[::-1], deleted[::-1], seen=100, whole=100, error=0.01).below.tolist() == [1, -1]


def test_the_advantage_is_the_other_end_of_the_interval() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((2, 100))
    groups = np.arange(100) % GROUPS
    values, deleted = means(rows, groups)
    standing = compare(values, deleted, seen=100, whole=100, error=0.025)
    by_group = np.array([[row[groups == g].mean() for g in range(GROUPS)] for row in rows])
    other = 1 - standing.leader
    interval = stats.ttest_rel(by_group[other], by_group[standing.leader]).confidence_interval(0.95)
    assert standing.advantage[other] == pytest.approx(interval.high, rel=1e-9)
    assert standing.advantage[standing.leader] == 0


def test_a_source_that_is_still_learning_is_not_dropped_for_being_behind() -> None:
    rng = np.random.default_rng(2)
    noise = 0.001 * rng.standard_normal((2, GROUPS))
    seen, whole = 100, 2000
    fewer = seen * (GROUPS - 1) / GROUPS

    def learning(limit: float, cost: float) -> tuple[float, np.ndarray]:
        return limit - cost / seen, np.full(GROUPS, limit - cost / fewer)

    fast, slow = learning(-1.0, 1.0), learning(-0.9, 60.0)  # -1.01 and -1.50 now, -1.0005 and -0.93 in the end
    values, deleted = np.array([fast[0], slow[0]]), np.stack([fast[1], slow[1]])
    deleted = deleted + noise - noise.mean(axis=1, keepdims=True)
    later = forecast(values, deleted, seen=seen, whole=whole)
    assert later == pytest.approx([-1.0 - 1 / whole, -0.9 - 60 / whole], abs=1e-9)
    assert compare(values, deleted, seen=seen, whole=whole, error=0.01).below.tolist() == [-1, -1]
    assert compare(values, deleted, seen=seen, whole=seen, error=0.01).below.tolist() == [-1, 0]


def race(rows: np.ndarray, sizes: tuple[int, ...], error: float) -> set[int]:
    """Who is dropped in a whole race on rows (s, n), by the plain loop."""
    alive, dropped = list(range(len(rows))), set()
    each = level_of_each(error, len(sizes), len(rows))
    for size in sizes[:-1]:
        groups = jackknife_groups(size, seed=0)
        values, deleted = means(rows[alive][:, :size], groups)
        below = compare(values, deleted, seen=size, whole=sizes[-1], error=each).below
        dropped |= {alive[place] for place in np.flatnonzero(below >= 0)}
        alive = [one for one in alive if one not in dropped]
    return dropped


def test_a_race_loses_the_best_no_more_often_than_it_states() -> None:
    rng = np.random.default_rng(3)
    error, worlds, lost = 0.2, 400, 0
    sizes = growing_sizes(640, 40)
    for _ in range(worlds):
        rows = rng.standard_normal((6, 640)) + rng.standard_normal(
            640
        )  # all sources are equally good: the hardest case
        lost += 0 in race(rows, sizes, error)
    assert lost / worlds <= error + 3 * math.sqrt(error * (1 - error) / worlds)


def test_a_race_drops_whom_it_should_and_a_larger_error_drops_sooner() -> None:
    rng = np.random.default_rng(4)
    rows = np.array([[1.0], [0.6], [0.0]]) + rng.standard_normal((3, 640))
    assert race(rows, growing_sizes(640, 40), 0.05) == {1, 2}
    values, deleted = means(rows[:2, :100], np.arange(100) % GROUPS)
    strict, loose = (compare(values, deleted, seen=100, whole=640, error=error) for error in (1e-7, 0.4))
    assert (strict.below >= 0).sum() < (loose.below >= 0).sum()


def test_the_first_by_value_is_never_dropped() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        values = rng.standard_normal(7)
        deleted = values[:, None] + 0.05 * rng.standard_normal((7, GROUPS))
        assert compare(values, deleted, seen=50, whole=500, error=0.4).below[np.argmax(values)] == -1


@pytest.mark.parametrize("whole", [1, 79, 80, 81, 1000, 2001])
def test_growing_sizes_end_with_all_examples_and_grow(whole: int) -> None:
    sizes = growing_sizes(whole, 80)
    assert sizes[-1] == whole
    assert list(sizes) == sorted(set(sizes))
    assert growing_sizes(2000, 80, growth=4.0) != growing_sizes(2000, 80)


@pytest.mark.parametrize("sources", [2, 3, 6, 20, 33])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_halving_spends_its_budget_evenly_over_log2_rounds(sources: int, share: float) -> None:
    whole = 10**6
    plan = halving_plan(sources, whole, share)
    assert len(plan) == math.ceil(math.log2(sources))
    assert [kept for kept, _ in plan] == [math.ceil(sources / 2**r) for r in range(len(plan))]
    seen = np.diff([0, *(size for _, size in plan)])
    spent = np.array([kept for kept, _ in plan]) * seen
    if plan[-1][1] < whole:  # where the last ones would see more than all, they see all
        assert spent == pytest.approx(np.full(len(plan), share * sources * whole / len(plan)), rel=1e-4)
    assert spent.sum() <= share * sources * whole + 1e-6


def test_halving_has_a_least_prefix_and_leaves_a_single_source_alone() -> None:
    assert halving_plan(20, 2000, 0.01, least=80)[0] == (20, 80)
    assert halving_plan(1, 2000, 0.2) == ((1, 2000),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error": 0.0}, "`error` must lie between 0 and 1/2, not 0.0"),
        ({"values": np.zeros(3)}, r"their shapes are \(3,\) and \(2, 20\)"),
        ({"deleted": np.zeros((2, 1))}, "at least 2 groups"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict, message: str) -> None:
    given = {"values": np.zeros(2), "deleted": np.zeros((2, GROUPS)), "seen": 10, "whole": 10, "error": 0.05}
    with pytest.raises(InputError, match=message):
        compare(**{**given, **change})
    with pytest.raises(InputError, match="prefixes must grow"):
        growing_sizes(100, 10, growth=1.0)


def stage(members: list[int], truth: list[float], spread: float, seed: int = 0) -> Stage:
    noise = spread * np.random.default_rng(seed).standard_normal((len(members), GROUPS)) / GROUPS
    values = np.array(truth)
    return Stage(np.array(members), values, values[:, None] + noise - noise.mean(axis=1, keepdims=True))


def test_pairs_are_compared_on_the_last_examples_that_both_saw() -> None:
    early = stage([0, 1, 2], [0.9, 0.5, 0.1], 0.01)  # source 0 is far ahead of source 1 here, and behind it there
    late = stage([0, 1], [0.5, 0.9], 0.01)
    ranks = staged_ranks([early, late], rounds=2)
    assert ranks.rank.tolist() == [2, 1, 3]
    assert (ranks.low.tolist(), ranks.high.tolist(), ranks.tied) == ([2, 1, 3], [2, 1, 3], 1)
    assert ranks.probability_best.sum() == pytest.approx(1.0)


def test_who_left_early_comes_later_even_with_a_higher_value() -> None:
    ranks = staged_ranks([stage([0, 1, 2], [0.9, 0.5, 0.8], 9.0), stage([0, 2], [0.1, 0.2], 9.0)], rounds=2)
    assert ranks.rank.tolist() == [2, 3, 1]
    assert (ranks.low <= ranks.rank).all()
    assert (ranks.rank <= ranks.high).all()


def test_a_race_says_who_may_have_rank_one() -> None:
    stages = [stage([0, 1, 2], [0.5, 0.4, 0.3], 9.0), stage([0, 1], [0.5, 0.4], 0.001)]
    assert staged_ranks(stages, rounds=2).low.tolist() == [1, 2, 1]
    out = np.array([False, False, True])
    assert staged_ranks(stages, rounds=2, out=out).low.tolist() == [1, 1, 2]
    decided = staged_ranks(stages, rounds=2, out=out, final=0.975)
    assert (decided.low.tolist(), decided.high[0], decided.tied) == ([1, 2, 2], 1, 1)
    assert staged_ranks(stages[:1], rounds=2, out=np.array([False, True, True])).high.tolist() == [1, 3, 3]


def test_where_a_race_leaves_two_neither_is_surely_the_first() -> None:
    stages = [stage([0, 1, 2], [0.5, 0.4, -9.0], 0.1), stage([0, 1], [0.5, 0.4], 0.001)]
    assert staged_ranks(stages, rounds=2).high.tolist() == [1, 2, 3]  # the pairwise tests part them
    ranks = staged_ranks(stages, rounds=2, out=np.array([False, False, True]))
    assert (ranks.low.tolist(), ranks.high.tolist(), ranks.tied) == ([1, 1, 3], [2, 2, 3], 2)


def test_more_rounds_planned_widen_the_rank_intervals() -> None:
    contested = [stage([0, 1], [0.5, -0.5], 1.0, seed=4)]
    assert staged_ranks(contested, rounds=1).tied == 1
    assert staged_ranks(contested, rounds=200).tied == 2


def test_a_round_without_intervals_decides_nothing() -> None:
    ranks = staged_ranks([Stage(np.arange(3), np.array([0.1, 0.9, 0.5]), None)], rounds=1)
    assert (ranks.rank.tolist(), ranks.tied) == ([3, 1, 2], 3)
    with pytest.raises(InputError, match="a member of at least one"):
        staged_ranks([stage([0, 2], [0.1, 0.2], 1.0)], rounds=1)
