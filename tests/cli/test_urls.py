"""Results written to fsspec URLs, and saved runs read from them."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Run

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    labels = np.arange(40) % 2
    features = labels[:, None] + np.random.default_rng(0).standard_normal((40, 3))
    np.savez(tmp_path / "a.npz", features=features, labels=labels)
    return tmp_path / "a.npz"


def test_a_ranking_goes_to_a_url_and_its_report_is_made_from_there(run: Run, arrays: Path, memory: Any) -> None:
    done = run("rank", arrays, "--out", "memory://box/runs", "--json", "memory://box/x.json")
    assert done.exit_code == 0, done.stderr
    assert memory.exists("/box/runs/ranking.json")
    assert b'"rows"' in memory.cat("/box/x.json")
    assert "to memory://box/runs" in done.stderr
    done = run("report", "memory://box/runs", "--out", arrays.with_suffix(".html").as_uri())
    assert done.exit_code == 0, done.stderr
    assert "<html" in arrays.with_suffix(".html").read_text()


def test_a_result_that_cannot_be_copied_stays_here(
    run: Run, arrays: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("403 for memory://me:key@box")

    monkeypatch.setattr(type(memory), "put_file", refused)
    monkeypatch.setattr(tempfile, "tempdir", str(arrays.parent))
    done = run("rank", arrays, "--out", "memory://me:key@box/runs")
    assert done.exit_code == 2, done.stderr
    assert "key" not in done.stderr
    place = Path(done.stderr.split("The result is in ")[1].split(";")[0])
    assert (place / "ranking.json").exists()
    assert (
        "Error: nosuch://box/x cannot be written: Protocol not known"
        in run("rank", arrays, "--out", "nosuch://box/x").stderr
    )
