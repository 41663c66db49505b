"""Extraction that is killed, and two extractions at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from tests.extract.toys import Net, pictures, plainly, source

from headstart.extract import extract

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from tests.extract.toys import Net, pictures, source
from headstart.store import writer
from headstart.extract import extract, feed

feed.decoders = lambda: 1
writer.FLUSH_SECONDS = 0.0
target = pictures(range(int(sys.argv[2])), seconds=float(sys.argv[3]))
tell = lambda event: print(event.done, flush=True)
found = extract(target, source(Net()), cache=Path(sys.argv[1]), batch_size=4, progress=tell)
print("computed", found.computed, float(found.features.sum()), flush=True)
"""


def start(cache: Path, examples: int, seconds: float) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", PROGRAM, str(cache), str(examples), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_a_killed_run_resumes_at_the_batch_it_had_reached(tmp_path: Path):
    process = start(tmp_path, examples=1000, seconds=0.01)
    assert process.stdout is not None
    reached = 0
    while reached < 40:
        reached = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    last = max([reached, *(int(line) for line in rest.split())])
    target, one = pictures(range(1000)), source(Net())
    found = extract(target, one, cache=tmp_path)
    assert 1000 - last - 4 <= found.computed <= 1000 - last
    assert last < 1000  # it was killed in mid-run
    np.testing.assert_allclose(found.features, plainly(target, one, range(1000))[0], rtol=1e-4, atol=1e-6)


def test_two_processes_on_one_cache_agree(tmp_path: Path):
    process = start(tmp_path, examples=150, seconds=0.01)
    assert process.stdout is not None
    process.stdout.readline()  # it has begun
    target, one = pictures(range(150)), source(Net())
    own = extract(target, one, cache=tmp_path, batch_size=4)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    found = extract(target, one, cache=tmp_path)
    assert found.computed == 0
    reference = plainly(target, one, range(150))[0]
    for rows in (own.features, found.features):
        np.testing.assert_allclose(rows, reference, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(float(output.split()[-1]), float(reference.sum()), rtol=1e-4)
