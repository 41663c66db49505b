"""How many threads numerical libraries use: sums are split by thread, so the last digits depend on the count."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")


def threads_of_each(workers: int) -> int:
    """Threads of each of several processes: `OMP_NUM_THREADS`, else a share of the processors that may be used."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(wanted) if wanted.isdigit() else available // workers)


def environment(threads: int) -> dict[str, str]:
    """Variables that set the count in a process to be started; libraries read them when they load."""
    return {f"{library}_NUM_THREADS": str(threads) for library in _LIBRARIES}


@contextmanager
def changed_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Run a block with this many threads in libraries that are loaded already; None changes nothing."""
    if threads is None:
        yield
        return
    torch = sys.modules.get("torch")  # has its own count beside that of the OpenMP library; never loaded from here
    with ExitStack() as stack:
        stack.enter_context(changed_environment({"OMP_NUM_THREADS": str(threads)}))
        stack.enter_context(threadpool_limits(threads))
        if torch is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        yield
