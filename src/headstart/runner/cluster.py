"""Jobs as tasks of Ray, on this machine or on a cluster."""

import math
import os
import pickle
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

from headstart.errors import InputError, WorkerError, require
from headstart.runner.mapping import Answer, Item, Value
from headstart.runner.processes import LIBRARIES, pickled, threads_of_each
from headstart.runner.worker import NAMED, answer

RETRIES = 2  # of a task whose worker died; an exception of its job is an answer, and is not tried again
ASK_SECONDS = 5.0  # between two questions for the size of the cluster
ANSWER_SECONDS = 2.0  # within which a cluster that runs answers
NAMED_ADDRESS = "RAY_ADDRESS"
_held: dict[str, object] = {}  # in a worker: the job it ran last


@dataclass
class Ray:
    """Runs jobs as Ray tasks of one processor each; a task whose worker dies is tried twice more.

    Args:
        address: Of a cluster, as in "ray://HOST:PORT". None: the cluster that RAY_ADDRESS or `ray start` names, else
            one on this machine, which ends with the block.
        processors: Of one on this machine, which is then started whatever else runs; all by default.
        threads: Threads of numerical libraries in each task: `OMP_NUM_THREADS`, or 1.
        gpus: Of the one on this machine; those that are found by default.
        share: The part of a GPU that an item needs, 0 to 1, asked for where the cluster has GPUs.
    """

    address: str | None = None
    processors: int | None = None
    threads: int | None = None
    gpus: int | None = None
    share: Callable[[Any], float] | None = None
    _started: bool = field(default=False, init=False, repr=False)

    def __enter__(self) -> Self:
        if self.address is not None:
            _show_token()
        ray = require("ray", "`--workers ray`", "ray")
        if not ray.is_initialized():
            left_behind = _answers() is False and NAMED_ADDRESS not in os.environ
            count = self.threads or threads_of_each(None)
            variables = {f"{library}_NUM_THREADS": str(count) for library in LIBRARIES} | {NAMED: "1"}
            options = {"num_cpus": self.processors, "num_gpus": self.gpus} if self.processors else {}
            try:
                with warnings.catch_warnings(action="ignore"):  # that a connection timed out: said below
                    ray.init(
                        self.address or ("local" if options or left_behind else None),
                        runtime_env={"env_vars": variables},
                        log_to_driver=False,
                        logging_level="error",
                        include_dashboard=False if self.address is None else None,
                        **options,
                    )
            except Exception as error:  # a node that does not start in time raises no narrower one
                raise InputError(
                    f"Ray cannot be reached at {self.address or 'this machine'}: {str(error).rstrip('.')}. "
                    "Start it with `ray start --head --ray-client-server-port 10001`, name its token in RAY_AUTH_TOKEN "
                    "if it has one, or use `--workers N` for processes of this machine."
                ) from error
            self._started = True
        return self

    def __exit__(self, *error: object) -> None:
        if self._started:
            self._started = False
            require("ray", "`--workers ray`", "ray").shutdown()

    def processors_there(self) -> int | None:
        """Processors of the cluster that this would join; None where Ray would start on this machine.

        Raises:
            InputError: The cluster cannot be reached.
            MissingExtra: Ray is not installed.
        """
        if self.address is None and NAMED_ADDRESS not in os.environ:
            ray = require("ray", "`--workers ray`", "ray")
            if not (ray.is_initialized() or _answers()):
                return None
        with self:
            return int(require("ray", "`--workers ray`", "ray").cluster_resources().get("CPU", 1))

    def run(self, job: Callable[[Item], Value], tasks: Iterable[tuple[int, Item]]) -> Iterator[Answer]:
        """Answers as they finish; for each processor of the cluster one task runs and one waits."""
        with nullcontext() if self._started else self:
            ray = require("ray", "`--workers ray`", "ray")
            shared, task = ray.put(pickled(job)), ray.remote(num_cpus=1, max_retries=RETRIES)(_run)
            name, waiting = shared.hex(), iter(tasks)
            share = self.share if ray.cluster_resources().get("GPU") else None
            running: dict[Any, int] = {}
            asked, processors = -math.inf, 1
            try:
                while True:
                    if time.monotonic() > asked + ASK_SECONDS:  # nodes come and go
                        asked, processors = time.monotonic(), int(ray.cluster_resources().get("CPU", 1))
                    for number, item in islice(waiting, max(0, 2 * max(1, processors) - len(running))):
                        try:
                            placed = task.options(num_gpus=share(item)) if share else task
                            running[placed.remote(name, shared, pickle.dumps(item))] = number
                        except Exception as error:  # pickling runs the item's own code
                            yield number, None, WorkerError(f"it cannot be sent to a worker: {error}. Use `workers=1`.")
                    if not running:
                        return
                    for done in ray.wait(list(running))[0]:
                        yield running.pop(done), *_result(ray, done)
            finally:
                for left in running:
                    ray.cancel(left, force=True)


def _show_token() -> None:
    """Send the token that `ray start` asks for: Ray's client sends it only if this is set before Ray is imported."""
    named = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if named or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _answers() -> bool | None:
    """Whether the cluster noted on this machine answers, for which Ray would wait for minutes; None: none is noted."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        address = (Path(folder) / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip()
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS):
            return True
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return False


def _run(name: str, job: bytes, item: bytes) -> bytes:
    """In a worker of Ray: the pickled (value, exception) of one item."""
    known = _held.get(name, job)
    _held.clear()
    done, _held[name] = answer(known, item)
    return done


def _result(ray: Any, done: Any) -> tuple[Any, Exception | None]:
    try:
        value, error = pickle.loads(ray.get(done))
    except ray.exceptions.RayError as died:
        first = next(iter(str(died).splitlines()), "")
        return None, WorkerError(
            f"its worker died {RETRIES + 1} times ({type(died).__name__}: {first}), often because the machine ran out "
            "of memory. Use fewer processors at a time and run again."
        )
    except Exception as failure:  # unpickling runs the value's own code
        return None, WorkerError(f"the result of a job cannot be read back: {failure}.")
    return value, error
