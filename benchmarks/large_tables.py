"""Peak memory of ranking data larger than memory with `--limit`, at three sizes: it does not grow with the rows.

    python benchmarks/large_tables.py FOLDER [--rows 200000 500000 1000000] [--limit 1000]
    python benchmarks/large_tables.py FOLDER --tars [--rows 100000 250000 500000] [--limit 1000]

Writes Parquet shards of random sentences of about 120 characters in 5 classes, or tars of images of 8 x 8 pixels, and
ranks a bundled model on each size in a process of its own. With `--open` the data are only opened.
"""

import argparse
import io
import resource
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
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


def write_tars(folder: Path, rows: int) -> int:
    """Tars of images whose class is their colour, as WebDataset lays them out; returns their bytes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = [_png(rng.integers(0, 120, (8, 8, 3)) + 30 * (number % 5)) for number in range(500)]
    for start in range(0, rows, SHARD):
        with (folder / f"train-{start:08}.tar").open("wb") as file:
            for row in range(start, min(start + SHARD, rows)):
                for ending, content in (("png", pictures[row % 500]), ("cls", b"%d" % (row % 5))):
                    member = tarfile.TarInfo(f"{row:08}.{ending}")
                    member.size = len(content)
                    file.write(member.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512))
            file.write(bytes(1024))
    return sum(file.stat().st_size for file in folder.iterdir())


def _png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, format="PNG")
    return content.getvalue()


def measure(folder: str, limit: int, *, opened: bool, tars: bool) -> None:
    """In a process of its own: rank, and print seconds and peak memory."""
    from headstart.data.reading import Reading
    from headstart.ranking import rank
    from headstart.ranking.inputs import open_inputs

    started = time.perf_counter()
    if opened:
        open_inputs(folder, Reading(), most=limit, seed=0)
    else:
        model = "zoo/tiny_letters" if tars else "zoo/all_minilm_l6_v2"
        rank(folder, model, limit=limit, cache=False, scores="leep_pooled,logme")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - started:.1f} s, peak {peak:.0f} MB")


def main() -> None:
    """All sizes, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--tars", action="store_true")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--measure")
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.limit, opened=given.open, tars=given.tars)
        return
    what, write = ("tars", write_tars) if given.tars else ("Parquet", write_shards)
    for rows in given.rows or ([100_000, 250_000, 500_000] if given.tars else [200_000, 500_000, 1_000_000]):
        place = given.folder / str(rows)
        size = write(place, rows)
        command = [sys.executable, __file__, str(given.folder), "--measure", str(place), "--limit", str(given.limit)]
        command += [*["--open"] * given.open, *["--tars"] * given.tars]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{rows:,} rows, {size / 1e6:.0f} MB of {what}: {done.stdout.strip()}", flush=True)
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
