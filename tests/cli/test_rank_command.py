"""`headstart rank`: what it prints, where it writes, and its exit codes."""

import csv
import io
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.ranking.test_arrays import saved
from tests.ranking.toys import folder_of_classes

from headstart.records import Ranking

TINY = "zoo/tiny_digits"
SCORES = ("--scores", "leep_calibrated,leep")


def test_arrays_are_ranked_and_the_table_printed(run: Run, tmp_path: Path) -> None:
    result = run("rank", *saved(tmp_path / "scans", near=0.2, far=3.0), *SCORES)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "scans: 90 examples in 3 classes"
    header = next(line for line in lines if line.startswith("rank"))
    assert header.split() == ["rank", "source", "leep_calibrated", "forecast", "best", "leep"]
    assert [line.split()[1] for line in lines if line[:1] in "12" and line.strip()][:2] == ["near", "far"]
    assert "Sorted by leep_calibrated" in result.stdout
    assert "near is clearly the best of two on 90 examples." in result.stdout
    assert result.stderr == ""


def test_a_folder_of_images_is_ranked_with_progress_on_the_error_stream(run: Run, tmp_path: Path) -> None:
    result = run("rank", folder_of_classes(tmp_path / "photos", 30), "--models", TINY, *SCORES)
    assert result.exit_code == 0, result.stderr
    assert "photos: 30 images in 3 classes" in result.stdout
    assert f"[1/1] {TINY}: done in" in result.stderr
    assert "img/s" in result.stdout


def test_a_dry_run_loads_nothing_and_says_what_a_run_would_take(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    result = run("rank", photos, "--models", TINY, "timm/resnet18", "--dry-run", "--workers", "2", "--no-cache")
    assert result.exit_code == 0, result.stderr
    assert "2 models on 30 images: 60 forward passes, 0.05 GB to download" in " ".join(result.stdout.split())
    assert "With 2 workers" in result.stdout
    auto = run("rank", photos, "--dry-run", "--exclude", "zoo/eff*", "zoo/tiny_e*", "--licence", "apache-2.0")
    assert "zoo/tiny_letters" in auto.stdout  # without models: those of this machine
    assert "(zoo/tiny_emoji): excluded by `zoo/tiny_e*`" in " ".join(auto.stdout.split())


def test_several_models_follow_one_option(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    photos = folder_of_classes(tmp_path / "photos", 30)
    result = run("rank", photos, "--models", TINY, "local-dir:nowhere", "--out", out, *SCORES)
    assert result.exit_code == 3  # the second name is wrong: a failed row, and the first model is ranked all the same
    assert "nowhere" in result.stderr
    assert [failure.source for failure in Ranking.load(out).failures] == ["local-dir:nowhere"]


def test_json_on_standard_output_is_the_record_and_nothing_else(run: Run, tmp_path: Path) -> None:
    result = run("rank", *saved(tmp_path / "scans", a=0.5), *SCORES, "--json", "-")
    assert Ranking.from_json(result.stdout).best == "a"
    assert "Sorted by" in result.stderr


def test_csv_on_standard_output_is_a_table_and_nothing_else(run: Run, tmp_path: Path) -> None:
    result = run("rank", *saved(tmp_path / "scans", a=0.2, b=2.0), *SCORES, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["rank"], row["source"]) for row in rows] == [("1", "a"), ("2", "b")]
    assert float(rows[0]["leep_low"]) < float(rows[0]["leep"]) < float(rows[0]["leep_high"])


def test_files_hold_what_the_options_say(run: Run, tmp_path: Path) -> None:
    paths = saved(tmp_path / "scans", a=0.5)
    result = run(
        "rank", *paths, *SCORES, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv", "--out", tmp_path / "run",
        "--report", tmp_path / "run" / "report.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    record = json.loads((tmp_path / "r.json").read_text())
    assert record == json.loads((tmp_path / "run" / "ranking.json").read_text())
    assert (tmp_path / "r.csv").read_text().startswith("rank,")
    assert "<html" in (tmp_path / "run" / "report.html").read_text()
    for name in ("r.json", "r.csv", "run/ranking.json", "run/report.html"):
        assert f"Wrote {tmp_path / name}" in result.stdout.replace("\n", "")


def test_the_command_is_part_of_the_record(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/headstart", "rank", "my scans/a.npz", "--scores", "leep"])
    result = run("rank", *saved(tmp_path / "scans", a=0.5), "--scores", "leep", "--json", "-")
    assert json.loads(result.stdout)["provenance"]["command"] == "headstart rank 'my scans/a.npz' --scores leep"


@pytest.mark.parametrize(
    ("option", "value", "field", "expected"),
    [
        ("--limit", "30", ("target", "n"), 30),
        ("--seed", "5", ("provenance", "seed"), 5),
        ("--sort", "leep", ("sort",), "leep"),
        ("--scores", "leep", ("scores",), ["leep"]),
    ],
)
def test_options_reach_the_ranking(
    run: Run, tmp_path: Path, option: str, value: str, field: tuple[str, ...], expected: object
) -> None:
    def held(*options: str) -> object:
        record = json.loads(run("rank", *saved(tmp_path / "scans", a=0.5), *options, "--json", "-").stdout)
        for key in field:
            record = record[key]
        return record

    assert held(option, value) == expected
    assert held() != expected


def test_a_table_is_read_by_its_columns(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    lines = ["file,other,colour"]
    lines += [
        f"{p.relative_to(tmp_path)},x{i % 2},{p.parent.name}" for i, p in enumerate(sorted(photos.rglob("*.png")))
    ]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    columns = ("--image-column", "file", "--label-column", "colour")
    result = run("rank", tmp_path / "list.csv", *columns, "--models", TINY, *SCORES, "--json", "-")
    assert json.loads(result.stdout)["target"]["classes"] == ["blue", "green", "red"]
    other = run(
        "rank", tmp_path / "list.csv", "--image-column", "file", "--label-column", "other", "--models", TINY, *SCORES,
        "--json", "-",
    )  # fmt: skip
    assert json.loads(other.stdout)["target"]["classes"] == ["x0", "x1"]


def test_the_cache_is_used_unless_it_is_refused(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)

    def computed(*options: object) -> int:
        result = run("rank", photos, "--models", TINY, *SCORES, *options, "--json", "-")
        return json.loads(result.stdout)["rows"][0]["computed"]

    kept = tmp_path / "kept"
    assert [computed("--cache", kept), computed("--cache", kept), computed("--no-cache")] == [30, 0, 30]
    assert run("rank", photos, "--cache", kept, "--no-cache").exit_code == 2


def test_some_failures_leave_with_3_and_their_reasons(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 30)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architecture": "test_resnet", "num_classes": 3}')
    (tmp_path / "model" / "model.safetensors").write_bytes(b"cut short")
    broken = f"local-dir:{tmp_path / 'model'}"
    result = run("rank", photos, "--models", broken, TINY, *SCORES, "--out", tmp_path / "run")
    assert result.exit_code == 3, result.stderr
    assert f"{broken} failed: " in result.stdout.replace("\n", " ")
    assert "Traceback" not in result.output
    assert (tmp_path / "run" / "ranking.json").exists()
    alone = run("rank", photos, "--models", broken, *SCORES, "--out", tmp_path / "other")
    assert alone.exit_code == 1
    assert "No model could be ranked." in alone.stdout
    assert not (tmp_path / "other").exists()


def test_a_name_with_markup_is_shown_as_it_is(run: Run, tmp_path: Path) -> None:
    (path,) = saved(tmp_path / "scans", a=0.5)
    odd = path.rename(path.with_name("[bold]x.npz"))
    assert "[bold]x" in run("rank", odd, *SCORES).stdout


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_fits_the_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = run("rank", *saved(tmp_path / "scans", a=0.2, b=2.0), "--scores", "leep_calibrated,leep,nce,leep_loo")
    assert max(map(len, result.stdout.splitlines())) <= columns


def test_a_search_is_chosen_and_shown(run: Run, tmp_path: Path) -> None:
    paths = saved(tmp_path / "scans", near=0.1, far=5.0)
    result = run("rank", *paths, *SCORES, "--search", "race")
    assert result.exit_code == 0, result.stderr
    shown = " ".join(result.stdout.split())
    assert "near is the best by leep_calibrated at 95 %, on 80 examples." in shown
    assert "Race over 80 of 90 examples: 89 % of the forward passes of a full search." in shown
    halved = json.loads(run("rank", *paths, *SCORES, "--search", "halving", "--json", "-").stdout)
    assert halved["search"]["method"] == "halving"
    assert json.loads(run("rank", *paths, *SCORES, "--json", "-").stdout)["search"]["method"] == "all"


def test_a_time_budget_is_read_and_recorded(run: Run, tmp_path: Path) -> None:
    paths = saved(tmp_path / "scans", a=0.5)
    record = json.loads(run("rank", *paths, *SCORES, "--time-budget", "5m", "--json", "-").stdout)
    assert record["search"]["time_budget"] == 300
    for option, value, message in (
        ("--time-budget", "soon", "`--time-budget` must be a positive time"),
        ("--search", "races", "`search` must be one of all, race, halving"),
    ):
        result = run("rank", *paths, option, value)
        assert result.exit_code == 2
        assert message in result.stderr


def test_progress_names_the_rounds(run: Run, tmp_path: Path) -> None:
    photos = folder_of_classes(tmp_path / "photos", 90)
    result = run("rank", photos, "--models", TINY, "zoo/tiny_letters", *SCORES, "--search", "halving")
    assert result.exit_code == 0, result.stderr
    assert "Round 1: 2 models on 80 examples" in result.stderr


def test_names_are_shown_as_they_are_and_are_no_formulas(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    saved(folder, a=0.2, b=2.0)
    (folder / "a.npz").rename(folder / "=a:m:[b].npz")
    result = run("rank", folder, "--scores", "leep", "--csv", tmp_path / "x.csv")
    assert "=a:m:[b]" in result.stdout
    assert [row["source"] for row in csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text()))] == [
        "'=a:m:[b]",
        "b",
    ]
    missing = run("rank", folder_of_classes(tmp_path / "photos", 9), "--models", "local-dir::m:", "--scores", "leep")
    assert "local-dir::m:" in missing.stderr
