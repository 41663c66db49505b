"""Coverage in simulated worlds: of other classes, and of fresh examples of the same classes."""

import numpy as np
import pytest

from headstart.fewshot.classifiers import classify
from headstart.fewshot.episodes import draw, right
from headstart.fewshot.intervals import estimate
from headstart.stats import Estimate


def measured(features, labels, *, ways, shots, episodes, seed):
    names = [str(code) for code in range(labels.max() + 1)]
    drawn = draw(labels, ways=ways, shots=shots, queries=10, episodes=episodes, names=names, seed=seed)
    found = np.empty(drawn.query.shape, dtype=int)
    for block, _, _, predicted in classify(features, drawn, (shots,), ("prototypes",)):
        found[block] = right(predicted, drawn.query[block])
    return found, drawn


def naive(found, drawn) -> Estimate:
    """1.96 standard errors of the mean over episodes, as papers report: far too narrow, because classes are shared."""
    whole = (found.sum(axis=2) / (drawn.query >= 0).sum(axis=2)).mean(axis=1)
    value, error = whole.mean(), whole.std(ddof=1) / np.sqrt(len(whole))
    return Estimate(value, error, value - 1.96 * error, value + 1.96 * error, len(whole) - 1)


def classes(rng, count):
    """Class means that lie near to or far from the others, and classes of different spread."""
    return rng.normal(size=(count, 5)) * rng.uniform(0.3, 1.3, size=(count, 1)), rng.uniform(0.4, 1.0, size=(count, 1))


def examples(rng, means, spread, each):
    labels = np.repeat(np.arange(len(means)), each)
    return means[labels] + rng.normal(size=(len(labels), 5)) * spread[labels], labels


def covered(draws: int, world, **how) -> tuple[float, float]:
    """Share of draws whose interval holds the mean over draws: ours, and the one of papers."""
    estimates = []
    for number in range(draws):
        found, drawn = measured(*world(np.random.default_rng(number)), **how, seed=number)
        estimates.append((estimate(found, drawn, how["shots"]), naive(found, drawn)))
    truth = np.mean([ours.value for ours, _ in estimates])
    return tuple(float(np.mean([one[i].low <= truth <= one[i].high for one in estimates])) for i in (0, 1))


def test_intervals_cover_the_accuracy_on_other_classes_and_the_usual_ones_do_not():
    ours, usual = covered(150, lambda rng: examples(rng, *classes(rng, 15), 20), ways=5, shots=3, episodes=80)
    assert 0.92 <= ours <= 0.98
    assert usual < 0.5


def test_intervals_cover_the_accuracy_on_fresh_examples_of_the_same_classes():
    fixed = classes(np.random.default_rng(5), 6)
    ours, usual = covered(150, lambda rng: examples(rng, *fixed, 25), ways=None, shots=5, episodes=50)
    assert 0.92 <= ours <= 0.99
    assert usual < 0.7


def test_no_accuracy_lies_outside_its_interval_nor_an_interval_outside_0_and_1():
    found, drawn = measured(*examples(np.random.default_rng(0), 50 * np.eye(4, 5), np.ones((4, 1)), 8),
                            ways=2, shots=2, episodes=20, seed=0)  # fmt: skip
    sure = estimate(found, drawn, 2)
    assert (sure.low, sure.value, sure.high) == (1.0, 1.0, 1.0)
    found[:3] = 0
    some = estimate(found, drawn, 2)
    assert 0 <= some.low < some.value < some.high <= 1


def test_a_difference_of_two_sources_is_surer_than_each():
    rng = np.random.default_rng(1)
    features, labels = examples(rng, *classes(rng, 12), 20)
    one, drawn = measured(features, labels, ways=5, shots=3, episodes=100, seed=0)
    two, _ = measured(features + 0.1 * rng.normal(size=features.shape), labels, ways=5, shots=3, episodes=100, seed=0)
    apart = estimate(one - two, drawn, 3, share=False)
    assert apart.value == pytest.approx(estimate(one, drawn, 3).value - estimate(two, drawn, 3).value)
    assert apart.standard_error < 0.5 * estimate(one, drawn, 3).standard_error
