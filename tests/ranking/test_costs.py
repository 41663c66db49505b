"""What a head and fine-tuning take on this machine, as fields of a ranking."""

from pathlib import Path

import numpy as np
import pytest
from tests.ranking.toys import clear, dazzled, pixels

import headstart as hs
from headstart.errors import InputError
from headstart.transfers import costs


def test_costs_are_measured_once_and_grow_with_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"scores": "knn", "cache": tmp_path, "costs": True}
    ranking = hs.rank(pixels(60), [clear(), dazzled()], **given)
    head, tuned = ranking.rows[0].costs
    assert (head.method, head.examples, tuned.method, tuned.examples, tuned.epochs) == ("head", 60, "fine-tune", 60, 20)
    assert 0 < head.seconds < tuned.seconds
    weights = 4 * sum(one.numel() for one in clear().module.parameters())
    assert tuned.memory > 4 * weights  # and what a step keeps for its way back
    for shown in (str(ranking), ranking._repr_html_()):
        assert "fine-tune, memory" in shown
    assert ranking.to_rows()[0]["fine_tune_seconds"] == tuned.seconds
    monkeypatch.setattr(costs, "_measured", lambda *given: pytest.fail("measured again"))
    twice = hs.rank(pixels(120), [clear(), dazzled()], **given)
    assert twice.rows[0].costs[1].seconds == pytest.approx(2 * tuned.seconds)  # tuning grows as the training does
    assert hs.rank(pixels(60), [clear()], scores="knn", cache=tmp_path).rows[0].costs == ()


def test_a_cache_that_cannot_keep_the_measurement_costs_no_ranking(tmp_path: Path) -> None:
    (tmp_path / "costs").write_text("a file where a folder is due")
    ranking = hs.rank(pixels(60), [clear()], scores="knn", cache=tmp_path, costs=True)
    assert [one.method for one in ranking.rows[0].costs] == ["head", "fine-tune"]


def test_arrays_have_no_cost_of_training() -> None:
    labels = np.arange(60) % 3
    with pytest.raises(InputError, match=r"`costs` trains models.*leave it out"):
        hs.rank({"features": np.eye(3)[labels], "labels": labels}, scores="knn", costs=True)
