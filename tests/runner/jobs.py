"""Jobs that worker processes can import."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from headstart.runner import Inline, Processes, map


class UnsendableError(Exception):
    """Pickles, and cannot be read back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def square(number: int) -> int:
    return number * number


def product(seed: int) -> np.ndarray:
    """A result whose last digits depend on the number of threads and on the order of sums."""
    matrix = np.random.default_rng(seed).normal(size=(257, 257)).astype(np.float32)
    return np.linalg.solve(matrix @ matrix.T + np.eye(257, dtype=np.float32), matrix)


def threads(_: object) -> list[int]:
    """What numpy's library uses, and what torch reads when it loads, which would take seconds here."""
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [int(os.environ["OMP_NUM_THREADS"]), *(pool["num_threads"] for pool in threadpool_info())]


def gpu(_: object) -> float:
    """The share of a GPU that Ray gave to this task."""
    import ray

    return float(ray.get_runtime_context().get_assigned_resources().get("GPU", 0.0))


def trouble(number: int) -> int:
    """1 raises, 2 raises what cannot be sent, 3 is killed, 4 exits, 5 returns what cannot be sent."""
    if number == 1:
        raise ValueError("one is odd")
    if number == 2:
        raise UnsendableError(1, 2)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 4:
        sys.exit(7)
    return (lambda: 0) if number == 5 else number  # type: ignore[return-value]  # on purpose


def marked(folder: Path, number: int) -> int:
    """Counts its calls in files."""
    (folder / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return number


def slow(folder: Path, number: int) -> int:
    marked(folder, number)
    time.sleep(60)
    return number


def slow_after_one(folder: Path, number: int) -> int:
    return marked(folder, number) if number == 1 else slow(folder, number)


def nested(number: int) -> list[int]:
    executor = Inline() if number == 0 else Processes(2)
    return [result.get() for result in map(square, [1, 2], on=executor)]


def own_process(_: object) -> int:
    return os.getpid()
