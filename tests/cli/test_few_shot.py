"""`headstart few-shot`, as typed."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from headstart.cli import app


@pytest.fixture
def features(tmp_path):
    labels = np.arange(120) % 6
    place = tmp_path / "features.npz"
    noise = 0.4 * np.random.default_rng(0).standard_normal((120, 6))
    np.savez(place, features=np.eye(6)[labels] + noise, labels=labels)
    return str(place)


def run(*words: str):
    return CliRunner().invoke(app, ["few-shot", *words], env={"COLUMNS": "120"})


def test_a_table_a_folder_and_json(features, tmp_path):
    done = run(features, "--ways", "3", "--shots", "1,5", "--episodes", "20", "--out", str(tmp_path / "o"))
    assert done.exit_code == 0, done.output
    assert "20 episodes of 3 classes" in done.output
    assert "few_shot.json" in done.output
    record = json.loads((tmp_path / "o" / "few_shot.json").read_text())
    assert record["shots"] == [1, 5]
    done = run(features, "--ways", "all", "--shots", "2", "--episodes", "20", "--json", "-", "--method", "ridge")
    assert json.loads(done.stdout)["ways"] == "all"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--ways", "many"), "`--ways` must be a whole number or all; got 'many'"),
        (("--shots", "1;5"), "`--shots` must be whole numbers with commas, as in 1,5,10; got '1;5'"),
        (("--shots", "40"), "of at least 41 examples"),
        (("--ways", "7"), "the data have 6 classes"),
    ],
)
def test_bad_words_are_told(features, words, told):
    done = run(features, *words)
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())
