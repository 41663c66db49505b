"""From extractions to a ranking: order, intervals, ties, verdicts, and sources that cannot be scored."""

from dataclasses import replace

import numpy as np
import pytest
from tests.ranking.worlds import CLASSES, PROVENANCE, extraction, labels_of, summary

from headstart.ranking.build import build
from headstart.ranking.measure import Measurement, measure
from headstart.records import Extraction, Failure, Ranking
from headstart.scores import Evaluation, knn
from headstart.stats import jackknife, jackknife_groups

SCORES = ("leep_calibrated", "leep", "knn", "source_accuracy")


def _measure(given: Extraction, scores: tuple[str, ...] = SCORES) -> Measurement:
    groups = jackknife_groups(len(given.labels), seed=0)
    return measure(given, scores, groups=groups, classes=CLASSES)


def _ranking(*given: Extraction, scores: tuple[str, ...] = SCORES, sort: str | None = None) -> Ranking:
    measured = [_measure(one, scores) for one in given]
    return build(summary(), measured, scores=scores, sort=(sort or scores[0], ""), provenance=PROVENANCE)


@pytest.fixture(scope="module")
def three() -> Ranking:
    return _ranking(
        extraction("noisy", noise=2.0, top1=0.9),
        extraction("clear", noise=0.3, seed=1, top1=0.7),
        extraction("blurred", noise=0.9, seed=2, top1=0.8),
    )


def test_the_clearest_source_is_first_and_known_to_be(three: Ranking) -> None:
    assert [row.source for row in three.rows] == ["clear", "blurred", "noisy"]
    assert [(row.rank, row.rank_low, row.rank_high) for row in three.rows] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    assert three.rows[0].probability_best == pytest.approx(1.0, abs=1e-3)
    assert (three.sort, three.tied, three.best) == ("leep_calibrated", 1, "clear")


def test_a_score_carries_the_jackknife_interval_of_its_own_deleted_values(three: Ranking) -> None:
    given = extraction("clear", noise=0.3, seed=1)
    groups = jackknife_groups(len(given.labels), seed=0)
    deleted = np.array([knn(given.features[groups != g], given.labels[groups != g]) for g in range(20)])
    expected = jackknife(knn(given.features, given.labels), deleted)
    row = three.rows[0].scores["knn"]
    assert (row.value, row.standard_error) == pytest.approx((expected.value, expected.standard_error), rel=1e-6)
    assert (row.low, row.high) == pytest.approx((expected.low, min(expected.high, 1.0)), rel=1e-6)


def test_an_interval_never_leaves_the_range_of_its_score() -> None:
    accuracy = _ranking(extraction("clear", noise=0.25)).rows[0].scores["knn"]
    assert accuracy.standard_error is not None
    assert accuracy.value + 2.09 * accuracy.standard_error > 1.0  # the plain interval reaches beyond
    assert accuracy.high == 1.0


def test_a_score_computed_for_the_verdict_alone_is_not_reported_missing() -> None:
    given = replace(extraction("a", noise=1), labels=np.random.default_rng(0).standard_normal(240))
    groups = jackknife_groups(len(given.labels), seed=0)
    measured = measure(given, ("logme", "leep"), groups=groups, classes=(), task="regression")
    assert set(measured.unavailable) == {"leep"}


def test_an_interval_without_width_is_noted() -> None:
    perfect, blurred = _ranking(extraction("perfect", noise=0.01), extraction("blurred", noise=0.9)).rows
    assert (perfect.scores["knn"].value, perfect.scores["knn"].standard_error) == (1.0, 0.0)
    assert "not certainty" in perfect.scores["knn"].notes[-1]
    assert not any("not certainty" in note for note in blurred.scores["knn"].notes)


def test_a_static_fact_has_no_interval_but_an_exact_order() -> None:
    rows = _ranking(
        extraction("a", noise=1, top1=0.7), extraction("b", noise=1, seed=1, top1=0.8), sort="source_accuracy"
    ).rows
    assert [(row.source, row.rank_low, row.rank_high) for row in rows] == [("b", 1, 1), ("a", 2, 2)]
    assert rows[0].scores["source_accuracy"].standard_error is None


def test_equal_sources_are_a_tie() -> None:
    one = extraction("one", noise=0.5)
    ranking = _ranking(one, replace(one, source="other"))
    assert ranking.tied == 2
    assert [row.probability_best for row in ranking.rows] == pytest.approx([0.5, 0.5], abs=0.02)
    assert [(row.rank_low, row.rank_high) for row in ranking.rows] == [(1, 2), (1, 2)]


def test_a_source_without_the_sorting_score_comes_last_without_a_rank_and_with_the_reason() -> None:
    ranking = _ranking(
        extraction("headless", noise=0.1, classifier=False), extraction("noisy", noise=3.0), sort="leep_calibrated"
    )
    assert [row.source for row in ranking.rows] == ["noisy", "headless"]
    last = ranking.rows[-1]
    assert (last.rank, last.rank_low, last.rank_high, last.probability_best) == (None, None, None, None)
    assert "no classifier" in last.unavailable["leep_calibrated"]
    assert "knn" in last.scores
    assert last.head is None


def test_a_source_of_pure_noise_is_advised_against_and_a_good_one_is_not() -> None:
    ranking = _ranking(extraction("good", noise=0.5), extraction("noise", noise=1e6))
    good, noise = ranking.rows
    assert (good.verdict, good.advised_against) == ("better than guessing the class frequencies", False)
    assert noise.advised_against
    assert noise.verdict is not None
    assert "better than guessing the class frequencies (skill" in noise.verdict
    assert "leep_skill" not in ranking.scores  # it was computed for the verdict alone
    assert "leep_skill" not in good.scores


def test_a_score_without_intervals_leaves_the_order_open() -> None:
    measured = []
    for name, value in (("a", 0.1), ("b", 0.9)):
        one = _measure(extraction(name, noise=1), ("knn",))
        measured.append(
            replace(one, evidence=None, evaluations={"knn": Evaluation(value, None, 0.0, ("no interval: too few",))})
        )
    ranking = build(summary(), measured, scores=("knn",), sort=("knn", ""), provenance=PROVENANCE)
    assert [row.source for row in ranking.rows] == ["b", "a"]
    assert ranking.tied == 2
    assert [(row.rank_low, row.rank_high, row.probability_best) for row in ranking.rows] == [(1, 2, 0.5)] * 2
    assert "no interval" in ranking.notes[0]


def test_the_seed_moves_the_draws_and_nothing_else() -> None:
    measured = [_measure(extraction(f"s{i}", noise=0.8, seed=i)) for i in range(3)]
    one, same, other = (
        build(summary(), measured, scores=SCORES, sort=(SCORES[0], ""), seed=s, provenance=PROVENANCE)
        for s in (1, 1, 2)
    )
    assert one == same
    assert [row.probability_best for row in one.rows] != [row.probability_best for row in other.rows]
    assert [row.scores for row in one.rows] == [row.scores for row in other.rows]


def test_sources_that_saw_different_examples_are_noted() -> None:
    short = extraction("short", noise=1)
    kept = np.arange(len(short.labels)) != 5
    short = replace(
        short,
        labels=short.labels[kept],
        features=short.features[kept],  # type: ignore[index]
        logits=short.logits[kept],  # type: ignore[index]
        ids=tuple(np.array(short.ids)[kept]),
    )
    assert "slightly different ones" in _ranking(short, extraction("whole", noise=1)).notes[0]
    assert _ranking(extraction("whole", noise=1)).notes == ()


def test_a_ranking_of_failures_alone_has_no_rows_and_no_best() -> None:
    failures = [Failure("broken", "out of ink")]
    ranking = build(summary(), [], failures, scores=("leep",), sort=("leep", ""), provenance=PROVENANCE)
    assert (ranking.rows, ranking.tied) == ((), 0)
    with pytest.raises(ValueError, match="no source could be ranked"):
        _ = ranking.best


def test_speed_is_examples_over_seconds_and_unknown_from_the_cache() -> None:
    fresh = extraction("fresh", noise=1)
    cached = replace(extraction("cached", noise=1), seconds=0.0, computed=0)
    speeds = {row.source: row.examples_per_second for row in _ranking(fresh, cached).rows}
    assert speeds == {"fresh": 120.0, "cached": None}


def test_labels_of_every_source_are_the_targets() -> None:
    np.testing.assert_array_equal(extraction("a", noise=1).labels, labels_of())


def test_a_source_whose_classes_say_nothing_is_not_advised_against_where_its_features_do() -> None:
    blind = extraction("blind", noise=0.3, classifier=False)
    rng = np.random.default_rng(0)
    mute = replace(blind, source="mute", logits=rng.standard_normal((len(blind.labels), 4)))
    lost = replace(mute, source="lost", features=rng.standard_normal((len(blind.labels), 5)))
    rows = {row.source: row for row in _ranking(mute, lost).rows}
    assert rows["mute"].verdict == "better than guessing by its features, though not by its own classes"
    assert not rows["mute"].advised_against
    assert rows["lost"].advised_against


def test_the_headline_says_where_another_score_puts_another_source_first() -> None:
    blind = extraction("headless", noise=0.3)
    rng = np.random.default_rng(0)
    mute = replace(blind, source="mute", logits=rng.standard_normal((len(blind.labels), 4)))
    ranking = _ranking(extraction("headed", noise=1.5), mute, sort="knn")
    assert ranking.best == "mute"
    assert "The scores disagree: " in ranking.sureness
    assert "leep put headed first" in ranking.sureness
    alone = _ranking(extraction("clear", noise=0.1), extraction("dim", noise=3.0))
    assert "disagree" not in alone.sureness
