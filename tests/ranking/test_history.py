"""Rankings and outcomes that are kept, and forecasts that learn from them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.ranking.toys import clear, dazzled, folder_of_classes

import headstart as hs
from headstart.errors import InputError
from headstart.ranking import calibrate
from headstart.ranking.calibration import read_recorded
from headstart.ranking.forecasts import Calibration
from headstart.ranking.history import recorded
from headstart.records import History, Outcome, Ranking


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ranking, Outcome]:
    """A history with one ranking of two models and a head on one of them, made by the real commands."""
    folder = tmp_path_factory.mktemp("kept")
    photos = folder_of_classes(folder / "photos", 60)
    place = folder / "history"
    ranking = hs.rank(photos, [clear(), dazzled()], cache=False, history=place)
    run = hs.transfer(photos, clear(), method="head", cache=False, history=place)
    return place, ranking, run.outcome


def test_nothing_is_kept_without_a_history(kept: tuple[Path, Ranking, Outcome]) -> None:
    place, ranking, outcome = kept
    assert [*History(place).read(Ranking)] == [ranking]
    assert [*History(place).read(Outcome)] == [outcome]
    History(place).keep(ranking)
    assert len(list(place.rglob("*.json"))) == 2  # the same record is kept once
    hs.rank(place.parent / "photos", [clear()], cache=False)
    assert len(list(place.parent.rglob("*.json"))) == 2


def test_an_outcome_is_joined_with_what_its_ranking_saw(kept: tuple[Path, Ranking, Outcome]) -> None:
    place, ranking, outcome = kept
    (row,) = recorded(History(place))
    seen = next(one.probe for one in ranking.rows if one.source == "clear")
    assert seen is not None
    assert (row.target, row.source, row.method) == ("photos", "clear", "head")
    assert (row.examples, row.hits, row.confidence) == (60, seen.hits, seen.confidence)
    assert (row.trained, row.accuracy) == (outcome.n_train + outcome.n_valid, outcome.metrics["accuracy"])


def test_too_small_a_history_says_what_is_missing(kept: tuple[Path, Ranking, Outcome], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 transfer .* 1 target; 3 targets are needed.*--history"):
        calibrate(kept[0])
    with pytest.raises(InputError, match=r"no history in .*nowhere"):
        calibrate(tmp_path / "nowhere")


def filled(place: Path, kept: tuple[Path, Ranking, Outcome], above: float) -> Path:
    """Heads to four targets, which reach by `above` more than a probe's hits in log-odds."""
    _, ranking, outcome = kept
    rng = np.random.default_rng(0)
    history = History(place)
    for number in range(4):
        rows = []
        for source in range(5):
            hits = float(rng.uniform(0.4, 0.8))
            probe = replace(ranking.rows[0].probe, examples=200, classes=5, hits=hits, confidence=hits, half=None)
            rows.append(replace(ranking.rows[0], source=f"s{source}", probe=probe))
            odds = hits / (1 - hits) * np.exp(above)
            found = {"accuracy": float(odds / (1 + odds))}
            history.keep(
                replace(outcome, source=f"s{source}", target=f"t{number}", n_train=170, n_valid=30, metrics=found)
            )
        history.keep(replace(ranking, target=replace(ranking.target, name=f"t{number}"), rows=tuple(rows)))
    return place


def test_calibration_learns_the_domain_and_forecasts_use_it(
    kept: tuple[Path, Ranking, Outcome], tmp_path: Path
) -> None:
    place = filled(tmp_path / "history", kept, above=1.0)
    found = calibrate(place)
    assert found.kept
    assert found.own[0].error < 0.7 * found.shipped[0].error
    assert found.shipped[0].outcomes == 20
    assert len(read_recorded(place / "recorded.csv")) == 20
    assert "each target is judged with all of its transfers left out" in str(found)
    photos = kept[0].parent / "photos"
    plain, taught = (hs.rank(photos, [dazzled()], cache=False, history=one) for one in (None, place))
    assert taught.rows[0].forecast.value > plain.rows[0].forecast.value + 0.02
    assert f"{Calibration().transfers + 20:,} recorded transfers to 28 targets" in taught.rows[0].forecast.basis


def test_a_history_that_does_not_help_is_not_used(kept: tuple[Path, Ranking, Outcome], tmp_path: Path) -> None:
    place = filled(tmp_path / "history", kept, above=1.0)
    assert calibrate(place).kept
    for number, path in enumerate(sorted((place / "outcomes").glob("*.json"))):
        outcome = Outcome.from_json(path.read_bytes())
        wild = 0.9 if int(outcome.target[1:]) % 2 else 0.1  # each target is unlike the others
        path.write_bytes(replace(outcome, seed=number, metrics={"accuracy": wild}).to_json().encode())
    assert not calibrate(place).kept
    assert not (place / "calibration.json").exists()
