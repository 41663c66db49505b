"""Many features of single precision are multiplied in float32: the same score to six digits, or float64 after all."""

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels

from headstart import scores
from headstart.scores import _scatter


@pytest.mark.parametrize("centring", ["mean", "double"])
@pytest.mark.parametrize("shift", [0.0, 3.0, 100.0])
@pytest.mark.parametrize(("n", "d"), [(300, 40), (60, 200)])
def test_lfc(n: int, d: int, shift: float, centring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = features_and_labels(n, d)
    narrow = (features + shift).astype(np.float32)
    exact = scores.lfc(narrow.astype(np.float64), labels, centring=centring)
    assert scores.lfc(narrow, labels, centring=centring) == exact  # few
    monkeypatch.setattr(_scatter, "LARGE", 1000)
    rough = scores.lfc(narrow, labels, centring=centring)
    assert rough == pytest.approx(exact, rel=2e-6)
    assert shift > 0 or rough != exact  # the other way was gone
    assert shift < 100 or centring == "double" or rough == exact  # and was not


def test_lfc_of_the_largest_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = features_and_labels(300, 40)
    narrow = features.astype(np.float32)
    monkeypatch.setattr(_scatter, "LARGE", 1000)
    for factor in (2.0**120, 2.0**-120):
        assert scores.lfc(narrow * np.float32(factor), labels) == pytest.approx(scores.lfc(narrow, labels), rel=1e-6)
