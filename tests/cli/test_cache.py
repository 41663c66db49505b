"""`headstart cache` lists the cached rows, makes room and moves them."""

import os
import shutil
from pathlib import Path

import numpy as np
from tests.cli.conftest import Run

from headstart.store import RowStore, RowWriter


def test_the_cache_is_listed_pruned_and_moved(run: Run, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for age, name in enumerate(("aaaa", "bbbb", "cccc")):
        with RowWriter(RowStore(cache, name)) as writer:
            writer.add([b"0123456789abcdef"], {"features": np.ones((1, 25), np.float32)})
        os.utime(cache / "rows" / name, (1e9 - age, 1e9 - age))
    shutil.rmtree(cache / "running")  # as if that run had ended
    shown = run("cache", "--cache", cache)
    assert shown.exit_code == 0, shown.stderr
    assert "3 models" in shown.stdout
    assert "2001-09-09" in shown.stdout
    assert "Deleted the rows of 2 models" in run("cache", "--cache", cache, "--max-size", "0.2kB").stdout
    moved = run("cache", "--cache", cache, "--move", tmp_path / "new", "--json", "-")
    assert '"fingerprint": "aaaa"' in moved.stdout
    assert "HEADSTART_CACHE=" in moved.stderr
    assert "exclude each other" in run("cache", "--max-size", "1", "--move", cache).stderr
    assert "such as 500MB or 20GB; got 'much'" in run("cache", "--max-size", "much").stderr
