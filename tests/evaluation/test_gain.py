"""The interval of a gain, in closed form where the test examples tell nothing apart."""

import numpy as np
import pytest
from scipy import stats

from headstart.evaluation import gain
from headstart.records import Predictions


def answers(n: int, *, right: bool) -> Predictions:
    """Two classes in turn, all answered right or all wrong."""
    labels = np.arange(n) % 2
    return Predictions(tuple(map(str, range(n))), labels, np.eye(2)[labels if right else 1 - labels])


@pytest.mark.parametrize("differences", [(1, 0), (1, 0, 0), (1, 1, 0, 0, 0)])
def test_seeds_add_the_error_of_the_mean_of_their_differences(differences: tuple[int, ...]) -> None:
    n, k = 400, len(differences)
    found = gain(
        [answers(n, right=True) for _ in differences],
        [answers(n, right=not difference) for difference in differences],
        metric="accuracy",
    )
    mean = sum(differences) / k
    deviation = (sum((difference - mean) ** 2 for difference in differences) / (k - 1)) ** 0.5
    of_seeds = stats.t.ppf(0.975, k - 1) * deviation / k**0.5
    of_test = 1 - 0.05 ** (1 / n)  # no example tells more than another: the rule of three
    assert found.value == pytest.approx(mean)
    assert found.high - found.value == pytest.approx(np.hypot(of_seeds, of_test), rel=1e-9)


@pytest.mark.parametrize(("n", "has_interval"), [(2, False), (3, False), (4, True), (5, True)])
def test_an_interval_needs_four_test_examples(n: int, has_interval: bool) -> None:
    found = gain([answers(n, right=True)], [answers(n, right=False)], metric="accuracy")
    assert found.value == 1
    assert (found.low is not None, found.high is not None) == (has_interval, has_interval)
