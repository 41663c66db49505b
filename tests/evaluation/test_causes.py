"""Causes of negative transfer: each is named where its evidence was planted, and only there."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.test_compare import Run, curve, predictions, run

from headstart.evaluation import evaluate
from headstart.evaluation.causes import surely_behind


def runs(method: str, share: float, **changes: object) -> list[Run]:
    labels = np.arange(400) % 2
    answers = predictions(np.arange(400) < share * 400, labels)
    return [run(method, seed, answers, metrics={"accuracy": share}, **changes) for seed in range(2)]


def said(*given: list[Run]) -> str:
    found = evaluate([one for group in given for one in group])
    return "\n".join(next(one for one in found if one.source == "zoo/x").notes)


def test_a_transfer_that_helps_needs_no_cause():
    assert "cause" not in said(runs("head", 0.9, facts={"skill": -0.1}), runs("scratch", 0.6))


@pytest.mark.parametrize(
    ("changes", "others", "cause"),
    [
        ({"facts": {"skill": -0.02}}, [], "conflicting task: .*skill -0.020 nats"),
        ({"trained": 1}, runs("fine-tune", 0.8, trained=10), "frozen too much: head trains 10.0% .* 0.500, fine-tune"),
        ({}, runs("head", 0.8, source="zoo/y", parameters=5), "too large a model: zoo/y has 50% .* 0.800, zoo/x 0.500"),
        ({"curve": curve(0.1, 0.1), "n_valid": 300}, [], "surely below that from scratch from epoch 1 on"),
    ],
)
def test_a_cause_is_named_with_its_evidence(changes: dict, others: list[Run], cause: str):
    import re

    scratch = [runs("scratch", 0.6), runs("scratch", 0.6, source="zoo/y")]
    plain, planted = (said(runs("head", 0.5, **each), *scratch, extra) for each, extra in (({}, []), (changes, others)))
    assert "possible cause" not in plain
    assert re.search(cause, planted)


def test_examples_learnt_by_heart_are_too_few_labels():
    points = curve(0.5, 0.5, 0.5)
    losses = zip(points, ((0.9, 1.0), (0.5, 0.8), (0.1, 1.3)), strict=True)
    worse = tuple(replace(point, train_loss=a, valid_loss=b) for point, (a, b) in losses)
    text = said(runs("head", 0.5, curve=worse), runs("scratch", 0.6))
    assert "too few labels for the method: on 9 examples the training loss fell from 0.500 to 0.100" in text
    better = tuple(replace(point, valid_loss=0.5) for point in worse)
    assert "too few labels" not in said(runs("head", 0.5, curve=better), runs("scratch", 0.6))


@pytest.mark.parametrize(("behind", "low", "high"), [(0.0, 0.0, 0.05), (0.15, 0.95, 1.0)])
def test_a_curve_is_behind_where_it_is_and_rarely_elsewhere(behind: float, low: float, high: float):
    """Ten epochs of two trainings on 300 shared validation examples, 200 times."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        hard = rng.uniform(size=300)
        arms = [
            [float((hard + 0.1 * rng.normal(size=300) < 0.5 + 0.03 * epoch - gap).mean()) for epoch in range(10)]
            for gap in (behind, 0.0)
        ]
        found += surely_behind([curve(*arms[0])], [curve(*arms[1])], 300) is not None
    assert low <= found / 200 <= high


def test_curves_without_validation_are_never_behind():
    blind = tuple(replace(point, valid_quality=None) for point in curve(0.5))
    assert surely_behind([blind], [curve(0.9)], 100) is None
    assert surely_behind([curve(0.1)], [curve(0.9)], 0) is None
