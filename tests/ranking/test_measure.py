"""What LEEP sees, against a plain count."""

import numpy as np
import pytest
from tests.ranking.worlds import CLASSES, extraction

from headstart.ranking.measure import head_view


def test_the_view_is_the_table_that_plain_leep_counts() -> None:
    given = extraction("a", noise=0.5)
    probs = np.exp(given.logits) / np.exp(given.logits).sum(axis=1, keepdims=True)  # type: ignore[arg-type]
    joint = np.array([probs[given.labels == y].sum(axis=0) for y in range(3)])
    order = np.argsort(-joint.sum(axis=0))[:5]
    view = head_view(given.logits, given.labels, CLASSES, given.source_classes, most=5)  # type: ignore[arg-type]
    assert view.source_classes == tuple("abcdefgh"[z] for z in order)
    np.testing.assert_allclose(view.weights, joint.sum(axis=0)[order] / len(probs))
    np.testing.assert_allclose(view.conditional, (joint / joint.sum(axis=0))[:, order])
    np.testing.assert_allclose(np.sum(view.conditional, axis=0), 1.0)
    assert view.classes == CLASSES


def test_blocks_do_not_change_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    given = extraction("a", noise=0.5)
    whole = head_view(given.logits, given.labels, CLASSES)  # type: ignore[arg-type]
    monkeypatch.setattr("headstart.ranking.measure.BLOCK", 50)
    parts = head_view(given.logits, given.labels, CLASSES)  # type: ignore[arg-type]
    np.testing.assert_allclose(whole.conditional, parts.conditional)
    assert whole.source_classes == parts.source_classes


def test_source_classes_without_names_are_numbered_and_unused_ones_left_out() -> None:
    logits = np.array([[5.0, -1e4, 0.0], [5.0, -1e4, 0.0]])
    view = head_view(logits, np.array([0, 1]), ("a", "b"))
    assert view.source_classes == ("class 0", "class 2")


def test_a_target_class_without_examples_keeps_its_row() -> None:
    view = head_view(np.zeros((2, 2)), np.array([0, 2]), ("a", "b", "c"))
    assert view.conditional[1] == (0.0, 0.0)
