"""Each kind of bad input ends in one plain sentence, with its exit code, without a traceback, with nothing written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run
from tests.ranking.test_arrays import arrays, saved
from tests.ranking.toys import folder_of_classes, pixels, png

TINY = "zoo/tiny_digits"


def refused(run: Run, tmp_path: Path, *args: object, code: int = 2) -> str:
    """The one sentence with which a command that must fail does so."""
    before = sorted(tmp_path.rglob("*"))
    result = run("rank", *args, "--out", tmp_path / "run", "--report", tmp_path / "run" / "report.html")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()
    assert sorted(path for path in tmp_path.rglob("*") if "cache" not in path.parts) == before
    sentences = [line for line in result.stderr.splitlines() if not line.startswith("[1/")]
    assert len(sentences) == 1, result.stderr
    assert sentences[0].startswith("Error: ")
    return sentences[0]


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert "photos" in refused(run, tmp_path, tmp_path / "photos", "--models", TINY)


def test_one_class_only(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 9)
    for name in ("red", "blue"):
        for path in (photos / name).iterdir():
            path.unlink()
        (photos / name).rmdir()
    assert "class" in refused(run, tmp_path, photos, "--models", TINY)


def test_a_class_with_one_example_is_ranked_and_noted(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    for path in sorted((photos / "red").iterdir())[1:]:
        path.unlink()
    result = run("rank", photos, "--models", TINY, "--scores", "leep_calibrated,leep")
    assert result.exit_code == 0, result.stderr
    assert "single example" in result.stdout


def test_files_that_are_no_images(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "notes.txt").write_text("hello")
    assert "no image" in refused(run, tmp_path, tmp_path / "photos", "--models", TINY)


def test_truncated_images_above_the_share_allowed(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    for path in sorted((photos / "red").iterdir())[:4]:
        path.write_bytes(path.read_bytes()[:50])
    sentence = refused(run, tmp_path, photos, "--models", TINY, "--no-cache")
    assert "max-bad" in sentence or "max_bad" in sentence
    assert run("rank", photos, "--models", TINY, "--scores", "leep", "--max-bad", "0.5").exit_code == 0


def test_a_decompression_bomb(run: Run, tmp_path: Path) -> None:
    from PIL import Image

    photos = folder_of_classes(tmp_path / "photos", 9)
    Image.new("1", (20_000, 20_000)).save(photos / "red" / "bomb.png")
    refused(run, tmp_path, photos, "--models", TINY, "--max-bad", "0", "--no-cache")


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("text,label\ngood,1\nbad,0\n", ("--label-column", "stars"), "stars"),
        ("text,label\ngood,1\nbad,\n", (), "no label"),
        ("file,label\nnowhere/a.png,x\nnowhere/b.png,y\n", (), "nowhere"),
    ],
)
def test_tables_that_do_not_fit(run: Run, tmp_path: Path, text: str, columns: tuple, expected: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    assert expected in refused(run, tmp_path, tmp_path / "list.csv", *columns, "--models", TINY)


@pytest.mark.parametrize(
    ("text", "words", "step"),
    [
        ("a,b,c\nx,y,z\nx,y,z\n", (), "name one with `--image-column` or `--text-column`."),
        ("text,task\ngood,1\nbad,0\n", ("--label-column", "stars"), "it has `text`, `task`. Did you mean `task`?"),
        ("text,label\na,1\nb,0\n", ("--split", "x"), "so `--split x` has no effect; leave it out."),
    ],
)
def test_the_next_step_is_said_as_it_is_typed(run: Run, tmp_path: Path, text: str, words: tuple, step: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    assert refused(run, tmp_path, tmp_path / "list.csv", *words, "--models", TINY).endswith(step)


def test_a_table_in_latin_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("text,label\ncafé,a\nthé,b\ncafé,a\nthé,b\n".encode("latin-1"))
    result = run("rank", tmp_path / "list.csv", "--models", TINY)
    assert "Traceback" not in result.output
    assert result.exit_code in (1, 2)  # an image model cannot read texts: it is the reading that must not break


def test_labels_and_arrays_of_different_lengths(run: Run, tmp_path: Path) -> None:
    held = arrays(0.5)
    np.savez(tmp_path / "a.npz", features=held["features"][:80], labels=held["labels"])
    sentence = refused(run, tmp_path, tmp_path / "a.npz")
    assert "80" in sentence
    assert "90" in sentence


def test_logits_where_probabilities_are_due(run: Run, tmp_path: Path) -> None:
    held = arrays(0.5)
    np.savez(tmp_path / "a.npz", probs=np.log(held["probs"]), labels=held["labels"])
    assert "logits" in refused(run, tmp_path, tmp_path / "a.npz")


def test_nan_in_arrays(run: Run, tmp_path: Path) -> None:
    held = arrays(0.5)
    held["features"][17, 1] = np.nan
    np.savez(tmp_path / "a.npz", **held)
    assert "row 17" in refused(run, tmp_path, tmp_path / "a.npz")


def test_a_model_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 9)
    assert "zoo/tiny_digits" in refused(run, tmp_path, photos, "--models", "zoo/tiny_digit")


def test_a_score_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    assert "leep" in refused(run, tmp_path, *saved(tmp_path / "scans", a=0.5), "--scores", "lepe")


def test_a_checkpoint_that_is_a_pickle(run: Run, tmp_path: Path) -> None:
    import torch

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architecture": "test_resnet", "num_classes": 3}')
    torch.save({"x": torch.zeros(1), "code": os.getcwd}, tmp_path / "model" / "pytorch_model.bin")
    photos = folder_of_classes(tmp_path / "photos", 9)
    result = run("rank", photos, "--models", f"local-dir:{tmp_path / 'model'}", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "trust-pickle" in result.output or "trust_pickle" in result.output
    assert not (tmp_path / "run").exists()


def test_a_cache_that_cannot_be_written_costs_no_ranking(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 9)
    (tmp_path / "taken").write_text("a file where the cache should be")
    result = run("rank", photos, "--models", TINY, "--scores", "leep", "--cache", tmp_path / "taken")
    assert result.exit_code == 0, result.output
    assert "cannot write to the cache" in " ".join(result.stdout.split())
    assert "`--cache FOLDER`" in " ".join(result.stdout.split())


@pytest.mark.parametrize("option", ["--report", "--json", "--csv"])
def test_a_name_that_no_file_can_have(run: Run, tmp_path: Path, option: str) -> None:
    place = tmp_path / ("x" * 256)
    result = run("rank", *saved(tmp_path / "scans", a=0.5), "--scores", "leep", option, place)
    assert result.exit_code == 2, result.output
    assert f"Error: {place} cannot be written: File name too long. Name another place" in result.stderr
    assert "defect" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["scans"]


@pytest.mark.parametrize(
    ("first", "named", "second"),
    [("--out", ".", "--report"), ("--report", "ranking.json", "--json"), ("--json", "ranking.json", "--csv")],
)
def test_a_file_that_turns_out_not_to_be_writable(
    run: Run, tmp_path: Path, first: str, named: str, second: str
) -> None:
    place = tmp_path / "ranking.json" / "second"  # the first result is a file where the second needs a folder
    result = run("rank", *saved(tmp_path / "scans", a=0.5), "--scores", "leep", first, tmp_path / named, second, place)
    assert result.exit_code == 2, result.output
    assert f"Error: {place} cannot be written: " in result.stderr
    assert "defect" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ranking.json", "scans"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device without room here")
@pytest.mark.parametrize(
    ("words", "unbuffered"), [("rank F --csv -", ""), ("rank F --json -", "1"), ("reproduce list", "")]
)
def test_standard_output_without_room(tmp_path: Path, words: str, unbuffered: str) -> None:
    (paths,) = saved(tmp_path / "scans", a=0.5)
    command = [sys.executable, "-m", "headstart", *words.replace("F", str(paths)).split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 2
    assert "Error: cannot write to standard output: No space left on device" in done.stderr
    assert not any(word in done.stderr for word in ("defect", "Traceback", "Exception ignored"))


def test_a_page_of_experiments_that_turns_out_not_to_be_writable(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "page" / "standings.json"
    result = run("benchmark", "--scores", "leep", "--markdown", tmp_path / "page", "--json", place)
    assert result.exit_code == 2, result.output
    assert f"Error: {place} cannot be written: " in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_cache_that_was_altered_is_not_believed(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    command = ("rank", photos, "--models", TINY, "--scores", "leep", "--json", "-")
    first = json.loads(run(*command).stdout)
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file() and path.stat().st_size > 1000:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 255
            path.write_bytes(content)
    again = json.loads(run(*command).stdout)
    assert again["rows"][0]["computed"] > 0
    assert again["rows"][0]["scores"]["leep"]["value"] == pytest.approx(first["rows"][0]["scores"]["leep"]["value"])


def test_standard_output_holds_one_thing(run: Run, tmp_path: Path) -> None:
    sentence = refused(run, tmp_path, *saved(tmp_path / "scans", a=0.5), "--json", "-", "--csv", "-")
    assert "cannot hold both `--json` and `--csv`" in sentence


@pytest.mark.parametrize(
    "words",
    [
        "rank x --report -",
        "rank x --out -",
        "transfer x --model y --out -",
        "reproduce benchmark --out -",
        "reproduce table1 --out -",
        "reproduce figure1 --figures -",
    ],
)
def test_what_standard_output_cannot_hold(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Error: `-` means standard output, which cannot hold this; name a f" in result.stderr
    result = run(*f"{words[:-1]}https://box/x".split())
    assert result.exit_code == 2
    assert "Error: https:/box/x is a URL, but results are written to this machine." in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "start"), [("--json", '{\n  "sources"'), ("--markdown", "**Outcome: head (18 sources")]
)
def test_the_benchmark_on_standard_output(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, start: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("benchmark", "--scores", "leep", option, "-")
    assert result.exit_code == 0
    assert result.stdout.startswith(start)
    assert "Outcome: head" in result.stderr  # the tables for people
    assert not list(tmp_path.iterdir())


def test_a_target_behind_the_models_is_missed_with_the_right_order(run: Run, tmp_path: Path) -> None:
    assert "before `--models`" in refused(run, tmp_path, "--models", "zoo", "photos")


@pytest.mark.parametrize("args", [("--lmiit", "3"), ("--limit", "many"), ("--seed", "-1"), ("--max-bad", "7")])
def test_usage_errors_leave_with_2(run: Run, args: tuple[str, ...]) -> None:
    result = run("rank", "photos", *args)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_ctrl_c_leaves_with_130_and_says_that_the_work_is_kept(tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 9)
    images, _ = pixels(300)
    for index, image in enumerate(images):
        (photos / "red" / f"more{index}.png").write_bytes(png(image))
    command = [sys.executable, "-m", "headstart", "rank", str(photos), "--models", "zoo/efficientnet_lite0"]
    command += ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--scores", "leep"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "cache").rglob("*")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Stopped. What was computed is kept in the cache" in errors
    assert "Traceback" not in errors
    assert output == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "called", "kept"),
    [
        ("rank x", "headstart.ranking.rank", "the cache"),
        ("rank x --no-cache --out run", "headstart.ranking.rank", ""),
        ("transfer x --model y", "headstart.transfers.campaign.campaign", "the cache"),
        ("transfer x --model y --no-cache", "headstart.transfers.campaign.campaign", ""),
        ("transfer x --model y --no-cache --out run", "headstart.transfers.campaign.campaign", "run"),
        ("predict run x", "headstart.transfers.load", ""),
        ("reproduce table1 --out t.jsonl", "headstart_paper.reproduce.prepare", "t.jsonl"),
        ("benchmark", "headstart.evaluation.benchmark.benchmark", ""),
        ("reproduce benchmark --out b", "headstart_paper.benchmark.build.build", "b"),
    ],
)
def test_ctrl_c_says_what_is_kept_and_where(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, called: str, kept: str
) -> None:
    def stopped(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(called, stopped)
    monkeypatch.chdir(tmp_path)
    result = run(*words.split())
    where = f" What was computed is kept in {kept}: run the same command again to resume." if kept else ""
    assert (result.exit_code, result.stderr) == (130, f"Stopped.{where}\n")


def test_an_unexpected_error_is_called_a_defect(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*args: object, **options: object) -> None:
        raise ZeroDivisionError("somewhere deep")

    paths = saved(tmp_path / "scans", a=0.5)
    monkeypatch.setattr("headstart.ranking.rank", defect)
    result = run("rank", *paths)
    assert result.exit_code == 70
    assert "This is a defect of headstart" in result.stderr
    assert "Traceback" not in result.output
    monkeypatch.setenv("HEADSTART_DEBUG", "1")
    debugged = run("rank", *paths)
    assert debugged.exit_code == 70
    assert "Traceback" in debugged.stderr


def test_debugging_shows_the_traceback_of_a_named_error_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_DEBUG", "1")
    result = run("rank", tmp_path / "nowhere", "--models", TINY)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
