"""The cache is listed, pruned and moved; what a run is using stays."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import CacheError, InputError
from headstart.store import RowStore, RowWriter, bytes_of, cache_size, care, held, move, prune

KEYS = [bytes([n]) * 16 for n in range(4)]
OTHER = f"{socket.gethostname()}-"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows of three sources, used in turn by a run that has ended."""
    root = tmp_path / "cache"
    monkeypatch.setattr(care, "_announced", set())
    for age, name in ((300, "aaaa"), (200, "bbbb"), (100, "cccc")):
        with RowWriter(RowStore(root, name)) as writer:
            writer.add(KEYS, {"features": np.ones((4, 25), np.float32)})
        os.utime(root / "rows" / name, (1e9 - age, 1e9 - age))
    shutil.rmtree(root / "running")
    care._announced.clear()
    (root / "mine.txt").write_text("not rows")
    return root


def test_it_lists_and_deletes_the_least_recently_used_first(cache: Path) -> None:
    found = held(cache)
    assert [(one.fingerprint, one.rows, one.busy) for one in found] == [
        *(("cccc", 4, False), ("bbbb", 4, False), ("aaaa", 4, False)),
    ]
    assert sum(one.bytes for one in found) == cache_size(cache) > 3 * 400
    assert [one.fingerprint for one in prune(cache, 2 * found[0].bytes)] == ["aaaa"]
    assert prune(cache, 2 * found[0].bytes) == []
    assert len(prune(cache, 0)) == 2
    assert cache_size(cache) == 0
    assert (cache / "mine.txt").exists()


def test_what_a_run_is_using_stays(cache: Path) -> None:
    store = RowStore(cache, "aaaa")
    rows = store.read(KEYS)["features"]  # this process is a run
    assert [(one.fingerprint, one.busy) for one in held(cache)][:1] == [("aaaa", True)]
    assert {one.fingerprint for one in prune(cache, 0)} == {"bbbb", "cccc"}
    assert np.array_equal(store.read(KEYS)["features"], rows)
    with pytest.raises(CacheError, match=r"a run is using the cache .*Wait until it ends"):
        move(cache, cache.parent / "new")


def test_a_run_that_died_or_fell_silent_on_another_machine_holds_nothing(cache: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (cache / "running").mkdir()
    for name in (f"{OTHER}{ended.pid}", "elsewhere-1"):
        marker = cache / "running" / name
        marker.write_text("0.0")
        os.utime(marker, (1e9, 1e9))
    assert not any(one.busy for one in held(cache))
    assert list((cache / "running").iterdir()) == []
    (cache / "running" / "elsewhere-2").write_text("0.0")  # alive a moment ago
    assert all(one.busy for one in held(cache))
    assert prune(cache, 0) == []


def test_it_moves_into_a_folder_that_holds_rows_already(cache: Path) -> None:
    new = cache.parent / "new"
    with RowWriter(RowStore(new, "aaaa")) as writer:
        writer.add([b"x" * 16], {"features": np.zeros((1, 25), np.float32)})
    shutil.rmtree(new / "running")
    size = cache_size(cache)
    assert move(cache, new) == size
    assert cache_size(cache) == 0
    assert RowStore(new, "aaaa").has([*KEYS, b"x" * 16]).all()
    assert RowStore(new, "cccc").read(KEYS)["features"].sum() == 100


def test_sizes_are_read() -> None:
    assert bytes_of("0.5 GB") == 500_000_000
    with pytest.raises(InputError, match="`max_size`"):
        bytes_of("-1")
