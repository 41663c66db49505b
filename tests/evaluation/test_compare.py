"""Gain, verdict, convergence and bounds."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from headstart.errors import InputError
from headstart.evaluation import bounds, convergence, evaluate, gain
from headstart.evaluation.gain import Gain, judge, possible_mean
from headstart.records import CurvePoint, Outcome, Predictions, Provenance
from headstart.runner import Event
from headstart.scores import leep
from headstart.train.head import fit_head


def predictions(right: np.ndarray, labels: np.ndarray) -> Predictions:
    said = np.where(right, labels, 1 - labels)
    return Predictions(tuple(f"{i}" for i in range(len(labels))), labels, np.eye(2)[said] * 0.8 + 0.1)


def draw(rng: np.random.Generator, n: int, seeds: int, gain: float) -> tuple[list[Predictions], list[Predictions]]:
    """Runs whose accuracies share the difficulty of the examples and scatter from seed to seed."""
    labels = np.arange(n) % 2
    hard = rng.uniform(size=n)
    runs: tuple[list[Predictions], list[Predictions]] = ([], [])
    for _ in range(seeds):
        for side, level in zip(runs, (0.7 + gain, 0.7), strict=True):
            bar = level + rng.normal() * 0.02
            side.append(predictions(hard + rng.normal(size=n) * 0.05 < bar, labels))
    return runs


def test_the_gain_is_the_mean_of_paired_differences() -> None:
    transfer, scratch = draw(np.random.default_rng(0), 200, 3, 0.1)
    found = gain(transfer, scratch, metric="accuracy")
    each = [
        (a.outputs.argmax(1) == a.labels).mean() - (b.outputs.argmax(1) == b.labels).mean()
        for a, b in zip(transfer, scratch, strict=True)
    ]
    assert found.value == pytest.approx(np.mean(each))
    assert found.transfer - found.scratch == pytest.approx(found.value)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("metric", "n", "right", "reach", "verdict"),
    [
        ("accuracy", 6, True, 0.393, "inconclusive"),  # 1 - 0.05 ** (1 / 6): 6 alike leave 39 % that differ possible
        ("accuracy", 4, False, 0.527, "positive"),
        ("balanced_accuracy", 6, True, 0.393, "inconclusive"),
        ("macro_f1", 6, True, 0.393, "inconclusive"),
        ("calibration_error", 6, True, 0.393, "inconclusive"),
        ("log_likelihood", 6, True, None, "inconclusive"),
        ("accuracy", 400, True, 0.0075, "neutral"),
    ],
)
def test_test_examples_that_do_not_tell_the_runs_apart_leave_a_share_open(
    metric: str, n: int, right: bool, reach: float | None, verdict: str
) -> None:
    labels = np.arange(n) % 2
    transfer, scratch = predictions(np.ones(n, bool), labels), predictions(np.full(n, right), labels)
    found = gain([transfer] * 2, [scratch] * 2, metric=metric)
    if reach is None:
        assert (found.low, found.high) == (None, None)
    else:
        assert (found.value - found.low, found.high - found.value) == (pytest.approx(reach, abs=5e-4),) * 2
    assert judge(found)[0] == verdict


def unequal(rng: np.random.Generator, rare: int, level: float, noise: float) -> list[Predictions]:
    """Two runs with recall 0.9 and `level` on the rare class 0; on the other they differ in a share of the examples."""
    labels = np.repeat([0, 1], [rare, 500 - rare])
    u = rng.uniform(size=500)
    other = np.where((labels == 1) & (rng.uniform(size=500) < noise), rng.uniform(size=500), u)
    return [predictions(u < 0.9, labels), predictions(other < np.where(labels == 0, level, 0.9), labels)]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_interval_holds_for_a_class_of_few_examples(metric: str, noise: float) -> None:
    rng = np.random.default_rng(7)
    worlds = [unequal(rng, 5, 0.8, noise) for _ in range(60)]
    found = [gain([one] * 2, [other] * 2, metric=metric) for one, other in worlds]
    assert sum(each.low <= (0.05 if metric == "balanced_accuracy" else 0.005) <= each.high for each in found) >= 56
    assert sum(judge(each)[0] in ("neutral", "negative") for each in found) <= 3


def test_what_classes_without_a_difference_leave_possible_is_the_largest_mean_so_likely() -> None:
    def likely(few: np.ndarray, more: np.ndarray) -> np.ndarray:
        """4 and 10 examples without a difference."""
        return (1 - few) ** 4 * (1 - more) ** 10 >= 0.05

    few, more = np.meshgrid(np.linspace(0, 1, 1001), np.linspace(0, 1, 1001))
    best = ((few + more) / 3)[likely(few, more)].max()
    sizes, silent = np.array([10, 30, 4]), np.array([True, False, True])
    assert possible_mean(sizes, silent, 0.95) == pytest.approx(best, abs=1e-3)
    assert possible_mean(np.full(5, 6), np.ones(5, bool), 0.95) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert possible_mean(sizes, np.zeros(3, bool), 0.95) == 0


def test_of_several_labels_the_rarest_leaves_most_open() -> None:
    labels = np.zeros((60, 3), dtype=int)
    labels[:30, 0] = labels[:4, 1] = 1  # the third occurs nowhere
    same = Predictions(tuple(map(str, range(60))), labels, labels * 0.8 + 0.1)
    found = gain([same] * 2, [same] * 2, metric="macro_f1", task="multi-label")
    assert found.high == pytest.approx((1 - 0.05 ** (1 / 4)) / 2)
    none = replace(same, labels=labels * 0)
    assert gain([none] * 2, [none] * 2, metric="macro_f1", task="multi-label").high == pytest.approx(
        1 - 0.05 ** (1 / 60)
    )


def test_a_metric_where_lower_is_better_gains_by_falling() -> None:
    labels = np.arange(40) % 2
    sure = predictions(np.ones(40, bool), labels)
    flat = Predictions(sure.ids, labels, np.eye(2)[labels] * 0.2 + 0.4)
    assert gain([sure], [flat], metric="calibration_error").value > 0


def test_other_test_examples_are_refused() -> None:
    transfer, scratch = draw(np.random.default_rng(0), 20, 1, 0.1)
    moved = [replace(scratch[0], ids=tuple(reversed(scratch[0].ids)))]
    with pytest.raises(InputError, match="tested on different examples"):
        gain(transfer, moved, metric="accuracy")


def test_verdicts_change_with_the_margin() -> None:
    def verdict(value: float, low: float | None, high: float | None, seeds: int = 3, **margin: float) -> list[str]:
        return list(judge(Gain(0.5 + value, 0.5, value, low, high, 0.95, seeds), **margin))

    assert verdict(0.005, 0.001, 0.009)[0] == "neutral"
    assert verdict(0.005, 0.001, 0.009, margin=0.001)[0] == "positive"
    assert "Negative transfer" in verdict(-0.2, -0.3, -0.1)[1]
    assert "add seeds" in verdict(0.2, -0.1, 0.5)[1]
    assert verdict(0.2, -0.1, 0.5)[1].startswith("The gain leans up, but")
    assert verdict(-0.2, -0.5, 0.1)[1].startswith("The gain leans down, but")
    for value in (0.0, -1e-17, 1e-17):
        assert verdict(value, -0.3, 0.3)[1].startswith("No gain shows, but")
    assert "too few test examples" in verdict(0.5, None, None)[1]
    assert "--seeds 3" in verdict(0.5, None, None, seeds=1)[1]


def curve(*values: float, seconds: float = 2.0) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(i + 1, (i + 1) * seconds, 0.1, 1.0, 1.0, v, 9) for i, v in enumerate(values))


def test_convergence_by_hand() -> None:
    found = convergence([curve(0.2, 0.8, 0.9), curve(0.4, 0.8, 0.9)], [curve(0.1, 0.5, 0.7, 0.6)])
    assert (found.reference, found.epochs, found.seconds) == (0.7, 2, 4.0)
    assert (found.scratch_epochs, found.scratch_seconds) == (3, 6.0)
    assert found.difference == pytest.approx((0.2, 0.3, 0.2))
    assert found.area == pytest.approx((0.3 + 0.8 + 0.9) / 3)
    assert convergence([curve(0.1)], [curve(0.1, 0.9)]).epochs is None


def test_a_curve_without_validation_has_no_convergence() -> None:
    blind = tuple(replace(point, valid_quality=None) for point in curve(0.5))
    with pytest.raises(InputError, match="no validation quality"):
        convergence([blind], [curve(0.5)])


@dataclass
class Run:
    outcome: Outcome
    predictions: Predictions | None


def run(method: str, seed: int, answers: Predictions | None, split: str = "a", **changes: object) -> Run:
    outcome = Outcome(
        method, "zoo/x", "t", "classification", seed, "accuracy", {}, 9, 3, 9, 10, 10, 3, 1, "", 1.0,
        curve(0.3, 0.6), (), ("a", "b"), split, Provenance("", 0, "", {}, ""),
    )  # fmt: skip
    return Run(replace(outcome, **changes), answers)


def test_evaluate_pairs_by_seed_and_speaks() -> None:
    transfer, scratch = draw(np.random.default_rng(3), 300, 3, 0.25)
    runs = [run("gradual", seed, answers) for seed, answers in enumerate(transfer)]
    runs += [run("scratch", seed, answers) for seed, answers in enumerate(scratch)]
    (found,) = evaluate(runs)
    assert (found.method, found.verdict, found.seeds) == ("gradual", "positive", (0, 1, 2))
    assert found.convergence.difference == (0.0, 0.0)
    assert evaluate(runs, margin=10)[0].verdict == "neutral"
    assert evaluate(runs, metric="log_likelihood")[0].metric == "log_likelihood"
    wide, narrow = evaluate(runs, level=0.99)[0], evaluate(runs, level=0.5)[0]
    assert wide.high - wide.low > narrow.high - narrow.low


def test_one_seed_is_said() -> None:
    transfer, scratch = draw(np.random.default_rng(4), 50, 1, 0.1)
    (found,) = evaluate([run("head", 0, transfer[0], curve=()), run("scratch", 0, scratch[0])])
    assert found.convergence is None
    assert (found.verdict, found.low, found.high) == ("inconclusive", None, None)
    assert found.advice.startswith("One seed shows a difference and proves nothing")
    assert "head: no verdict. accuracy" in str(found)
    assert "no speed of convergence" in found.notes[0]


def test_transfers_without_a_training_from_scratch_of_their_seed_are_named() -> None:
    transfer, scratch = draw(np.random.default_rng(4), 50, 4, 0.1)
    heads = [run("head", seed, answers) for seed, answers in enumerate(transfer)]
    (one,) = evaluate([*heads[:3], run("scratch", 0, scratch[0]), run("scratch", 1, scratch[1])])
    (more,) = evaluate([*reversed(heads), run("scratch", 0, scratch[0])])
    assert (one.seeds, one.notes) == ((0, 1), ("seed 2 left out: no training from scratch has it",))
    assert more.notes[0] == "seeds 1, 2, 3 left out: no training from scratch has them"


@pytest.mark.parametrize("n", [1, 6])
def test_a_gain_in_r2_on_values_that_are_all_alike_is_said_to_mean_nothing(n: int) -> None:
    labels, ids = np.full(n, 0.1), tuple(map(str, range(n)))
    runs = [
        run(method, 0, Predictions(ids, labels, np.full((n, 1), said)), task="regression", metric="r2")
        for method, said in (("head", 3.0), ("scratch", 500.0))
    ]
    (found,) = evaluate(runs)
    assert (found.transfer, found.scratch, found.gain, found.low) == (0, 0, 0, None)
    assert any("R2 is undefined" in note for note in found.notes)
    assert not any("R2" in note for note in evaluate(runs, metric="mae")[0].notes)


def test_runs_that_do_not_belong_together_are_refused() -> None:
    transfer, scratch = draw(np.random.default_rng(5), 20, 1, 0.1)
    head = run("head", 0, transfer[0])
    with pytest.raises(InputError, match="pairs need equal seeds"):
        evaluate([head, run("scratch", 1, scratch[0])])
    with pytest.raises(InputError, match="split the data differently"):
        evaluate([head, run("scratch", 0, scratch[0], split="b")])
    with pytest.raises(InputError, match="no test part"):
        evaluate([head, run("scratch", 0, None)])


@pytest.mark.parametrize(("method", "step"), [("head", "--scratch"), ("scratch", "add a transfer")])
def test_runs_with_nothing_to_compare_are_shown_with_the_next_step(method: str, step: str) -> None:
    transfer, _ = draw(np.random.default_rng(5), 20, 1, 0.1)
    found = evaluate(run(method, 0, transfer[0]))
    assert (len(found), found.outcomes[0].method) == (0, method)
    assert method in str(found)
    assert step in " ".join(str(found).split())


def test_a_transfer_is_paired_with_the_training_from_scratch_of_its_own_network() -> None:
    labels = np.arange(60) % 2
    answers = {share: predictions(np.arange(60) < share * 60, labels) for share in (0.5, 0.6, 0.9)}
    runs = [
        run("scratch", 0, answers[0.5], source="zoo/x"),
        run("head", 0, answers[0.9], source="zoo/x"),
        run("scratch", 0, answers[0.6], source="zoo/y"),
        run("head", 0, answers[0.9], source="zoo/y"),
        run("head", 0, answers[0.9], source="letters", adapted_from="zoo/y"),  # the same network
    ]
    for order in (runs, runs[::-1]):
        found = {comparison.source: comparison for comparison in evaluate(order)}
        scratch = {source: comparison.scratch for source, comparison in found.items()}
        assert scratch == pytest.approx({"zoo/x": 0.5, "zoo/y": 0.6, "letters": 0.6})
        assert all("another network" not in note for comparison in found.values() for note in comparison.notes)


def test_a_network_without_training_from_scratch_is_compared_with_the_only_one_there_is_and_that_is_said() -> None:
    transfer, scratch = draw(np.random.default_rng(5), 40, 1, 0.1)
    head, x = run("head", 0, transfer[0], source="zoo/z"), run("scratch", 0, scratch[0])
    (found,) = evaluate([head, x])
    assert found.notes[0] == "compared with another network: the runs train zoo/x from scratch, and not zoo/z"
    with pytest.raises(InputError, match=r"trainings from scratch of zoo/x and zoo/y, and none of zoo/z, .* add one"):
        evaluate([head, x, run("scratch", 0, scratch[0], source="zoo/y")])


def test_an_unknown_metric_is_an_error_that_names_those_there_are() -> None:
    transfer, scratch = draw(np.random.default_rng(5), 40, 1, 0.1)
    runs = [run("head", 0, transfer[0]), run("scratch", 0, scratch[0])]
    with pytest.raises(InputError, match=r"unknown metric 'acuracy' for classification. Did you mean `accuracy`\?"):
        evaluate(runs, metric="acuracy")
    with pytest.raises(InputError, match=r"Available: accuracy, balanced_accuracy, .*, pr_auc\."):
        evaluate(runs, metric="nope")


def test_two_runs_of_one_seed_are_refused() -> None:
    transfer, scratch = draw(np.random.default_rng(5), 40, 1, 0.1)
    head, none = run("head", 0, transfer[0]), run("scratch", 0, scratch[0])
    with pytest.raises(InputError, match="two runs of scratch with zoo/x and seed 0; leave one out"):
        evaluate([none, head, run("scratch", 0, transfer[0])])
    with pytest.raises(InputError, match="two runs of head with zoo/x and seed 0; leave one out"):
        evaluate([none, head, head])


def test_both_bounds_hold_on_a_real_head_and_the_first_can_fail() -> None:
    rng = np.random.default_rng(6)
    labels = np.arange(120) % 3
    logits = rng.normal(size=(120, 5)) + 2 * np.eye(5)[labels]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    head = fit_head(logits, labels).outputs(logits)
    head_probs = np.exp(head) / np.exp(head).sum(axis=1, keepdims=True)
    first, second = bounds(probs, labels, head_probs)
    assert first.holds
    assert second.holds
    assert first.low == second.high == leep(probs, labels)
    assert second.low <= second.high
    poor = bounds(probs, labels, np.full((120, 3), 1 / 3))[0]
    assert not poor.holds
    assert poor.note


def test_progress_counts_the_comparisons() -> None:
    transfer, scratch = draw(np.random.default_rng(5), 40, 1, 0.1)
    events: list[Event] = []
    evaluate([run("head", 0, transfer[0]), run("scratch", 0, scratch[0])], progress=events.append)
    assert [(event.what, event.done, event.total) for event in events] == [("comparisons", 0, 1), ("comparisons", 1, 1)]
