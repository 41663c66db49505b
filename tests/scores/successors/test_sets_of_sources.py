"""Scores of several sources together, and scores whose parts are scaled over a set of sources."""

import numpy as np
import pytest
from tests.reference.successors.on_probs import predictions
from tests.scores.worlds import features_and_labels, probs_and_labels

from headstart import scores
from headstart.errors import InputError


def members() -> tuple[list[np.ndarray], np.ndarray]:
    probs, labels = probs_and_labels(z=7)
    other, _ = probs_and_labels(z=4, seed=9)
    return [probs, other], labels


def test_ms_leep_is_the_mean_of_leeps_and_e_leep_the_log_of_the_mean_prediction():
    both, labels = members()
    expected = np.stack([predictions(probs, labels) for probs in both])
    assert scores.ms_leep(both, labels) == pytest.approx(np.log(expected).mean(), rel=1e-10)
    assert scores.e_leep(both, labels) == pytest.approx(np.log(expected.mean(axis=0)).mean(), rel=1e-10)
    assert scores.e_leep(both, labels) >= scores.ms_leep(both, labels)


def test_an_ensemble_of_one_and_of_copies_is_the_source():
    (probs, _), labels = members()
    for copies in (1, 3):
        assert scores.ms_leep([probs] * copies, labels) == pytest.approx(scores.leep(probs, labels), rel=1e-12)
        assert scores.e_leep([probs] * copies, labels) == pytest.approx(scores.leep(probs, labels), rel=1e-12)


def test_an_ensemble_needs_a_sequence_of_members(unchecked):
    (probs, _), labels = members()
    with pytest.raises(InputError, match="at least one source"):
        scores.e_leep([], labels)
    with pytest.raises(InputError, match="For a single source call `leep`"):
        scores.ms_leep(probs, labels)


def test_etran_and_ncti_of_a_set_scale_every_part_to_one():
    assert scores.etran_among([1.0, 3.0, 2.0], [5.0, 5.0, 5.0]) == pytest.approx([0.0, 1.0, 0.5])
    parts = [scores.ncti_parts(*features_and_labels(seed=seed)) for seed in range(3)]
    total = scores.ncti_among(parts)
    columns = np.array([[p.geometry, p.nearest, -p.variability] for p in parts])
    scaled = (columns - columns.min(axis=0)) / np.ptp(columns, axis=0)
    assert total == pytest.approx(scaled.sum(axis=1) - 1)  # minus a scaled part is the scaled minus part less one
    assert scores.ncti(*features_and_labels()) == pytest.approx(parts[0].total)


def test_sets_of_terms_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"lengths \[2, 1\]"):
        scores.etran_among([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="must be finite"):
        scores.etran_among([1.0, np.nan])
    with pytest.raises(InputError, match="`parts` is empty"):
        scores.ncti_among([])


def test_energy_of_the_lowest_share_keeps_at_least_one_example():
    logits = np.array([[0.0, 0.0], [3.0, 3.0], [1.0, 1.0]])
    levels = np.log(2) + np.array([0.0, 3.0, 1.0])
    assert scores.etran_energy(logits) == pytest.approx(levels.mean())
    assert scores.etran_energy(logits, lowest=0.005) == pytest.approx(levels.min())
    assert scores.etran_energy(logits, lowest=0.5) == pytest.approx(levels[[0, 2]].mean())
    with pytest.raises(InputError, match="`lowest` must be a share"):
        scores.etran_energy(logits, lowest=0.0)


def test_energy_cannot_be_had_from_probabilities():
    probs, labels = probs_and_labels()
    done, reasons = scores.evaluate(["etran_energy"], labels=labels, probs=probs)
    assert not done
    assert "no logits" in reasons["etran_energy"]
    with np.errstate(divide="ignore"):
        logits = np.log(np.where(probs < probs.max(axis=1, keepdims=True), 0.0, 1.0))
    for logs in (np.log(probs), np.log(probs.astype(np.float16)), logits):
        done, reasons = scores.evaluate(["etran_energy"], labels=labels, logits=logs)
        assert not done
        assert "this score measures is lost" in reasons["etran_energy"]
        with pytest.raises(InputError, match="logarithms of probabilities"):
            scores.etran_energy(logs)
