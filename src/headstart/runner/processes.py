"""Worker processes that lose one item, never the run, when one of them dies (`concurrent.futures` loses all).

Each worker has its own pipe, so the driver knows which item a dead worker held. Workers are spawned: a forked copy of a
process in which torch or BLAS have started threads may hang, and a fork server would keep the thread counts of its
first use.
"""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from headstart.errors import InputError, WorkerError, check_whole
from headstart.runner.mapping import Answer, Item, Value
from headstart.runner.worker import ITEM, JOB, NAMED, READY, serve

GRACE_SECONDS = 5.0  # for idle workers to end by themselves
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")  # whose number of threads decides the last digits of sums


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    ready: bool = False  # it has started
    job: int = -1  # the run whose job it holds
    task: int | None = None  # the number of its current task


@dataclass
class Processes:
    """Runs jobs in worker processes, which end with each `map`, or with the block if this is a context manager.

    Args:
        workers: How many processes; at most one per item is started.
        threads: Threads of numerical libraries in each: `OMP_NUM_THREADS` or a share of the processors by default.
    """

    workers: int
    threads: int | None = None
    _all: list[_Worker] = field(default_factory=list, init=False, repr=False)
    _kept: bool = field(default=False, init=False, repr=False)
    _runs: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        check_whole(1, workers=self.workers, threads=self.threads)

    def __enter__(self) -> Self:
        self._kept = True
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._kept = False
        self._end(self._all)

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]:
        """Answers as they finish."""
        if NAMED in os.environ:
            raise InputError(
                "a worker process cannot start workers of its own. Use `workers=1` inside a job; in a script, put the "
                'code that starts workers under `if __name__ == "__main__":`, because each worker imports the script.'
            )
        self._runs += 1
        return self._answers(pickled(job), iter(tasks))

    def _answers(self, job: bytes, tasks: Iterator[tuple[int, Any]]) -> Iterator[Answer]:
        try:
            while True:
                while self._room() and (task := next(tasks, None)) is not None:
                    idle = next((worker for worker in self._all if worker.task is None), None)
                    if (failed := self._give(idle or self._start(), job, *task)) is not None:
                        yield failed
                busy = {worker.connection: worker for worker in self._all if worker.task is not None}
                if not busy:
                    return
                for connection in wait(list(busy)):
                    assert isinstance(connection, Connection)
                    if (answer := self._heard(busy[connection])) is not None:
                        yield answer
        finally:
            self._end([worker for worker in self._all if worker.task is not None or not self._kept])

    def _room(self) -> bool:
        self._end([worker for worker in self._all if worker.task is None and not worker.process.is_alive()])
        return sum(worker.task is not None for worker in self._all) < self.workers

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        threads = self.threads or threads_of_each(self.workers)
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        variables = {f"{library}_NUM_THREADS": str(threads) for library in LIBRARIES}  # read when a library loads
        with _changed_environment({**variables, NAMED: "1"}), _interrupts_held():
            process.start()
        theirs.close()  # only the worker holds that end now, so its death ends the pipe
        self._all.append(_Worker(process, ours))
        return self._all[-1]

    def _give(self, worker: _Worker, job: bytes, number: int, item: Any) -> Answer | None:
        """Send a task to a worker; returns the answer if that fails at once."""
        try:
            content = ITEM + pickle.dumps(item)
        except Exception as error:  # pickling runs the item's own code
            return number, None, WorkerError(f"it cannot be sent to a worker process: {error}. Use `workers=1`.")
        worker.task = number
        with suppress(OSError):  # it has died: `_heard` will find its end of the pipe closed
            if worker.job != self._runs:
                worker.connection.send_bytes(JOB + job)
                worker.job = self._runs
            worker.connection.send_bytes(content)
        return None

    def _heard(self, worker: _Worker) -> Answer | None:
        """The answer that a worker sent; None if it only reported that it has started."""
        number = worker.task
        assert number is not None
        try:
            content = worker.connection.recv_bytes()
        except (EOFError, OSError):
            return number, None, self._death(worker)
        if content == READY:
            worker.ready = True
            return None
        worker.task = None
        try:
            value, error = pickle.loads(content)
        except Exception as failure:  # unpickling runs the value's own code
            return number, None, WorkerError(f"the result of a job cannot be read back: {failure}.")
        return number, value, error

    def _death(self, worker: _Worker) -> WorkerError:
        worker.process.join()
        self._end([worker])
        code = worker.process.exitcode or 0
        if not worker.ready and code >= 0:
            raise InputError(
                f"worker processes cannot start (exit code {code}; see the messages above). In a script, put the code "
                'that starts them under `if __name__ == "__main__":`, because each worker imports the script.'
            )
        if code < 0:
            return WorkerError(
                f"the worker process was killed by signal {-code} ({signal.strsignal(-code)}) while it worked on this "
                "item, often because the machine ran out of memory. Use fewer `workers` and run again."
            )
        return WorkerError(f"the worker process exited while it worked on this item (exit code {code}).")

    def _end(self, workers: list[_Worker]) -> None:
        """End these workers: kill those at work, and let the others finish by closing their pipe."""
        self._all = [worker for worker in self._all if worker not in workers]
        for worker in workers:
            if worker.task is not None or not worker.ready:
                worker.process.kill()
            worker.connection.close()
        for worker in workers:
            worker.process.join(GRACE_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def pickled(job: object) -> bytes:
    """The job for other processes; InputError if it cannot be pickled."""
    try:
        return pickle.dumps(job)
    except Exception as error:  # pickling runs the job's own code
        raise InputError(
            f"the job cannot be sent to worker processes: {error}. Name a function of a module, or use `workers=1`."
        ) from error


def threads_of_each(workers: int | None) -> int:
    """Threads of each of several processes: `OMP_NUM_THREADS`, else a share of the processors; 1 without a number."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(wanted) if wanted.isdigit() else available // (workers or available))


@contextmanager
def _changed_environment(changes: Mapping[str, str]) -> Iterator[None]:
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
def _interrupts_held() -> Iterator[None]:
    """A process started here ignores Ctrl-C from its first moment on: the driver ends it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
