"""`headstart adapt` on features in files."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from headstart.cli import app

CLI = CliRunner()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    points = rng.standard_normal((90, 2)) + 3 * labels[:, None]
    np.savez(tmp_path / "old.npz", features=points, labels=labels)
    np.savez(tmp_path / "new.npz", features=points * [2, 1] + 1, labels=labels)
    return [str(tmp_path / "old.npz"), str(tmp_path / "new.npz")]


def test_it_prints_what_was_gained_and_writes_where_it_is_told(files: list[str], tmp_path: Path) -> None:
    out = ["--method", "coral", "--test", files[1], "--out", str(tmp_path / "da"), "--no-cache", "--json", "-"]
    done = CLI.invoke(app, ["adapt", *files, *out])
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert [row["method"] for row in record["rows"]] == ["none", "coral"]
    assert "gain over none" in " ".join(done.stderr.split())
    assert "labels of new are ignored" in " ".join(done.stderr.split())
    assert (tmp_path / "da" / "adaptation.json").exists()
    answers = CLI.invoke(app, ["predict", str(tmp_path / "da"), files[1]])
    assert answers.exit_code == 0, answers.stderr
    assert answers.stdout.startswith("id,label,p(0),p(1)")


def test_it_ranks_labelled_domains_as_starts(files: list[str], tmp_path: Path) -> None:
    words = [*files, "--sources", files[1], files[0], "--method", "none", "--no-cache", "--csv", "-"]
    done = CLI.invoke(app, ["adapt", *words])
    assert done.exit_code == 0, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["source", "old", "new", "old 3"]


def test_a_mistake_names_the_option_as_it_was_typed(files: list[str]) -> None:
    done = CLI.invoke(app, ["adapt", *files, "--select", "oracle"])
    assert done.exit_code == 2
    assert "must be one of source-risk" in " ".join(done.stderr.split())
