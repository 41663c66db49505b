"""`headstart scores`, `models`, `report`, `--version`, `--help`, and `python -m headstart`."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run
from tests.evaluation.test_compare import draw
from tests.evaluation.test_compare import run as stored
from tests.ranking.test_arrays import saved

import headstart as hs
from headstart.cli._commands import spread
from headstart.scores import SCORES


def test_every_score_is_listed_with_its_meaning_and_the_defaults_marked(run: Run) -> None:
    result = run("scores")
    assert result.exit_code == 0
    for score in SCORES.values():
        assert score.name + ("* " if score.default else "  ") in result.stdout


@pytest.mark.parametrize("name", SCORES)
def test_one_score_is_told_in_full(run: Run, name: str) -> None:
    shown = "".join(run("scores", name).stdout.split())  # long words are broken over lines
    score = SCORES[name]
    for said in (score.title, score.meaning, score.citation, score.cost):
        assert "".join(said.split()) in shown


def test_an_unknown_score_is_refused_with_the_nearest(run: Run) -> None:
    result = run("scores", "logmee")
    assert result.exit_code == 2
    assert "logme" in result.stderr


def test_models_lists_the_zoo_and_says_what_else_there_is(run: Run) -> None:
    result = run("models")
    assert result.exit_code == 0
    assert "zoo/efficientnet_lite0" in result.stdout
    for prefix in ("timm/NAME", "torchvision/NAME", "hf/ID", "st/ID", "local-dir:PATH"):
        assert prefix in result.stdout


def test_models_lists_what_fits_a_glob(run: Run) -> None:
    result = run("models", "timm/resnet18*")
    names = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("timm/")]
    assert names
    assert all(name.startswith("timm/resnet18") for name in names)


def test_names_of_models_are_never_cut(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k " in run("models", "timm/vit_tiny*").stdout


def test_a_glob_that_fits_nothing_is_refused(run: Run) -> None:
    result = run("models", "zoo/nothing*")
    assert result.exit_code == 2
    assert "no model fits" in result.stderr


def test_report_is_made_again_from_the_records(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run("rank", *saved(tmp_path / "scans", a=0.5), "--scores", "leep", "--out", out, "--report", out / "report.html")
    first = (out / "report.html").read_text()
    (out / "report.html").unlink()
    result = run("report", out)
    assert result.exit_code == 0
    assert (out / "report.html").read_text() == first
    elsewhere = run("report", out / "ranking.json", "--out", tmp_path / "page.html")
    assert f"Wrote {tmp_path / 'page.html'}" in elsewhere.stdout
    assert (tmp_path / "page.html").read_text() == first


def test_the_page_of_transfers_is_made_again_from_a_run_a_folder_of_runs_or_a_file(run: Run, tmp_path: Path) -> None:
    (transfer,), (scratch,) = draw(np.random.default_rng(0), 40, 1, 0.2)
    for name, seed, answers in (("head", 0, transfer), ("scratch", 0, scratch)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "outcome.json").write_text(stored(name, seed, answers).outcome.to_json())
    (tmp_path / "all.json").write_text(
        hs.evaluate([stored("head", 0, transfer), stored("scratch", 0, scratch)]).to_json()
    )
    for place, said in (("runs", "has no test part"), ("runs/head", "train from scratch too"), ("all.json", "gain")):
        result = run("report", tmp_path / place, "--out", tmp_path / "page.html")
        assert result.exit_code == 0, result.output
        page = (tmp_path / "page.html").read_text()
        assert "Transfers to" in page
        assert said in page


def test_report_of_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("report", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path} holds no record (" in result.stderr


def test_making_a_report_loads_no_torch(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run("rank", *saved(tmp_path / "scans", a=0.5), "--scores", "leep", "--out", out)
    code = (
        "import sys\nfrom headstart.cli import app\n"
        f"app(['report', {str(out)!r}], standalone_mode=False)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").stdout == f"headstart {hs.__version__}\n"


def test_python_m_headstart_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "headstart", "--version"], capture_output=True, text=True, timeout=120)
    assert done.stdout == f"headstart {hs.__version__}\n"


def test_help_tells_the_exit_codes(run: Run) -> None:
    shown = " ".join(run("rank", "--help").stdout.split())
    for said in ("0 ranked", "1 nothing could be ranked", "2 bad input", "3 ranked, but some", "130 stopped"):
        assert said in shown


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["x", "--models", "a", "b", "c"], ["x", "--models", "a", "--models", "b", "--models", "c"]),
        (["x", "-m", "a", "b"], ["x", "-m", "a", "-m", "b"]),
        (["x", "--models", "a", "--models", "b"], ["x", "--models", "a", "--models", "b"]),
        (["x", "--models=a", "b", "--seed", "1"], ["x", "--models=a", "--models", "b", "--seed", "1"]),
        (["x", "--models", "a", "--json", "-"], ["x", "--models", "a", "--json", "-"]),
        (["x", "--models"], ["x", "--models"]),
        (["x", "y", "--seed", "1"], ["x", "y", "--seed", "1"]),
    ],
)
def test_models_take_every_word_up_to_the_next_option(args: list[str], expected: list[str]) -> None:
    assert spread(args)[0] == expected


@pytest.mark.parametrize("words", [("scores", "--verbose"), ("--verbose", "scores")])
def test_verbose_lets_the_logger_speak_wherever_it_stands(run: Run, words: tuple[str, ...]) -> None:
    logger = logging.getLogger("headstart")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        assert run("scores").exit_code == 0
        assert not logger.isEnabledFor(logging.INFO)
        assert run(*words).exit_code == 0
        assert logger.isEnabledFor(logging.INFO)
    finally:
        logger.setLevel(before)
