"""A cache at an fsspec URL: what one machine computed, another one reads; credentials stay out of what is said."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.store.test_store import PRINT, add, digest, expected, read

from headstart.errors import CacheError
from headstart.store import RowStore, RowWriter, folder_of, shared, writer
from headstart.store.shared import SharedFolder

fsspec = pytest.importorskip("fsspec")


def machine(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The folder of the cache at a URL on a machine of its own."""
    monkeypatch.setattr(shared, "usual_folder", lambda: home)
    found = folder_of("memory://box/passes")
    assert found is not None
    return found


def test_rows_of_one_machine_are_read_on_another(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = machine(monkeypatch, tmp_path / "first")
    add(RowStore(first, PRINT), [1, 2, 3])
    content = pickle.dumps(first)
    machine(monkeypatch, tmp_path / "second")
    second = pickle.loads(content)  # as a worker on another node receives it
    assert isinstance(second, SharedFolder)
    assert second != first
    assert folder_of(second) is second
    there = RowStore(second, PRINT)
    assert there.has([digest(3), digest(4)]).tolist() == [True, False]
    assert (read(there, [3, 1])["features"] == expected([3, 1])).all()
    add(there, [4])
    assert RowStore(first, PRINT).has([digest(4)]).all()
    assert there.notes == []


def test_a_killed_writer_has_shared_what_is_older_than_half_a_minute(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SHARE_SECONDS", 0.0)
    first = machine(monkeypatch, tmp_path / "first")
    still = RowWriter(RowStore(first, PRINT))  # never closed
    still.add([digest(1)], {"features": expected([1])})
    still.flush()
    second, listing = machine(monkeypatch, tmp_path / "second"), type(memory).ls

    def names(*given: Any, **options: Any) -> list[str]:  # ftp lists them without their folder
        found = listing(*given, **options)
        return found if options.get("detail", True) else [path.rsplit("/", 1)[-1] for path in found]

    monkeypatch.setattr(type(memory), "ls", names)
    assert RowStore(second, PRINT).has([digest(1)]).all()


def test_a_url_that_cannot_be_written_costs_a_note_and_no_rows(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RowStore(machine(monkeypatch, tmp_path), PRINT)

    def refused(*_: object) -> None:
        raise PermissionError("403 for memory://me:key@box")

    monkeypatch.setattr(type(memory), "put_file", refused)
    add(store, [1])
    assert store.has([digest(1)]).all()
    assert len(store.notes) == 1
    assert "forward passes stay on this machine" in store.notes[0]
    assert "key" not in store.notes[0]


def test_urls_that_cannot_be_used_say_so_and_files_are_not_copied(tmp_path: Path) -> None:
    assert folder_of(tmp_path.as_uri()) == tmp_path
    with pytest.raises(CacheError, match=r"the cache at nosuch://box/x cannot be used.*`--cache FOLDER`") as caught:
        folder_of("nosuch://me:key@box/x")
    assert "key" not in str(caught.value)
