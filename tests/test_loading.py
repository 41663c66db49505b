"""`load` says what it read, and what is wrong with what it cannot read."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.test_compare import draw, run
from tests.records.test_ranking_text import ranking, row

import headstart as hs
from headstart.errors import InputError
from headstart.records import Evaluation, Outcome, Ranking


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder of a saved ranking."""
    ranking(row("zoo/a", 1)).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["", "ranking.json"])
def test_a_ranking_is_read_from_its_folder_or_file(saved: Path, name: str) -> None:
    found = hs.load(saved / name)
    assert isinstance(found, Ranking)
    assert found.best == "zoo/a"


def test_outcomes_are_read_from_their_files(tmp_path: Path) -> None:
    outcome = run("head", 3, None).outcome
    (tmp_path / "outcome.json").write_text(outcome.to_json())
    (tmp_path / "all.json").write_text(Evaluation((outcome, outcome), ()).to_json())
    alone = hs.load(tmp_path / "outcome.json")
    assert isinstance(alone, Outcome)
    assert alone == outcome
    both = hs.load(str(tmp_path / "all.json"))
    assert isinstance(both, Evaluation)
    assert both.outcomes == (outcome, outcome)


def test_a_wrong_field_is_named_with_its_file(saved: Path) -> None:
    path = saved / "ranking.json"
    record = json.loads(path.read_text())
    record["tied"] = "two"
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"ranking\.json.*`int`.*`tied`"):
        hs.load(saved)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not a JSON file"),
        ("[1]", "no record of headstart"),
        ("{}", "no record"),
        ("[" * 100_000, "not a JSON file"),
    ],
)
def test_what_headstart_did_not_write_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=said):
        hs.load(tmp_path / "x.json")


def test_an_empty_folder_a_missing_path_and_a_wrong_type_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no record \(.*outcome\.json.*ranking\.json"):
        hs.load(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        hs.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"`path`.*got int"):
        hs.load(3)  # type: ignore[arg-type]


def test_evaluate_takes_one_run_several_or_folders(tmp_path: Path) -> None:
    (transfer,), (scratch,) = draw(np.random.default_rng(0), 40, 1, 0.2)
    runs = [run("head", 0, transfer), run("scratch", 0, scratch)]
    assert hs.evaluate(runs)[0].method == "head"
    alone = hs.evaluate(runs[0])
    assert len(alone) == 0
    assert all(word in " ".join(str(alone).split()) for word in ("head", "train from scratch too", "--scratch"))
    with pytest.raises(InputError, match="holds no finished transfer"):
        hs.evaluate(tmp_path)
    with pytest.raises(InputError, match=r"`runs` must hold runs or folders.*got int"):
        hs.evaluate([3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="`runs` is empty"):
        hs.evaluate([])
