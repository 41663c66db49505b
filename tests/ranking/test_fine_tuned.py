"""`search="fine-tune"`: real trainings that stop and go on, halved; their results order the rows."""

from pathlib import Path

import numpy as np
import pytest
from tests.ranking.toys import Broken, Eye, clear, dazzled, folder_of_classes, source

import headstart as hs
from headstart.data import open_target
from headstart.ranking.fine_tuned import reordered
from headstart.records import FineTuned
from headstart.runner.progress import Stopped, silent
from headstart.sources import candidates
from headstart.transfers.search import RUNGS, race


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_classes(tmp_path_factory.mktemp("photos"), 30)


def test_the_rows_are_ordered_by_real_fine_tunings(photos: Path, tmp_path: Path) -> None:
    models = [dazzled(), clear(), source(Broken(), "broken")]
    ranking = hs.rank(photos, models, search="fine-tune", cache=False, out=tmp_path / "run", progress=False)
    assert ranking.goal == "fine-tune"
    assert [one.source for one in ranking.failures] == ["broken"]
    trained = ranking.fine_tuned
    assert {one.source for one in trained} == {"clear", "dazzled"}
    assert sorted(one.epochs for one in trained) == [2, 2, 5, 20]  # 4, 2, 1, 1 trainings reach each rung
    assert list(trained) == sorted(trained, key=lambda one: one.standing, reverse=True)
    assert ranking.best == trained[0].source
    assert [row.rank for row in ranking.rows] == [1, 2]
    assert "Fine-tuned, judged on 8 images set aside" in str(ranking)
    assert hs.Ranking.load(tmp_path / "run") == ranking


def test_a_race_that_was_stopped_goes_on_exactly(photos: Path, tmp_path: Path) -> None:
    target, models = open_target(str(photos)), candidates([clear()])
    whole, _ = race(target, models, tmp_path / "whole", stop=silent, tell=silent)
    seen = 0

    def stop(event: object) -> None:
        nonlocal seen
        seen += 1
        if seen > 7:  # in the middle of some epoch
            raise Stopped

    halted, _ = race(target, models, tmp_path / "halted", stop=stop, tell=silent)
    assert max(one.epochs for one in halted) < RUNGS[-1]
    again, _ = race(target, models, tmp_path / "halted", stop=silent, tell=silent)
    assert [(one.ratio, one.epochs, one.quality, one.loss) for one in again] == [
        (one.ratio, one.epochs, one.quality, one.loss) for one in whole
    ]


def test_the_likeliest_is_trained_to_the_end_even_if_it_falls_behind(photos: Path, tmp_path: Path) -> None:
    target, models = open_target(str(photos)), candidates([dazzled(), clear()])
    trained, _ = race(target, models, tmp_path, stop=silent, tell=silent)
    assert {one.source for one in trained if one.epochs == RUNGS[-1]} == {"dazzled", "clear"}
    assert trained[0].source == "clear"


def test_arrays_cannot_be_fine_tuned() -> None:
    arrays = {"features": np.eye(4), "labels": np.arange(4) % 2}
    with pytest.raises(hs.errors.InputError, match="target holds arrays"):
        hs.rank(arrays, search="fine-tune")


def test_ties_and_places_after_a_race(photos: Path) -> None:
    ranking = hs.rank(
        photos, [clear(), dazzled(), source(Eye(blur=0.5, seed=3), "third")], cache=False, goal="fine-tune"
    )
    first, second, third = (row.source for row in ranking.rows)
    trained = [FineTuned(third, 1.0, 20, 0.9, 0.3, 100, 1.0), FineTuned(first, 1.0, 20, 0.85, 0.3, 100, 1.0)]
    found = reordered(ranking, trained, {})
    assert [row.source for row in found.rows] == [first, third, second]  # a tie keeps the order before the race
    assert found.tied == 2  # 0.05 is within two errors of 0.9 on 100 examples
    clearly = reordered(ranking, [trained[0], FineTuned(first, 1.0, 20, 0.7, 1.0, 100, 1.0)], {})
    assert (clearly.tied, clearly.best) == (1, third)
    assert [row.rank_low for row in found.rows] == [1, 1, 2]
