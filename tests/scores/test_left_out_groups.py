"""Scores without a group of examples: taken out of sums, they are what the other examples alone score."""

import numpy as np
import pytest
from tests.scores.worlds import features_and_labels

from headstart.scores import SCORES, evaluate
from headstart.scores.catalogue import parc as parc_file
from headstart.scores.catalogue.pactran_gaussian import _widened


@pytest.mark.parametrize("size", [(60, 6), (60, 20), (40, 60)])
def test_the_values_are_those_of_scoring_again(size: tuple[int, int]) -> None:
    features, labels = features_and_labels(*size)
    groups = np.arange(size[0]) % 4
    done, _ = evaluate(["etran_discriminant", "transrate"], labels=labels, groups=groups, features=features)
    kept = groups != 1
    for name, one in done.items():
        assert one.deleted[1] == pytest.approx(SCORES[name].function(features[kept], labels[kept]), abs=1e-9), name


def test_coarse_steps_of_distance_change_what_a_group_is_worth_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = features_and_labels(200, 6)
    given = {"labels": labels, "groups": np.arange(200) % 5, "features": features}
    coarse = evaluate(["parc"], **given)[0]["parc"]
    monkeypatch.setattr(parc_file, "COARSE", parc_file.LEVELS)
    fine = evaluate(["parc"], **given)[0]["parc"]
    assert fine.value == coarse.value
    assert coarse.deleted == pytest.approx(fine.deleted, abs=0.02 * fine.deleted.std())


def test_what_a_search_missed_widens_the_interval() -> None:
    deleted = np.array([1.0, 2.0, 3.0, 4.0])
    variance = 3 / 4 * 5.0
    wide = _widened(deleted, 2.0)
    assert wide.mean() == pytest.approx(2.5)
    assert 3 / 4 * ((wide - 2.5) ** 2).sum() == pytest.approx(variance + 4.0)
    assert (_widened(np.ones(4), 2.0) == 1).all()
