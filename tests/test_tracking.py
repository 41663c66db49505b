"""Results in a tracker: trackio's local store, read back from its files."""

import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.records.test_shown import outcome

import headstart as hs
from headstart.errors import InputError, MissingExtra
from headstart.records import CurvePoint, Ranking
from headstart.tracking import library_of, track


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    labels = np.arange(60) % 3
    features = np.eye(3)[labels] + 0.5 * np.random.default_rng(0).standard_normal((60, 3))
    return hs.rank({"features": features, "labels": labels}, scores="knn")


def test_a_tracker_that_is_none_or_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"must be one of trackio, mlflow, wandb; got 'trackoi'.*trackio"):
        library_of("trackoi")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[wandb\]'"):
        library_of("wandb")


def test_trackio_keeps_a_ranking_as_a_table_and_a_curve_as_steps(
    ranking: Ranking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio", reason="trackio is not installed")
    track(ranking, "trackio")
    curve = tuple(CurvePoint(n, 1.0, 0.1, 2.0 / n, 1.0, 0.5, 10) for n in (1, 2))
    track([replace(outcome(), curve=curve)], "trackio")
    assert capsys.readouterr().out == ""
    with sqlite3.connect(tmp_path / "headstart.db") as store:
        found = store.execute("select run_name, step, metrics from metrics order by run_name, step").fetchall()
    runs = [(name, step, json.loads(metrics)) for name, step, metrics in found]
    assert [run[:2] for run in runs] == [*(("head zoo/x seed 0", n) for n in range(3)), ("rank arrays", 0)]
    assert [runs[n][2]["train_loss"] for n in (0, 1)] == [2.0, 1.0]
    assert runs[2][2] == {"test accuracy": 0.8125}
    (row,) = runs[3][2]["ranking"]["_value"]
    assert row["knn"] == ranking.rows[0].scores["knn"].value
