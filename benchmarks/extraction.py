"""Extraction against a bare eager loop: same photos, preprocessing, threads and batch size, in one process.

    python benchmarks/extraction.py            # about 6 minutes on 2 cores; writes RESULTS.md
    python benchmarks/extraction.py --quick    # n = 200 only; prints and writes nothing

The photos are made here and saved as JPEG files in class folders, so that both sides read, decode and prepare them
through the same code. The bare loop is `for x in DataLoader(...): network(x)` without gradients.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from _results import write_section
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from headstart.data import open_target
from headstart.data.target import Target
from headstart.extract import extract
from headstart.extract.engine import Engine
from headstart.records import Extraction
from headstart.sources import Source, candidates

BATCH = 32
TOLERANCE = 1e-4
BOUND = {200: 1.3, 4000: 1.8}  # what is promised for EfficientNet-Lite0 at 224 pixels; 1 / 1.05 elsewhere
Result = TypeVar("Result")


def make_photos(folder: Path, count: int, side: int) -> Target:
    """JPEG files of smooth random scenes with a little noise, in two class folders."""
    rng = np.random.default_rng(0)
    for index in range(count):
        scene = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        pixels = np.asarray(scene.resize((side * 4 // 3, side), Image.Resampling.BICUBIC), dtype=np.int16)
        pixels = (pixels + rng.integers(-8, 9, pixels.shape)).clip(0, 255).astype(np.uint8)
        path = folder / "ab"[index % 2] / f"{index:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=88)
    return open_target(folder)


class Prepared(Dataset[Any]):
    """What the bare loop reads: an example, decoded and prepared."""

    def __init__(self, target: Target, source: Source) -> None:
        self.target, self.source = target, source

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> object:
        return self.source.prepare(self.target.examples.load(index))


def bare_loop(target: Target, source: Source, workers: int = 0) -> list[torch.Tensor]:
    """Features and logits by `for x in loader: network(x)`."""
    loader = DataLoader(Prepared(target, source), BATCH, collate_fn=source.collate, num_workers=workers)
    with torch.no_grad():
        rows = [source.network(x) for x in loader]
    return [torch.cat(column) for column in zip(*rows, strict=True)]


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def difference(found: Extraction, expected: list[torch.Tensor]) -> float:
    """Largest difference, as a share of the largest value."""
    pairs = zip((found.features, found.logits), expected, strict=True)
    return max(float(np.abs(rows - other.numpy()).max() / other.abs().max()) for rows, other in pairs)


@dataclass(frozen=True)
class Comparison:
    """Both sides on one target."""

    bare: float  # seconds of the bare loop
    ours: float  # seconds of `extract`, from an empty cache
    again: float  # seconds from the cache
    difference: float  # of the arrays, as a share of the largest value
    engine: str


def compare(target: Target, source: Source, repeats: int) -> Comparison:
    """Best times of both sides, taken in turn; every extraction starts from an empty cache."""
    bare, ours = [], []
    for _ in range(repeats):
        expected, seconds = timed(partial(bare_loop, target, source))
        bare.append(seconds)
        with tempfile.TemporaryDirectory() as cache:
            found, seconds = timed(partial(extract, target, source, cache=Path(cache), batch_size=BATCH))
            ours.append(seconds)
            _, again = timed(partial(extract, target, source, cache=Path(cache)))
            far = difference(found, expected)
    return Comparison(min(bare), min(ours), again, far, found.engine)


def row(n: int, result: Comparison, bound: float) -> str:
    ratio = result.bare / result.ours
    met = "yes" if ratio >= bound and result.difference <= TOLERANCE else "NO"
    return (
        f"| {n:,} | {result.bare:.2f} | {result.ours:.2f} | {ratio:.2f} | {bound:.2f} | {met} | "
        f"{result.difference:.0e} | {result.again:.2f} | {result.engine} |"
    )


def large(target: Target, sizes: list[int]) -> list[str]:
    """EfficientNet-Lite0 at 224 pixels."""
    source = candidates(["zoo/efficientnet_lite0"])[0].load(False)
    lines = [
        "EfficientNet-Lite0, 224 pixels. Seconds, hashing the files, writing the cache and any export included.",
        "",
        "| n | bare loop | extract | times faster | promised | met | largest difference | from the cache | engine |",
        "|--:|--:|--:|--:|--:|:-:|--:|--:|---|",
    ]
    for n in sizes:
        part = target.subset(np.arange(n))
        lines.append(row(n, compare(part, source, repeats=3 if n <= 200 else 1), BOUND.get(n, 1 / 1.05)))
        print(lines[-1], flush=True)
    n = sizes[-1]
    whole = target.subset(np.arange(n))
    engines: tuple[Engine, ...] = ("eager", "onnxruntime")
    for engine in engines:
        found, seconds = timed(partial(extract, whole, source, batch_size=BATCH, engine=engine))
        lines += ["", f"`engine='{engine}'` for n = {n:,}, not cached: {seconds:.2f} s ({found.engine})."]
    part = target.subset(np.arange(200))
    _, seconds = timed(lambda: bare_loop(part, source, workers=len(os.sched_getaffinity(0))))
    lines += ["", f"The bare loop with one DataLoader worker a core takes {seconds:.2f} s for n = 200."]
    return lines


def small(target: Target) -> list[str]:
    """A 32-pixel network: what decoding allows, what the network allows, and what comes out."""
    source = candidates(["zoo/tiny_letters"])[0].load(False)
    result = compare(target, source, repeats=3)
    prepared = Prepared(target, source)
    _, decoding = timed(lambda: [prepared[i] for i in range(len(target))])
    batches = [source.collate([prepared[i] for i in range(BATCH)])] * (len(target) // BATCH)
    with torch.inference_mode():
        _, network = timed(lambda: [source.network(batch) for batch in batches])
    rates = {
        "decoding and preparing alone, one thread": len(target) / decoding,
        "network alone, batches of 32, all threads": len(batches) * BATCH / network,
        "bare loop": len(target) / result.bare,
        "extract": len(target) / result.ours,
    }
    lines = ["", f"tiny_letters, 32 pixels, n = {len(target):,}. Images per second:", ""]
    lines += ["| what | images/s |", "|---|--:|", *(f"| {name} | {rate:,.0f} |" for name, rate in rates.items())]
    lines += ["", f"Largest difference {result.difference:.0e}; promised: at most 5 % slower than the bare loop."]
    return lines


def main() -> None:
    """Make the photos, measure, print, and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="n = 200 only, nothing is recorded")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder) / "photos", 200 if quick else 4000, side=300)
        icons = make_photos(Path(folder) / "icons", 500 if quick else 4000, side=48)
        threads = f"{torch.get_num_threads()} torch threads, {os.cpu_count()} cores, torch {torch.__version__}."
        lines = [threads, "", *large(photos, [200] if quick else [8, 50, 200, 1000, 4000]), *small(icons)]
    print("\n".join(lines), flush=True)
    if not quick:
        write_section("Extraction", lines)


if __name__ == "__main__":
    main()
