"""How many threads work on what: a few over blocks of rows, one on small matrices."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from itertools import pairwise
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")


def thread_count() -> int:
    """`OMP_NUM_THREADS` where set, else the processors this process may use, at most 8."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, int(wanted) if wanted.isdigit() else available))


def over_shares(work: Callable[[Sequence[slice]], Result], blocks: Sequence[slice], shares: int) -> list[Result]:
    """Call `work` on up to `shares` runs of neighbouring blocks side by side; results in the order of the blocks."""
    shares = min(shares, len(blocks))
    if shares <= 1:
        return [work(blocks)]
    cuts = [len(blocks) * k // shares for k in range(shares + 1)]
    runs = [blocks[low:high] for low, high in pairwise(cuts)]
    with ThreadPoolExecutor(shares) as pool:
        return list(pool.map(work, runs))


def one_matrix_thread() -> AbstractContextManager[object]:
    """Matrix products on one thread, for loops over small ones.

    There the threads of the matrix library wait for one another more than they work; with other programs on the same
    processors that was seen to take twenty times as long.
    """
    limits: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limits


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
