"""Many small checkpoints on two local Ray workers: overhead of a task, memory, and what kills cost.

    python benchmarks/many_checkpoints.py FOLDER [--checkpoints 1000]

Makes one small body of timm with perturbed weights and heads as local folders, then measures:

1. what Ray adds to a task: items that do nothing, less the same items in this process;
2. a ranking of all checkpoints on two workers: seconds, and the memory of driver and workers along the way;
3. kill -9 of a worker, of the driver, and of the whole Ray instance, each in the middle: is anything lost, and is any
   pass made twice when the same call runs again?
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

EXAMPLES = 24


def make(folder: Path, count: int) -> None:
    """Local folders with one architecture and other weights."""
    import headstart.torchvision_ops  # noqa: F401  before timm

    import timm  # isort: skip
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    module = timm.create_model("test_efficientnet", num_classes=8)
    start = {name: value.clone() for name, value in module.state_dict().items()}
    for number in range(count):
        if not (folder / f"{number:04}" / "config.json").exists():
            with torch.no_grad():
                for name, value in module.named_parameters():
                    value.copy_(start[name] + 0.02 * torch.randn_like(value))
            save_for_hf(module, folder / f"{number:04}", safe_serialization=True)


def target() -> tuple[list[np.ndarray], list[str]]:
    """A few small pictures whose class is their brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % 3
    pixels = rng.integers(0, 80, (EXAMPLES, 32, 32, 3)) + 80 * labels[:, None, None, None]
    return list(pixels.astype(np.uint8)), [f"class {label}" for label in labels]


def drive(folder: Path, cache: Path) -> None:
    """The ranking, with one line of JSON for each tenth of it and at the end."""
    from headstart.ranking import rank
    from headstart.runner import Event

    started = time.perf_counter()

    def heard(event: Event) -> None:
        if event.what == "models" and event.total and event.done % max(1, event.total // 10) == 0:
            spent = round(time.perf_counter() - started, 1)
            workers = [_memory(pid) for pid in _ray_workers()]
            print(
                json.dumps({"done": event.done, "s": spent, "driver": _memory(os.getpid()), "workers": workers}),
                flush=True,
            )

    found = rank(
        target(), f"local-dir:{folder}/*", scores="leep", cache=cache, workers="ray", progress=heard, device="cpu"
    )
    computed = sum(row.computed for row in found.rows)
    print(json.dumps({"ranked": len(found.rows), "failed": len(found.failures), "computed": computed}), flush=True)


def nothing(number: int) -> int:
    """A job that does nothing."""
    return number


def overhead(count: int) -> float:
    """Milliseconds that a task on Ray takes beyond its work, with two workers."""
    from headstart.runner import Ray, map

    with Ray(processors=2, threads=1) as cluster:
        list(map(nothing, range(20), on=cluster))  # the workers start
        started = time.perf_counter()
        assert sum(1 for _ in map(nothing, range(count), on=cluster)) == count
        return 1000 * (time.perf_counter() - started) * 2 / count


def _memory(pid: int) -> int:
    """Megabytes resident."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 >> 20
    except OSError:
        return 0


def _ray_workers(name: bytes = b"ray::_run") -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if name in _line(path)]


def _line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def run(folder: Path, cache: Path, *, kill: str = "", after: int = 1) -> list[dict[str, object]]:
    """The ranking in a process of its own; something is killed after some tenths."""
    command = [sys.executable, __file__, str(folder), "--drive", str(cache)]
    said: list[dict[str, object]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if line.startswith("{"):
                said.append(json.loads(line))
            if kill and len(said) == after + 1:
                victims = {"driver": [driver.pid], "worker": _ray_workers()[:1], "ray": _ray_workers(b"raylet/raylet")}
                for pid in victims[kill]:
                    os.kill(pid, signal.SIGKILL)
                kill = ""
        driver.wait()
    return said


def main() -> None:
    """All measurements, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--drive", type=Path)
    given = parser.parse_args()
    models = given.folder / "models"
    if given.drive:
        drive(given.folder, given.drive)
        return
    print(f"Ray adds {overhead(given.checkpoints):.1f} ms to a task of two workers", flush=True)
    make(models, given.checkpoints)
    whole = given.checkpoints * EXAMPLES
    for kill in ("", "worker", "driver", "ray"):
        cache = given.folder / f"cache-{kill or 'none'}"
        shutil.rmtree(cache, ignore_errors=True)
        said = run(models, cache, kill=kill, after=3)
        print(f"killed {kill or 'nothing'}: {json.dumps(said)}", flush=True)
        if "ranked" not in said[-1]:
            again = run(models, cache)[-1]
            print(f"  again: {json.dumps(again)}; {whole} passes in all", flush=True)
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
