"""The paper's bounds of LEEP, also where they fail."""

import numpy as np
import pytest

from headstart.evaluation.bounds import bounds

PROBS = np.array([[0.55, 0.45], [0.55, 0.45], [0.45, 0.55], [0.45, 0.55]])
LABELS = np.array([0, 0, 1, 1])


def test_a_bound_that_holds_has_no_note():
    blind = np.full((4, 2), 0.5)
    first, second = bounds(blind, LABELS, np.eye(2)[LABELS] * 0.98 + 0.01)
    assert first.holds
    assert second.holds
    assert (first.note, second.note) == ("", "")


def test_property_2_fails_where_dummy_labels_say_more_than_probabilities():
    """Dummy labels separate the classes, so NCE is 0 and its side is log 0.55; LEEP's table sees 0.55 against 0.45."""
    _, second = bounds(PROBS, LABELS, np.eye(2)[LABELS] * 0.98 + 0.01)
    assert second.low == pytest.approx(np.log(0.55))
    assert second.high == pytest.approx(np.log(0.55**2 + 0.45**2))
    assert not second.holds
    assert "dummy labels" in second.note
