"""The record of a ranking: JSON and back, folders, flat rows, data frames."""

import json
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.records.test_ranking_text import ranking, row

from headstart.errors import InputError, WriteError
from headstart.records import Failure, HeadView, Ranking, Round, Search, write_atomically

FULL = ranking(
    row("a", 1, 1, 2, head=HeadView(("tabby",), (0.4,), ((0.9,), (0.1,)), ("cat", "dog")), verdict="better"),
    row("b", None, unavailable={"leep": "no classifier"}),
    failures=(Failure("c", "cut short"),),
)


def test_json_and_back_is_the_same_record() -> None:
    assert Ranking.from_json(FULL.to_json()) == FULL
    assert json.loads(FULL.to_json())["rows"][1]["rank"] is None


def test_a_folder_and_back_is_the_same_record(tmp_path: Path) -> None:
    path = FULL.save(tmp_path / "new" / "run")
    assert path.name == "ranking.json"
    assert Ranking.load(path) == Ranking.load(path.parent) == FULL
    assert [held.name for held in path.parent.iterdir()] == ["ranking.json"]  # no half-written file stays


@pytest.mark.parametrize("content", ["", "[]", '{"rows": 3}', "not json"])
def test_what_is_no_ranking_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ranking.json").write_text(content)
    with pytest.raises(InputError, match="is not a ranking that headstart wrote"):
        Ranking.load(tmp_path)


def test_a_folder_without_a_ranking_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*ranking.json: No such file.*--out FOLDER"):
        Ranking.load(tmp_path)


def test_flat_rows_hold_every_score_with_its_error_and_interval_and_the_failures() -> None:
    first, second, failed = FULL.to_rows()
    assert (first["rank"], first["rank_low"], first["rank_high"]) == (1, 1, 2)
    assert (first["leep"], first["leep_standard_error"], first["leep_low"]) == (-0.1, 0.0123, -0.125)
    assert first["source_accuracy_low"] is None
    assert (first["parameters"], first["forward_seconds"]) == (4_652_008, 12.3)
    assert second["unavailable"] == "leep: no classifier"
    assert failed == {"source": "c", "failed": "cut short"}


def test_the_data_frame_has_a_row_per_source() -> None:
    frame = FULL.to_dataframe()
    assert frame["source"].tolist() == ["a", "b", "c"]
    assert frame["leep"].tolist()[:2] == [-0.1, -0.5]
    assert frame["failed"].tolist()[2] == "cut short"


def test_the_best_is_the_first_ranked_source() -> None:
    assert FULL.best == "a"
    with pytest.raises(InputError, match="no source could be ranked"):
        _ = ranking(row("b", None)).best


def test_a_saved_record_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "record.json", b"{}")
    assert (tmp_path / "record.json").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["plain", "record.json"]


@pytest.mark.parametrize("letter", ["x", "ß", "網", "🦆"], ids=["1 byte", "2 bytes", "3 bytes", "4 bytes"])
def test_a_name_as_long_as_a_file_may_have_is_written(tmp_path: Path, letter: str) -> None:
    many, rest = divmod(255, len(letter.encode()))
    name = letter * many + "x" * rest
    write_atomically(tmp_path / name, b"{}")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"{}")]


def test_a_longer_name_is_refused_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    name = "網" * 85 + "x"  # 256 bytes, but 86 characters
    with pytest.raises(WriteError, match=f"{name} cannot be written: File name too long. Name another place"):
        write_atomically(tmp_path / name, b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "r.json").write_text("old")
    for name, aim in (("link", "real/r.json"), ("chain", "link"), ("dangling", "real/new/r.json")):
        (tmp_path / name).symlink_to(aim)
    for name, aim in (("chain", "r.json"), ("dangling", "new/r.json")):
        write_atomically(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "real" / aim).read_text() == name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain", "dangling", "link", "real"]
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["new", "r.json"]


def heard(source: Callable[[], bytes], path: Path, content: bytes) -> bytes:
    """What a reader in another thread gets of what is written to `path`."""
    parts: list[bytes] = []
    reader = threading.Thread(target=lambda: parts.append(source()), daemon=True)
    reader.start()
    write_atomically(path, content)
    reader.join(timeout=10)
    return b"".join(parts)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert heard(pipe.read_bytes, pipe, b"{}" * 100_000) == b"{}" * 100_000
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_the_pipe_of_another_command_is_written_to() -> None:
    reading, writing = os.pipe()
    write_atomically(Path(f"/dev/fd/{writing}"), b"{}")  # as `--json >(command)` names it
    os.close(writing)
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b"{}"


def device(path: Path, minor: int) -> Path:
    """A node of one of the memory devices: 3 is null, 7 is full."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except PermissionError:
        pytest.skip("this user makes no devices here")
    return path


def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path) -> None:
    null = device(tmp_path / "null", 3)
    write_atomically(null, b"{}")
    assert stat.S_ISCHR(null.stat().st_mode)
    full = device(tmp_path / "full", 7)
    with pytest.raises(WriteError, match="full cannot be written: No space left on device"):
        write_atomically(full, b"{}")
    assert stat.S_ISCHR(full.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [full, null]


RACED = replace(
    ranking(
        row("a", 1, 1, 2, examples=160),
        row("b", 2, 1, 3, examples=160),
        row("c", 3, 2, 3, examples=80, dropped="at least 0.1 below a on 80 examples"),
    ),
    search=Search(
        method="race",
        whole=250,
        passes=400,
        full=1000,
        rounds=(Round(80, 3, ("c",)), Round(160, 2)),
        ended="time",
        error=0.05,
        margin=0.01,
        time_budget=60.0,
        seconds=58.0,
        unreached=("d",),
    ),
)


def test_a_search_is_part_of_the_record_and_of_the_flat_rows() -> None:
    assert Ranking.from_json(RACED.to_json()) == RACED
    flat = RACED.to_rows()
    assert [line.get("examples") for line in flat] == [160, 160, 80, None]
    assert flat[2]["dropped"] == "at least 0.1 below a on 80 examples"
    assert flat[3] == {"source": "d", "dropped": "not reached: the time was up"}


def test_a_record_from_before_there_were_searches_still_loads() -> None:
    old = json.loads(RACED.to_json())
    del old["search"]
    for line in old["rows"]:
        del line["examples"], line["dropped"]
    loaded = Ranking.from_json(json.dumps(old))
    assert (loaded.search, loaded.rows[0].examples, loaded.rows[2].dropped) == (None, None, "")
    assert "a comes first of three by leep on 250 images" in loaded.sureness


def test_a_search_says_what_it_cost_who_left_and_how_sure_it_is() -> None:
    shown = " ".join(str(RACED).split())
    assert "a comes first of those reached, but at 95 % b cannot be told apart from it" in shown
    assert "One source was not reached in time: d." in shown
    assert "Race over 80 to 160 of 250 images: 40 % of the forward passes of a full search, in 58 s of 60 s" in shown
    assert "It ended because the time was up. Dropped after 80 images: c." in shown
    assert next(line for line in str(RACED).splitlines() if line.startswith("rank")).split()[4] == "images"
    sure = replace(RACED, rows=(RACED.rows[0], replace(RACED.rows[1], rank_low=2), RACED.rows[2]))
    assert sure.sureness == "a is the best of those reached by leep at 95 %, on 160 images."


def test_a_full_search_says_nothing_of_itself() -> None:
    search = Search("all", 250, 500, 500, (Round(250, 2),), "whole", seconds=3.0)
    assert str(replace(FULL, search=search)) == str(FULL)
