"""Peak memory of ranking texts in Parquet shards with `--limit`, at three sizes: it does not grow with the rows.

    python benchmarks/large_tables.py FOLDER [--rows 200000 500000 1000000] [--limit 1000]

Writes shards of random sentences of about 120 characters in 5 classes, then ranks the bundled sentence encoder on each
size in a process of its own. With `--open` the table is only opened, without a forward pass.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow.parquet import write_table

SHARD = 50_000


def write_shards(folder: Path, rows: int) -> int:
    """Shards of labelled sentences; returns their bytes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    words = np.array([f"word{n}" for n in range(5000)])
    for start in range(0, rows, SHARD):
        count = min(SHARD, rows - start)
        labels = rng.integers(0, 5, count)
        drawn = words[rng.integers(0, 1000, (count, 16)) + 1000 * labels[:, None]]
        write_table(
            pa.table({"text": [" ".join(line) for line in drawn], "label": labels}), folder / f"{start:08}.parquet"
        )
    return sum(file.stat().st_size for file in folder.iterdir())


def measure(folder: str, limit: int, *, opened: bool) -> None:
    """In a process of its own: rank, and print seconds and peak memory."""
    from headstart.data.reading import Reading
    from headstart.ranking import rank
    from headstart.ranking.inputs import open_inputs

    started = time.perf_counter()
    if opened:
        open_inputs(folder, Reading(), most=limit, seed=0)
    else:
        rank(folder, "zoo/all_minilm_l6_v2", limit=limit, cache=False, scores="leep_pooled,logme")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - started:.1f} s, peak {peak:.0f} MB")


def main() -> None:
    """All sizes, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 500_000, 1_000_000])
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--measure")
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.limit, opened=given.open)
        return
    for rows in given.rows:
        place = given.folder / str(rows)
        size = write_shards(place, rows)
        command = [sys.executable, __file__, str(given.folder), "--measure", str(place), "--limit", str(given.limit)]
        done = subprocess.run([*command, *["--open"] * given.open], capture_output=True, text=True, check=True)
        print(f"{rows:,} rows, {size / 1e6:.0f} MB of Parquet: {done.stdout.strip()}", flush=True)
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
