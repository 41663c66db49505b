"""Forecasts: what left-out predictions say of real heads, the probability of being best, and the fit behind both."""

from dataclasses import replace

import numpy as np
import pytest
from tests.ranking.worlds import extraction

import headstart as hs
from headstart.errors import InputError
from headstart.ranking.calibration import as_csv, fit, judge, judged_view, read_recorded
from headstart.ranking.evidence import Evidence, evidence_of, surely_gains
from headstart.ranking.forecasts import Calibration, belief, forecasts, probability_best
from headstart.records import Extraction, as_text
from headstart.scores import Inputs
from headstart.stats import jackknife_groups
from headstart.train.head import fit_head

SHIPPED = Calibration()


def evidence(
    features: np.ndarray, labels: np.ndarray, task: str = "classification", metric: str | None = None
) -> Evidence:
    given = Extraction("a", labels, tuple(map(str, range(len(labels)))), features=features)
    found = evidence_of(
        Inputs(labels, features=features, task=task), given, task, metric, jackknife_groups(len(labels), seed=0)
    )
    assert found is not None
    return found


def world(n: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    return np.eye(4)[labels] + noise * rng.standard_normal((n, 4)), labels


def test_forecasts_of_heads_hold_for_heads_that_are_trained_and_tested_afresh() -> None:
    inside = []
    for seed, noise in enumerate(np.linspace(0.3, 1.5, 30)):
        features, labels = world(120, noise, seed)
        test, truth = world(400, noise, 1000 + seed)
        reached = float((fit_head(features, labels).outputs(test).argmax(axis=1) == truth).mean())
        inside.append(forecasts(evidence(features, labels), SHIPPED)[0].holds(reached))
    assert 24 <= sum(inside) <= 30


def test_left_out_hits_are_those_of_the_examples_left_out_one_by_one() -> None:
    features, labels = world(40, 0.8, 0)
    found = evidence(features, labels)
    assert found.hits == pytest.approx(found.parts.mean())
    assert found.value == found.hits
    assert 1 / 4 < found.confidence < 1


def test_the_first_source_has_the_quality_of_each_class_that_occurs() -> None:
    features, labels = world(60, 0.8, 0)
    given = {"features": features, "labels": np.array(["a", "b", "c", "d"])[labels]}
    (row,) = hs.rank(given, scores="knn").rows
    assert [one.name for one in row.by_class] == ["a", "b", "c", "d"]
    right = sum(one.n * (one.recall or 0) for one in row.by_class)
    assert right == pytest.approx(60 * (evidence(features, labels).hits or 0))


def test_more_labels_never_cost_accuracy_and_widen_the_interval() -> None:
    features, labels = world(200, 1.0, 0)
    head, tuned, twice, four = forecasts(evidence(features, labels), SHIPPED)
    assert (head.method, tuned.method, twice.examples, four.examples) == ("head", "fine-tune", 400, 800)
    assert head.value <= twice.value <= four.value
    assert tuned.high - tuned.low > head.high - head.low


def test_a_forecast_from_some_of_the_examples_is_of_all_that_there_are() -> None:
    seen = evidence(*world(100, 1.0, 0))
    found = forecasts(seen, SHIPPED, given=750)
    assert [one.examples for one in found] == [750, 750, 1500, 3000]
    assert found[0].value > forecasts(seen, SHIPPED)[0].value
    assert SHIPPED.gained(seen, 2.0) == 2 * SHIPPED.step(seen)
    later = replace(seen, examples=400)
    assert SHIPPED.gained(seen, 3.0) == 2 * SHIPPED.step(seen) + SHIPPED.step(later)


def test_the_curve_foresees_heads_on_four_times_as_many_examples() -> None:
    misses = []
    for seed, noise in enumerate(np.linspace(0.4, 1.4, 12)):
        features, labels = world(400, noise, seed)
        test, truth = world(2000, noise, 1000 + seed)
        whole = float((fit_head(features, labels).outputs(test).argmax(axis=1) == truth).mean())
        misses.append(forecasts(evidence(features[:100], labels[:100]), SHIPPED)[3].value - whole)
    assert np.abs(misses).mean() < 0.05


def test_one_source_under_several_names_is_a_tie_and_a_better_one_wins() -> None:
    same = evidence(*world(200, 1.0, 0))
    assert probability_best([same] * 4, SHIPPED) == pytest.approx([0.25] * 4, abs=0.02)
    better = evidence(*world(200, 0.3, 1))
    chances = probability_best([same, better, same], SHIPPED)
    assert chances[1] > 0.95
    assert chances.sum() == pytest.approx(1)


def test_pairs_that_are_right_on_the_same_examples_are_told_apart_more_easily() -> None:
    one = evidence(*world(300, 0.8, 0))
    right = one.parts.copy()
    right[np.flatnonzero(right == 0)[:6]] = 1
    better = replace(one, parts=right, hits=float(right.mean()), confidence=one.confidence + 0.02)
    other = replace(better, parts=np.random.default_rng(0).permutation(right))
    assert probability_best([one, better], SHIPPED)[1] > probability_best([one, other], SHIPPED)[1] + 0.02


def test_a_source_that_left_a_race_early_is_compared_at_the_number_of_examples_of_the_others() -> None:
    features, labels = world(400, 1.0, 0)
    whole, early = evidence(features, labels), evidence(features[:100], labels[:100])
    chances = probability_best([whole, early], SHIPPED)
    assert 0.02 < chances[1] < 0.98
    assert belief(early, SHIPPED, 4.0).mean > belief(early, SHIPPED).mean


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_other_metrics_of_classes_are_forecast_in_their_own_unit(metric: str) -> None:
    features, labels = world(200, 1.0, 0)
    one = forecasts(evidence(features, labels, metric=metric), SHIPPED)[0]
    assert one.metric == metric
    assert one.value == pytest.approx(forecasts(evidence(features, labels), SHIPPED)[0].value, abs=0.05)


def test_amounts_are_forecast_by_their_left_out_r2() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((200, 5))
    labels = features @ np.arange(5.0) + 3 * rng.standard_normal(200)
    found = forecasts(evidence(features, labels, "regression"), SHIPPED)
    assert len(found) == 1
    assert found[0].low < found[0].value < found[0].high
    assert found[0].value == pytest.approx(30 / 39, abs=0.1)  # variances 0 + 1 + 4 + 9 + 16 of 39


def test_without_features_there_is_no_evidence() -> None:
    given = extraction("a", noise=0.5)
    bare = replace(given, features=None)
    inputs = Inputs(bare.labels, logits=bare.logits)
    assert evidence_of(inputs, bare, "classification", None, jackknife_groups(len(bare.labels), seed=0)) is None


def test_a_probe_that_ignores_its_features_gains_nothing_however_small_the_spread() -> None:
    spread = np.random.default_rng(0).standard_normal(400)
    assert not surely_gains(2e-16 + 5e-17 * spread)  # what is left of rounding: t is 80
    assert surely_gains(2e-4 + 1e-4 * spread)


def test_the_shipped_numbers_are_those_of_the_shipped_transfers() -> None:
    rows = read_recorded()
    found = fit(rows)
    assert found.head == pytest.approx(SHIPPED.head, rel=2e-3)
    assert found.error == pytest.approx(SHIPPED.error, rel=2e-2)
    assert found.growth == pytest.approx(SHIPPED.growth, rel=2e-3)
    assert (found.tuned, found.tuned_error) == (
        pytest.approx(SHIPPED.tuned, rel=2e-3),
        pytest.approx(SHIPPED.tuned_error, rel=2e-2),
    )
    assert (found.transfers, found.targets) == (SHIPPED.transfers, SHIPPED.targets)


def test_forecasts_hold_on_targets_left_out() -> None:
    judged = {(one.method, one.examples, one.times): one for one in judge(read_recorded())}
    for n in (50, 100, 200):
        assert 0.86 <= judged["head", n, 1].coverage <= 0.94
        assert judged["head", n, 1].error <= 1.3 * judged["head", n, 1].floor
    assert 0.84 <= judged["fine-tune", 200, 1].coverage <= 0.94
    assert "inside 90 %" in as_text(judged_view(list(judged.values())))


def test_rows_survive_their_file(tmp_path) -> None:
    rows = read_recorded()[:5]
    (tmp_path / "rows.csv").write_text(as_csv(rows))
    assert read_recorded(tmp_path / "rows.csv") == rows


def test_too_little_to_learn_from_is_refused(tmp_path) -> None:
    rows = read_recorded()
    with pytest.raises(InputError, match="10 are needed"):
        fit(rows[:3])
    with pytest.raises(InputError, match="3 targets are needed"):
        judge([row for row in rows if row.target == rows[0].target])
    (tmp_path / "rows.csv").write_text("target,source\na,b\n")
    with pytest.raises(InputError, match="cannot read recorded transfers"):
        read_recorded(tmp_path / "rows.csv")
