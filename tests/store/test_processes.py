"""Several processes on one cache, and processes that are killed: every row that is read is right."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from headstart.store import RowStore

PROGRAM = """
import hashlib, sys, time
from pathlib import Path
import numpy as np
from headstart.store import RowStore, RowWriter, writer

def digest(n): return hashlib.blake2b(str(n).encode(), digest_size=16).digest()
def rows(ns): return np.array([[n, n / 3] for n in ns], np.float32)

writer.FLUSH_SECONDS = 0.0
folder, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
for _ in range(rounds):
    store = RowStore(folder, "0123abcd")
    wanted = rng.permutation(200)[: rng.integers(20, 200)]
    missing = wanted[~store.has(digest(n) for n in wanted)]
    with RowWriter(store) as out:
        for batch in np.array_split(missing, 5):
            if len(batch):
                out.add([digest(n) for n in batch], {"features": rows(batch)})
                print("batch", flush=True)
    found = store.read(digest(n) for n in wanted)["features"]
    assert np.array_equal(found, rows(wanted))
    assert store.notes == []
"""


def start(folder: Path, seed: int, rounds: int) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder), str(seed), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_three_processes_that_add_at_once_read_only_right_rows(tmp_path: Path):
    running = [start(tmp_path, seed, rounds=25) for seed in range(3)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_a_process_killed_in_mid_write_leaves_only_whole_rows(tmp_path: Path):
    process = start(tmp_path, seed=0, rounds=100_000)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = RowStore(tmp_path, "0123abcd")
    segments = store.segments()
    assert sum(map(len, segments)) > 0
    assert store.notes == []
    for segment in segments:
        features = segment.fields["features"]
        assert np.array_equal(features[:, 1], (features[:, 0] / 3).astype(np.float32))
