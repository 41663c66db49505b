"""The results file: resumed, shared by processes, cut short by a kill, refused with other settings."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import InputError, WriteError
from headstart_paper.results import Results, Row, read_results, settings_hash

SETTINGS = {"rate": 0.01, "epochs": 100, "seed": 0}


def test_rows_come_back_with_plain_numbers_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.jsonl"
    results = Results(path, SETTINGS)
    results.append("b", {"accuracy": np.float32(0.5), "classes": np.array([3, 1]), "score": float("nan")})
    results.append("a", {"accuracy": 1})
    stored = read_results(path)
    assert stored.settings == SETTINGS
    assert stored.rows == ({"key": "b", "accuracy": 0.5, "classes": [3, 1], "score": None}, {"key": "a", "accuracy": 1})
    assert all(json.loads(line) for line in path.read_text().splitlines())  # any reader of JSON lines can have it


def test_a_file_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot be written: File name too long"):
        Results(tmp_path / ("x" * 253), SETTINGS)  # the name of its lock is longer still
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_written_once(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl", SETTINGS)
    assert results.append("a", {"x": 1})
    assert not results.append("a", {"x": 2})
    assert results.refresh() == {"a"}
    assert [row["x"] for row in Results(tmp_path / "r.jsonl", SETTINGS).rows] == [1]


def test_a_check_sees_the_rows_of_others_and_what_it_refuses_is_not_written(tmp_path: Path) -> None:
    one, two = Results(tmp_path / "r.jsonl", SETTINGS), Results(tmp_path / "r.jsonl", SETTINGS)
    one.append("a", {"x": 1})

    def check(rows: tuple[Row, ...]) -> None:
        raise InputError(f"there are {[row['key'] for row in rows]}")

    with pytest.raises(InputError, match=r"there are \['a'\]"):
        two.append("b", {"x": 2}, check=check)
    assert read_results(two.path).rows == one.rows
    assert two.append("b", {"x": 2}, check=lambda rows: None)


def test_the_order_of_the_settings_does_not_matter_but_their_values_do(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    Results(path, SETTINGS).append("a", {"x": 1})
    assert Results(path, dict(reversed(SETTINGS.items()))).done == {"a"}
    before = path.read_bytes()
    with pytest.raises(
        InputError, match=r"other settings \(`epochs` is 100 there and 5 now; `pool` is None there and 9 now\)"
    ):
        Results(path, SETTINGS | {"epochs": 5, "pool": 9})
    assert path.read_bytes() == before


@pytest.mark.parametrize("cut", [2, 5, 12])
def test_a_last_line_cut_short_is_dropped_and_said(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path, SETTINGS)
    results.append("a", {"x": 1})
    results.append("b", {"x": 2, "long": "y" * 40})  # longer than what is written over it
    path.write_bytes(path.read_bytes()[:-cut])
    again = Results(path, SETTINGS)
    assert again.done == {"a"}
    assert "its task will run again" in again.notes[0]
    assert again.append("b", {"x": 3})
    assert [row["x"] for row in read_results(path).rows] == [1, 3]
    assert read_results(path).notes == ()  # nothing of the cut line is left


def test_a_row_damaged_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path, SETTINGS)
    results.append("a", {"x": 1})
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(InputError, match="line 3 is not JSON"):
        Results(path, SETTINGS)


def test_lines_are_counted_in_the_file_also_where_another_process_added_them(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path, SETTINGS)
    results.append("a", {"x": 1})
    Results(path, SETTINGS).append("b", {"x": 1})
    results.refresh()
    path.write_text(path.read_text() + '{"key": "c"}\n{"no": "key"}\n')
    with pytest.raises(InputError, match="line 5 has no `key`"):
        results.refresh()
    with pytest.raises(InputError, match="line 5 has no `key`"):
        read_results(path)


def test_of_two_rows_of_one_key_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    Results(path, SETTINGS).append("a", {"x": 1})
    path.write_text(path.read_text() + '{"key":"a","x":2}\n')  # two files put together by hand
    assert [row["x"] for row in read_results(path).rows] == [row["x"] for row in Results(path, SETTINGS).rows] == [1]


@pytest.mark.parametrize("content", ["", "not json\n", '{"kind": "other"}\n'])
def test_another_file_is_no_results_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="not a results file"):
        read_results(path)


def test_settings_edited_by_hand_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    Results(path, SETTINGS)
    path.write_text(path.read_text().replace("0.01", "0.02"))
    with pytest.raises(InputError, match="edited by hand"):
        read_results(path)


def doubled(row: Row) -> Row:
    return row | {"x": 2 * row["x"]}


def test_amended_rows_keep_their_place_and_the_settings_stay(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path, SETTINGS)
    for key in "abc":
        results.append(key, {"x": 1})
    before = path.read_bytes().splitlines()
    results.amend({"b"}, doubled)
    after = path.read_bytes().splitlines()
    assert (after[1], after[3]) == (before[1], before[3])
    assert [row["x"] for row in results.rows] == [row["x"] for row in read_results(path).rows] == [1, 2, 1]
    assert read_results(path).settings == SETTINGS
    assert results.append("d", {"x": 9})
    assert Results(path, SETTINGS).done == {"a", "b", "c", "d"}


def test_an_amendment_that_fails_on_one_row_changes_none(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path, SETTINGS)
    results.append("a", {"x": 1})
    results.append("b", {"y": 1})
    before = path.read_bytes()
    with pytest.raises(KeyError):
        results.amend({"a", "b"}, doubled)
    assert path.read_bytes() == before
    assert results.rows[0]["x"] == 1
    assert sorted(place.name for place in tmp_path.iterdir() if place.suffix == ".jsonl") == ["r.jsonl"]


def test_an_amendment_sees_the_rows_of_another_process_and_is_seen_by_it(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    one, two = Results(path, SETTINGS), Results(path, SETTINGS)
    one.append("a", {"x": 1, "long": "y" * 500})
    two.append("b", {"x": 1})
    one.amend({"a", "b"}, lambda row: {"key": row["key"], "x": 7})  # the file is shorter now than `two` has read
    assert two.append("c", {"x": 3})
    assert [row["x"] for row in two.rows] == [row["x"] for row in read_results(path).rows] == [7, 7, 3]
    two.amend({"c"}, doubled)
    one.amend({"a"}, doubled)
    assert [row["x"] for row in read_results(path).rows] == [14, 7, 6]


def in_two_processes(work: Callable[[Path, str], None], path: Path) -> None:
    """Both at once, and both to their end."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(path, name)) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0


def _amend_many(path: Path, name: str) -> None:
    results = Results(path, SETTINGS)
    for number in range(30):
        results.append(f"{name} {number}", {"filling": "x" * 200, "x": 1})
        results.amend({f"{name} {number}"}, doubled)


def test_two_processes_that_append_and_amend_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    in_two_processes(_amend_many, path)
    kept = read_results(path)
    assert len({row["key"] for row in kept.rows}) == len(kept.rows) == 60
    assert {row["x"] for row in kept.rows} == {2}


def _append_many(path: Path, name: str) -> None:
    results = Results(path, SETTINGS)
    for number in range(60):
        results.append(f"{name} {number}", {"filling": "x" * 200})
        results.append(f"both {number}", {"by": name})


def test_two_processes_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    in_two_processes(_append_many, path)
    keys = [row["key"] for row in read_results(path).rows]
    assert len(keys) == len(set(keys)) == 3 * 60


def test_a_file_gone_while_in_use_is_said_in_words_and_once(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl", SETTINGS)
    results.path.unlink()
    with pytest.raises(WriteError, match=r"r.jsonl cannot be written: No such file") as told:
        results.refresh()
    assert str(told.value).count("cannot be written") == 1


def test_a_link_to_a_file_has_its_lock(tmp_path: Path) -> None:
    one = Results(tmp_path / "r.jsonl", SETTINGS)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "r.jsonl")
    Results(tmp_path / "link.jsonl", SETTINGS).append("a", {"x": 1})
    assert one.refresh() == {"a"}
    assert [path.name for path in tmp_path.glob(".*.lock")] == [".r.jsonl.lock"]


def test_an_amendment_that_changes_nothing_leaves_the_file_alone(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl", SETTINGS)
    results.append("a", {"x": 1})
    before = results.path.read_bytes()
    results.amend({"a"}, dict)
    assert results.path.read_bytes() == before


def test_a_process_sees_the_rows_of_another_before_it_works(tmp_path: Path) -> None:
    one, two = Results(tmp_path / "r.jsonl", SETTINGS), Results(tmp_path / "r.jsonl", SETTINGS)
    one.append("a", {"x": 1})
    assert two.done == set()
    assert two.refresh() == {"a"}


def test_a_killed_writer_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    code = (
        "import sys; from headstart_paper.results import Results\n"
        f"r = Results(sys.argv[1], {SETTINGS!r})\n"
        "for i in range(10**6): r.append(str(i), {'filling': 'x' * 50_000})"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    deadline = time.monotonic() + 60
    while (not path.exists() or path.stat().st_size < 300_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    results = Results(path, SETTINGS)
    assert len(results.rows) >= 5
    assert results.append("after", {"x": 1})
    assert [row["key"] for row in read_results(path).rows] == [*map(str, range(len(results.rows) - 1)), "after"]


def test_the_hash_stands_for_the_settings() -> None:
    assert settings_hash(SETTINGS) != settings_hash(SETTINGS | {"seed": 1})
