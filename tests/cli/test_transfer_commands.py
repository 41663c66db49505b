"""The commands `transfer`, `predict`, `evaluate` and `export`, on a small source of the zoo and drawn images."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.transfers.tiny import images
from typer.testing import CliRunner, Result

from headstart.cli import app
from headstart.records import Outcome
from headstart.records.options import options_of
from headstart.transfers import METHODS

MODEL = "zoo/tiny_letters"


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for part, n, seed in (("train", 36, 0), ("test", 12, 1)):
        for i, (picture, label) in enumerate(zip(*images(n, seed=seed), strict=True)):
            place = root / part / label
            place.mkdir(parents=True, exist_ok=True)
            picture.save(place / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    words = ("transfer", data, "--model", MODEL, "--method", "head,lora", "--scratch", "--epochs", 1, "--no-cache")
    done = call(*words, "--seeds", 1, "--out", out, "--json", out / "all.json")
    assert done.exit_code == 0, done.output
    shown = (
        "head",
        "lora",
        "scratch",
        "gain",
        "[2/3] lora-seed0",
        "epoch 1/1: loss",
        f"Wrote {out / 'lora-seed0'}",
    )
    for expected in shown:
        assert expected in done.output
    return out


def test_the_plan_is_shown_as_a_table_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("transfer", data, "--model", MODEL, "--method", "gradual", "--epochs", 8, "--dry-run", "--no-cache")
    done = call(*words, "--out", out)
    assert done.exit_code == 0, done.output
    for title in ("block", "trainable", "rate", "parameters", "from epoch"):
        assert title in done.output
    rows = [line.split() for line in done.output.splitlines() if line.startswith(("stem", "blocks.", "head"))]
    assert [row[0] for row in rows] == ["stem", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "head"]
    assert [row[-1] for row in rows][-1] == "1"
    assert not out.exists()


def test_plans_of_several_methods_take_what_the_transfers_would(data: Path) -> None:
    words = ("transfer", data, "--model", MODEL, "--epochs", 8, "--dry-run", "--no-cache", "--method")
    done = call(*words, "head,lora", "--rank", 4)
    assert done.exit_code == 0, done.output
    assert done.output.count("trainable") == 2
    refused = call(*words, "head")
    assert refused.exit_code == 2
    assert "epochs` has no effect with method `head`" in refused.output
    assert call(*words, "head", "--via", data).exit_code == 0  # they are the first training's
    assert call(*words, "head", "--scratch").output.count("trainable") == 2
    assert "`--via-method` says how to adapt" in call(*words, "lora", "--via-method", "fine-tune").output


def test_the_help_names_every_method() -> None:
    words = " ".join(call("transfer", "--help").output.replace("│", " ").split())
    for name, made in METHODS.items():
        assert f"{name}: {made.__doc__.splitlines()[0]}" in words


def test_every_option_of_every_method_is_on_the_command_line_with_its_range() -> None:
    words = " ".join(call("transfer", "--help").output.replace("│", " ").split())
    for made in METHODS.values():
        assert all(f"{one.flag} " in words for one in options_of(made).values())
    assert "Options of adapters, dora, lora, qlora" in words
    assert "--bottleneck N Width of the adapters (at least 1; default 16)." in words


def test_everything_is_written_as_json(runs: Path) -> None:
    whole = json.loads((runs / "all.json").read_text())
    assert [outcome["method"] for outcome in whole["outcomes"]] == ["head", "lora", "scratch"]
    assert [comparison["method"] for comparison in whole["comparisons"]] == ["head", "lora"]
    outcome = Outcome.from_json((runs / "lora-seed0" / "outcome.json").read_bytes())
    assert (outcome.n_test, outcome.epochs) == (12, 1)


def test_predictions_as_csv_json_and_file(runs: Path, data: Path, tmp_path: Path) -> None:
    lora = runs / "lora-seed0"
    done = call("predict", lora, data / "test")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 12
    assert all(sum(float(v) for k, v in row.items() if k.startswith("p(")) == pytest.approx(1) for row in rows)
    as_json = json.loads(call("predict", lora, data / "test", "--json").stdout)
    assert [row["label"] for row in as_json] == [row["label"] for row in rows]
    place = tmp_path / "answers.csv"
    assert call("predict", lora, data / "test", "--out", place).exit_code == 0
    assert place.read_text() == done.stdout


def test_predictions_go_to_standard_output_by_name_and_no_work_is_done_for_a_file_that_cannot_be(
    runs: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lora = runs / "lora-seed0"
    assert call("predict", lora, data / "test", "--out", "-").stdout == call("predict", lora, data / "test").stdout
    refused = call("predict", lora, data / "nowhere", "--out", "answers.txt")
    assert (refused.exit_code, refused.stderr) == (2, "Error: answers.txt must end in .csv or .json.\n")
    refused = call("predict", lora, data / "nowhere", "--out", "answers.csv", "--json")
    assert (refused.exit_code, "ask for two forms" in refused.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("again", ["evaluate", "transfer"])
def test_json_on_standard_output_is_alone_there(
    runs: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (runs,) if again == "evaluate" else (data, "--model", MODEL, "--method", "head", "--no-cache")
    done = call(again, *words, "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["outcomes"][0]["method"] == "head"
    assert "test examples" in done.stderr  # the table for people
    assert not list(tmp_path.iterdir())


def test_saved_runs_are_compared_from_their_records(runs: Path) -> None:
    done = call("evaluate", runs, "--metric", "log_likelihood")
    assert done.exit_code == 0, done.output
    assert "log likelihood" in done.output  # in the sentence, the column being short
    alone = call("evaluate", runs / "head-seed0")
    assert alone.exit_code == 0
    assert "train from scratch too" in alone.output


def test_results_of_two_sources_are_shown_each_under_its_name(runs: Path, data: Path, tmp_path: Path) -> None:
    other = ("transfer", data, "--model", "zoo/tiny_digits", "--method", "head", "--no-cache", "--out", tmp_path / "d")
    assert call(*other).exit_code == 0
    done = call("evaluate", tmp_path / "d", runs / "head-seed0", runs / "scratch-seed0")
    assert done.exit_code == 0, done.output
    first, _, second = done.output.partition("zoo/tiny_letters on ")
    assert first.startswith("zoo/tiny_digits on ")
    for block, methods in ((first, ["head"]), (second, ["head", "scratch"])):
        lines = block.splitlines()
        assert [line.split()[0] for line in lines[3 : 3 + len(methods)]] == methods
        assert lines[4 + len(methods)].startswith("head: ")
    assert "another network: the runs train zoo/tiny_letters" in first
    assert "another network" not in second


def test_what_would_be_replaced_is_said_with_the_option_once(runs: Path, data: Path) -> None:
    done = call("transfer", data, "--model", MODEL, "--method", "head", "--no-cache", "--out", runs / "lora-seed0")
    assert done.exit_code == 2
    assert " ".join(done.output.split()).endswith("Choose another folder, or pass `--overwrite`.")


def test_exports(runs: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    done = call(
        "export", runs / "lora-seed0", "--onnx", tmp_path / "m.onnx", "--weights", "merged", "--out", tmp_path / "m"
    )
    assert done.exit_code == 0, done.output
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    (outputs,) = session.run(None, {"input": np.zeros((3, 3, 32, 32), dtype=np.float32)})
    assert outputs.shape == (3, 3)
    assert (tmp_path / "m" / "outcome.json").exists()


def test_an_export_replaces_another_run_only_where_that_is_asked_for_and_never_its_own(
    runs: Path, tmp_path: Path
) -> None:
    lora, victim = runs / "lora-seed0", tmp_path / "victim"
    shutil.copytree(runs / "head-seed0", victim)
    before = (victim / "outcome.json").read_bytes()
    words = ("export", lora, "--weights", "whole", "--out")
    refused = call(*words, victim)
    assert (refused.exit_code, (victim / "outcome.json").read_bytes()) == (2, before)
    assert "holds a run already. Choose another folder, or pass `--overwrite`." in refused.output
    own = (lora / "model.json").read_bytes()
    refused = call("export", lora, "--weights", "merged", "--out", lora, "--overwrite")
    assert (refused.exit_code, (lora / "model.json").read_bytes()) == (2, own)
    assert "is the run itself; name another folder" in refused.output
    refused = call("export", lora, "--weights", "foo", "--out", tmp_path / "new", "--onnx", tmp_path / "m.onnx")
    assert refused.exit_code == 2
    assert "`weights` must be one of whole, adapter, merged; got 'foo'" in refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim"]
    assert call(*words, victim, "--overwrite").exit_code == 0
    assert (victim / "outcome.json").read_bytes() == (lora / "outcome.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (lambda data: ("transfer", data, "--model", "best"), "`--model best` and `--from RUN` belong together"),
        (lambda data: ("transfer", data, "--model", MODEL, "--method", "gradul"), "Did you mean `gradual`"),
        (
            lambda data: ("transfer", data, "--model", MODEL, "--method", "head", "--rank", 4),
            "`rank` has no effect with method `head`",
        ),
        (lambda data: ("transfer", data, "--model", MODEL, "--cache", "x", "--no-cache"), "exclude each other"),
        (lambda data: ("transfer", data, "--model", MODEL, "--l2-sp", "inf"), "`--l2-sp` must be finite; got inf"),
        (lambda data: ("predict", data, data), "holds no finished transfer"),
        (lambda data: ("export", data), "say what to export"),
    ],
)
def test_what_does_not_fit_ends_in_one_sentence(data: Path, words: Callable[[Path], tuple], message: str) -> None:
    done = call(*words(data))
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output
