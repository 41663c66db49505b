"""Many small checkpoints on two local Ray workers: overhead of a task, memory, and what kills cost.

    python benchmarks/many_checkpoints.py FOLDER [--checkpoints 1000] [--runs worker2+driver4 ray6 nothing]

Makes one small body of timm with perturbed weights and heads as local folders, then measures:

1. what Ray adds to a task that does nothing;
2. a ranking of all checkpoints on two workers: the time of a task beyond its work, as the workers measure it, and the
   memory of driver and workers along the way;
3. kill -9 of a worker after two tenths and of the driver after four; the same call again, with kill -9 of the whole
   Ray instance after six; and once more to the end. The cache counts passes: one made twice is a row too many.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = 24
PIXELS = 32
WORKERS = 2


def make(folder: Path, count: int) -> None:
    """Local folders with one architecture and other weights."""
    import headstart.torchvision_ops  # noqa: F401  before timm

    import timm  # isort: skip
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    module = timm.create_model("test_efficientnet", num_classes=8)
    module.pretrained_cfg |= {"input_size": (3, PIXELS, PIXELS), "crop_pct": 1.0}
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
    pixels = rng.integers(0, 80, (EXAMPLES, PIXELS, PIXELS, 3)) + 80 * labels[:, None, None, None]
    return list(pixels.astype(np.uint8)), [f"class {label}" for label in labels]


def drive(folder: Path, cache: Path) -> None:
    """The ranking, with one line of JSON for each tenth of it and at the end."""
    from headstart.ranking import rank, rounds
    from headstart.runner import Event, Ray, listener

    worked: list[tuple[float, float]] = []  # when each answer came, and how long its worker worked for it
    answer, line = rounds._answer, listener(True)

    def timed(result: Any) -> Any:
        worked.append((time.perf_counter(), answer(result).seconds))
        return answer(result)

    def heard(event: Event) -> None:
        line(event)
        if event.what == "models" and event.total and event.done % max(1, event.total // 10) == 0:
            workers = [_memory(pid) for pid in _ray_workers()]
            said = {"done": event.done, "s": round(time.perf_counter() - started, 1)}
            print(json.dumps({**said, "driver MB": _memory(os.getpid()), "workers MB": workers}), flush=True)

    rounds._answer = timed
    with Ray(processors=WORKERS, threads=1):  # the ranking joins it
        started = time.perf_counter()
        names = f"local-dir:{folder}/models/*"
        found = rank(target(), names, scores="leep", cache=cache, workers="ray", progress=heard, device="cpu")
        spent = time.perf_counter() - started
    later = worked[len(worked) // 10 :]  # all workers have started and imported torch
    beyond = WORKERS * (later[-1][0] - later[0][0]) - sum(work for _, work in later[1:])
    said = {
        "ranked": len(found.rows), "failed": len(found.failures), "computed": sum(row.computed for row in found.rows),
        "s": round(spent, 1), "ms of work": round(1000 * sum(work for _, work in later) / len(later), 1),
        "ms beyond it": round(1000 * beyond / (len(later) - 1), 1),
    }  # fmt: skip
    print(json.dumps(said), flush=True)


def nothing(number: int) -> int:
    """A job that does nothing."""
    return number


def overhead(count: int) -> float:
    """Milliseconds that a task on Ray takes beyond its work, with two workers."""
    from headstart.runner import Ray, map

    with Ray(processors=WORKERS, threads=1) as cluster:
        list(map(nothing, range(20), on=cluster))  # the workers start
        started = time.perf_counter()
        assert sum(1 for _ in map(nothing, range(count), on=cluster)) == count
        return 1000 * (time.perf_counter() - started) * WORKERS / count


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


def run(folder: Path, cache: Path, kills: dict[int, str]) -> list[dict[str, object]]:
    """The ranking in a process of its own; after some tenths, something is killed."""
    command = [sys.executable, __file__, str(folder), "--drive", str(cache)]
    said: list[dict[str, object]] = []
    with (
        (folder / "progress.txt").open("w") as line,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=line, text=True) as driver,
    ):
        assert driver.stdout is not None
        for text in driver.stdout:
            if text.startswith("{"):
                said.append(json.loads(text))
            if kill := kills.pop(len(said) - 1, ""):
                victims = {"driver": [driver.pid], "worker": _ray_workers()[:1], "ray": _ray_workers(b"raylet/raylet")}
                for pid in victims[kill]:
                    os.kill(pid, signal.SIGKILL)
        driver.wait()
    return said


def rows_in(cache: Path) -> int:
    """Rows of all segments in the cache, each as often as it was computed."""
    from headstart.store import held

    return sum(one.rows for one in held(cache))


def main() -> None:
    """All measurements, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--runs", nargs="+", default=["worker2+driver4", "ray6", "nothing"])
    parser.add_argument("--drive", type=Path)
    given = parser.parse_args()
    if given.drive:
        drive(given.folder, given.drive)
        return
    make(given.folder / "models", given.checkpoints)
    print(f"Ray adds {overhead(given.checkpoints):.1f} ms to a task that does nothing", flush=True)
    print(f"{given.checkpoints * EXAMPLES:,} passes are needed", flush=True)
    cache = given.folder / "cache"
    for plan in given.runs:
        kills = {int(one[-1]): one[:-1] for one in plan.split("+") if one[-1].isdigit()}
        said = run(given.folder, cache, kills)
        lines = (given.folder / "progress.txt").read_bytes().count(b"\n")
        print(f"killed {plan}: {rows_in(cache):,} rows; {lines} lines on standard error", flush=True)
        for one in said:
            print(f"  {json.dumps(one)}", flush=True)


if __name__ == "__main__":
    main()
