"""The row store: what was added is found by content, in any order, and nothing damaged is believed."""

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import CacheError, InputError
from headstart.store import RowStore, RowWriter, default_folder
from headstart.store.rows import as_keys

PRINT = "0123456789abcdef"


def digest(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def row(number: int) -> np.ndarray:
    return np.array([number, number / 3, -number], np.float32)


def add(rows: RowStore, numbers: list[int]) -> None:
    fields = {"features": np.array([row(n) for n in numbers]), "logits": np.array([[n] for n in numbers], np.float32)}
    with RowWriter(rows) as writer:
        writer.add([digest(n) for n in numbers], fields)


def read(rows: RowStore, numbers: list[int]) -> dict[str, np.ndarray]:
    return rows.read(digest(n) for n in numbers)


def expected(numbers: list[int]) -> np.ndarray:
    return np.array([row(n) for n in numbers])


def files_in(rows: RowStore) -> list[Path]:
    return sorted(rows.folder.iterdir())


@settings(deadline=None, max_examples=60)
@given(
    batches=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), min_size=1, max_size=6),
    picks=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=12), max_size=4),
)
def test_the_store_behaves_like_a_dictionary(tmp_path_factory, batches: list[list[int]], picks: list[list[int]]):
    folder = tmp_path_factory.mktemp("cache")
    known: set[int] = set()
    for batch in batches:
        add(RowStore(folder, PRINT), batch)  # a store opened anew sees what the others wrote
        known |= set(batch)
        rows = RowStore(folder, PRINT)
        for pick in picks:
            assert rows.has(digest(n) for n in pick).tolist() == [n in known for n in pick]
            present = [n for n in pick if n in known]
            if present:
                found = read(rows, present)
                assert np.array_equal(found["features"], expected(present))
                assert found["logits"][:, 0].tolist() == present


def test_rows_in_one_piece_are_mapped_and_not_copied(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, list(range(10)))
    part = read(rows, [3, 4, 5])["features"]
    assert isinstance(part, np.memmap)
    assert np.shares_memory(part, rows.segments()[0].fields["features"])
    assert np.array_equal(part, expected([3, 4, 5]))


def test_scattered_rows_are_found_in_the_order_asked_for(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    for start in (0, 10, 20):
        add(rows, list(range(start, start + 10)))
    order = list(np.random.default_rng(0).permutation(30))
    assert np.array_equal(read(rows, order)["features"], expected(order))
    assert np.array_equal(read(RowStore(tmp_path, PRINT), order)["features"], expected(order))


def test_a_store_sees_what_another_process_appends_later(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    with RowWriter(RowStore(tmp_path, PRINT)) as writer:
        for number in (1, 2):
            writer.add([digest(number)], {"features": row(number)[None]})
            writer.flush()
            assert rows.has([digest(1), digest(2)]).tolist() == [True, number == 2]


def test_equal_examples_share_a_row(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1, 2])
    add(rows, [3])
    numbers = [3, 1, 1, 2, 3]
    assert np.array_equal(read(rows, numbers)["features"], expected(numbers))
    assert np.array_equal(read(rows, numbers)["features"], expected(numbers))


def test_many_scattered_rows_come_from_a_file_not_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = RowStore(tmp_path, PRINT)
    add(rows, list(range(100)))
    order = list(range(0, 100, 2))
    assert not isinstance(read(rows, order)["features"], np.memmap)
    monkeypatch.setattr("headstart.store.rows.IN_MEMORY", 0)
    found = read(rows, order)["features"]
    assert isinstance(found, np.memmap)
    assert np.array_equal(found, expected(order))
    assert len(files_in(rows)) == 3  # the files have no names: they vanish with the arrays


def test_nothing_that_is_read_can_be_written_to(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1, 2, 3])
    for numbers in ([1, 2], [3, 1]):
        assert not read(rows, numbers)["features"].flags.writeable


def test_a_damaged_segment_is_set_aside_with_a_note(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1, 2, 3])
    (bad,) = rows.folder.glob("*.features")
    add(rows, [4])
    content = bytearray(bad.read_bytes())
    content[-1] ^= 1
    bad.write_bytes(content)
    crafted = rows.folder / "crafted.rows"
    crafted.write_bytes(b"\xff\0 no index")
    for _ in range(2):  # who only looks leaves the note to who computes again
        rows = RowStore(tmp_path, PRINT)
        assert rows.has(digest(n) for n in (1, 4)).tolist() == [False, True]
        assert "crafted.rows were set aside because its index cannot be read" in " ".join(rows.notes)
        rows.notes = [note for note in rows.notes if "crafted" not in note]
    assert len(rows.notes) == 1
    assert "its checksum differs; they are computed again" in rows.notes[0]
    add(rows, [1, 2, 3])
    rows = RowStore(tmp_path, PRINT)
    assert np.array_equal(read(rows, [1, 2, 3])["features"], expected([1, 2, 3]))
    assert rows.notes == []


def test_a_segment_that_cannot_be_read_is_passed_over_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    add(RowStore(tmp_path, PRINT), [1])

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    rows = RowStore(tmp_path, PRINT)
    assert not rows.has([digest(1)]).any()
    assert "Permission denied" in rows.notes[0]


def test_a_missing_row_is_an_error_not_a_guess(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1])
    with pytest.raises(CacheError, match="1 of 2 rows are not in the cache"):
        read(rows, [1, 2])


def test_another_fingerprint_is_another_store(tmp_path: Path):
    add(RowStore(tmp_path, PRINT), [1])
    assert not RowStore(tmp_path, "fedcba9876543210").has([digest(1)]).any()


def test_rows_of_two_shapes_under_one_fingerprint_are_refused(tmp_path: Path):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1])
    with RowWriter(rows) as writer:
        writer.add([digest(2)], {"features": np.ones((1, 5), np.float32)})
    with pytest.raises(CacheError, match="rows of different shapes"):
        RowStore(tmp_path, PRINT).has([digest(1)])


@pytest.mark.parametrize("name", ["", "../../etc", "a/b", "abc"])
def test_a_fingerprint_cannot_leave_the_cache(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="`fingerprint` must be a hash"):
        RowStore(tmp_path, name)


def test_a_digest_of_another_length_is_refused():
    with pytest.raises(InputError, match="must be 16 bytes, got 3"):
        as_keys([b"abc"])


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_the_next_run_its_rows_and_this_one_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1])
    monkeypatch.setattr(os, "fsync", full)
    with RowWriter(rows) as writer:
        for numbers in ([2], [3, 4]):
            one = {"features": expected(numbers), "logits": np.array([[n] for n in numbers], np.float32)}
            writer.add([digest(n) for n in numbers], one)
            writer.flush()
    assert np.array_equal(read(rows, [4, 1, 2, 3])["features"], expected([4, 1, 2, 3]))
    assert len(rows.notes) == 1
    assert "no room left" in rows.notes[0]
    monkeypatch.undo()
    assert RowStore(tmp_path, PRINT).has(digest(n) for n in (1, 2, 3)).tolist() == [True, False, False]


def test_a_disk_that_became_read_only_is_still_read_and_the_new_rows_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refused(path: Path, mode: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    rows = RowStore(tmp_path, PRINT)
    add(rows, [1])
    monkeypatch.setattr("headstart.store.segment.FileIO", refused)
    rows = RowStore(tmp_path, PRINT)
    assert rows.has(digest(n) for n in (1, 2)).tolist() == [True, False]
    add(rows, [2])
    assert np.array_equal(read(rows, [2, 1])["features"], expected([2, 1]))
    (note,) = rows.notes
    assert "Read-only file system" in note
    assert "`--cache FOLDER`" in note
    assert not RowStore(tmp_path, PRINT).has([digest(2)]).any()


def test_a_full_disk_does_not_stop_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = RowStore(tmp_path, PRINT)
    add(rows, [1])
    add(rows, [2])
    monkeypatch.setattr("headstart.store.rows.IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    found = read(rows, [2, 1])["features"]
    assert not isinstance(found, np.memmap)
    assert np.array_equal(found, expected([2, 1]))


def test_a_writer_keeps_the_rows_made_before_an_error(tmp_path: Path):
    def interrupted() -> None:
        with RowWriter(RowStore(tmp_path, PRINT)) as writer:
            writer.add([digest(1)], {"features": row(1)[None]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert RowStore(tmp_path, PRINT).has([digest(1)]).all()


def test_a_long_run_leaves_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("headstart.store.writer.FLUSH_SECONDS", 0.0)  # every batch is written by itself
    rows = RowStore(tmp_path, PRINT)
    with RowWriter(rows) as writer:
        for start in range(0, 100, 2):
            writer.add([digest(n) for n in (start, start + 1)], {"features": expected([start, start + 1])})
    assert len(files_in(rows)) == 2
    found = RowStore(tmp_path, PRINT).read(digest(n) for n in range(100))["features"]
    assert isinstance(found, np.memmap)
    assert np.array_equal(found, expected(list(range(100))))


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("HEADSTART_CACHE")
    assert default_folder().name == "headstart"
