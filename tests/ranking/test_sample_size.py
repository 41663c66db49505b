"""How many examples would tell the first two apart."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.ranking.worlds import CLASSES, PROVENANCE, extraction, summary

import headstart as hs
from headstart.errors import InputError
from headstart.ranking.build import build
from headstart.ranking.measure import measure
from headstart.ranking.sample_size import along_curve, separation
from headstart.records import Ranking
from headstart.scores import Evaluation
from headstart.stats import jackknife_groups


def _ranking(*noises: float, n: int = 240, scores: tuple[str, ...] = ("knn",)) -> Ranking:
    measured = []
    for seed, noise in enumerate(noises):
        given = extraction(f"source {seed}", noise=noise, n=n, seed=seed, top1=0.5 + seed / 10)
        groups = jackknife_groups(len(given.labels), seed=0)
        measured.append(measure(given, scores, groups=groups, classes=CLASSES))
    return build(summary(n), measured, scores=scores, sort=(scores[0], ""), provenance=PROVENANCE)


def _means(first: np.ndarray, second: np.ndarray) -> Ranking:
    """Two sources whose score is a mean over 20 groups of examples, so that every error is known in closed form."""
    template = measure(extraction("t", noise=1.0), ("knn",), groups=jackknife_groups(240, seed=0), classes=CLASSES)
    measured = []
    for name, x in (("first", first), ("second", second)):
        evaluation = Evaluation(float(x.mean()), (x.sum() - x) / (len(x) - 1), 0.0)
        named = replace(template.extraction, source=name)
        measured.append(replace(template, extraction=named, evaluations={"knn": evaluation}))
    return build(summary(240), measured, scores=("knn",), sort=("knn", ""), provenance=PROVENANCE)


def test_the_examples_follow_from_the_paired_error_and_the_noncentral_t() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=20)
    first, second = 0.5 + 0.1 * shared, 0.47 + 0.1 * shared + 0.05 * rng.normal(size=20)
    plan = hs.plan(_means(first, second))
    error = (first - second).std(ddof=1) / np.sqrt(20)
    assert plan.standard_error == pytest.approx(error)
    assert plan.difference == pytest.approx((first - second).mean())
    gap = plan.difference / error * np.sqrt(plan.examples / 240)  # in standard errors, at the number planned
    assert stats.nct.sf(stats.t.ppf(0.95, 19), 19, gap) == pytest.approx(0.9, abs=0.005)
    assert plan.fewest <= plan.examples
    assert plan.most is None or plan.most >= plan.examples


def test_at_the_planned_number_the_test_finds_the_difference_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    gap, spread, n = 0.1, 1.0, 400
    groups = spread * rng.normal(size=(4000, 20)) / np.sqrt(n / 20)
    needed = n * (separation(0.9, 0.95) * spread / np.sqrt(n) / gap) ** 2
    drawn = gap + groups * np.sqrt(n / needed)
    t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / np.sqrt(20))
    assert (t > stats.t.ppf(0.95, 19)).mean() == pytest.approx(0.9, abs=0.02)


def test_closer_sources_more_power_and_a_stricter_level_ask_for_more() -> None:
    far, near = hs.plan(_ranking(0.5, 0.9)), hs.plan(_ranking(0.8, 0.9))
    assert near.examples is not None
    assert far.examples is not None
    assert near.examples > far.examples
    near_ranking = _ranking(0.8, 0.9)
    assert hs.plan(near_ranking, power=0.99).examples > near.examples  # type: ignore[operator]
    assert hs.plan(near_ranking, level=0.99).examples > near.examples  # type: ignore[operator]


def test_it_says_whether_there_are_enough() -> None:
    enough = hs.plan(_ranking(0.3, 1.5))
    assert enough.enough
    assert "240 examples are enough to tell source 0 from source 1 at 90 % power" in str(enough)
    short = hs.plan(_ranking(0.9, 0.92))
    assert not short.enough
    assert "would tell" in str(short)
    assert "there are 240" in str(short)


def test_equal_sources_are_never_promised_apart() -> None:
    plan = hs.plan(_means(np.arange(20.0), np.arange(20.0)))
    assert (plan.examples, plan.most, plan.enough) == (None, None, False)
    assert "no number of examples is known to do" in str(plan)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(InputError, match="two ranked sources are needed"):
        hs.plan(_ranking(0.6))
    with pytest.raises(InputError, match="no paired standard error"):
        hs.plan(_ranking(0.6, 0.7, scores=("source_accuracy",)))
    with pytest.raises(InputError, match="`power` is a probability strictly between 0 and 1; got 1"):
        hs.plan(_ranking(0.6, 0.7), power=1)


def test_it_is_planned_from_a_record_read_back() -> None:
    ranking = _ranking(0.8, 0.9)
    assert hs.plan(Ranking.from_json(ranking.to_json())) == hs.plan(ranking)


def test_the_plan_reads_the_rankings_own_learning_curve() -> None:
    ranking = _ranking(0.7, 1.3)
    first = ranking.rows[0]
    curve = [one for one in first.forecasts if one.method == "head"]
    assert [one.examples for one in curve] == [240, 480, 960]
    for one in curve:
        assert along_curve(first, one.examples) == one
    between = along_curve(first, 339)  # halfway from 240 to 480 on the scale of doublings
    assert between is not None
    assert between.value == pytest.approx((curve[0].value + curve[1].value) / 2, abs=1e-4)
    assert along_curve(first, 961) is along_curve(first, 239) is None
    plan = hs.plan(ranking)
    assert plan.examples is not None
    assert plan.reached == along_curve(first, plan.examples)
    asked = replace(plan, examples=480, reached=curve[1], now=240)
    assert f"With 480, a head on {plan.first} is forecast to reach {curve[1].value:.2f}" in str(asked)
