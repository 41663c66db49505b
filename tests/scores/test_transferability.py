"""The pooled score: its parts by their own functions, its intervals from theirs."""

import numpy as np
import pytest

from headstart.scores import evaluate, leep_gaussian, leep_pooled, logme, transferability


def world(n: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, 1, 2])[np.arange(n) % 4]
    features = np.hstack([np.eye(3)[labels] + 0.8 * rng.standard_normal((n, 3)), rng.standard_normal((n, 4))])
    return features, labels, features[:, :3] + 0.3 * rng.standard_normal((n, 3))


def test_it_is_the_weighted_mean_of_three_gains_over_a_guess() -> None:
    features, labels, logits = world()
    shares = np.array([0.25, 0.5, 0.25])
    entropy = -(shares * np.log(shares)).sum()
    blind = np.mean(-(1 + np.log(2 * np.pi * shares)) / 2)  # log density of a normal with mean 0 at its best variance
    head = leep_gaussian(logits, labels, logits=True) / entropy + 1
    both = leep_pooled(features, labels, logits=logits) / entropy + 1
    expected = (both + head + 1.4 * (logme(features, labels) - blind)) / 3.4
    assert transferability(features, labels, logits=logits) == pytest.approx(expected, abs=1e-12)
    alone = leep_pooled(features, labels) / entropy + 1
    expected = (2 * alone + 1.4 * (logme(features, labels) - blind)) / 3.4
    assert transferability(features, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("headless", [False, True])
def test_its_interval_follows_from_those_of_its_parts(headless: bool) -> None:
    features, labels, logits = world()
    given = {"labels": labels, "features": features, "logits": None if headless else logits}
    found, _ = evaluate(["transferability", "logme", "leep_pooled"], groups=np.arange(80) // 4, **given)
    one = found["transferability"]
    again, _ = evaluate(["transferability"], **{k: v if v is None else v[4:] for k, v in given.items()})
    assert one.deleted is not None
    assert one.deleted[0] == pytest.approx(again["transferability"].value, abs=0.01)
    assert one.deleted.mean() == pytest.approx(one.value, abs=0.01)
    assert one.deleted.std() > 1e-3


def test_a_source_that_says_nothing_is_near_zero() -> None:
    _, labels, logits = world(400)
    noise = np.random.default_rng(1).standard_normal((400, 5))
    assert abs(transferability(noise, labels)) < 0.05 < transferability(noise, labels, logits=logits)
