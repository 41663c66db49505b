"""Which engine runs the network, by a rule that can be read here.

1. Every pass starts with torch itself (`eager.py`), which costs nothing to prepare.
2. Images on the CPU: once the network's own pace is known, the seconds it still needs are compared with the seconds
   that an export to onnxruntime is expected to take. If the export is at most RISK (10 %) of what remains, it is tried:
   a source that gains nothing loses at most that, which is no more than it gained over a plain loop by step 1.
3. The exported network is used if it agrees with torch on a real batch to TOLERANCE of the largest value, and is
   faster. If not, or if the export fails, torch goes on, and a note says why.

All engines agree to TOLERANCE, so rows of different engines mix in one cache. On a GPU, and for texts, torch runs all.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import Any, Literal, get_args

import torch

from headstart.data.media import MEDIA
from headstart.errors import InputError
from headstart.extract import onnx
from headstart.extract.eager import Eager
from headstart.extract.feed import Inline
from headstart.extract.onnx import Onnx
from headstart.extract.outputs import Outputs, disagreement
from headstart.sources.source import Source

Engine = Literal["auto", "eager", "onnxruntime"]
FEW = 6  # up to so many examples the network runs as it is: laying it out takes as long as they do
MOST_LANES = 8  # more would queue for Python's interpreter lock; further cores join the layers of each lane
RISK = 0.1
TOLERANCE = 1e-4
EXPORT_SECONDS = 2.0  # and for each module in the network:
EXPORT_SECONDS_PER_MODULE = 0.04  # measured 0.03 to 0.06 on two cores for nets of 68 to 559 modules
GAIN = 1.1  # the export must be at least this much faster
WARM_UP = 2  # first batches that do not count: the first ones of a network are slow


class Runner:
    """Runs batches with the engine that pays; a context manager that holds the threads of its lanes.

    Args:
        source: The source whose network runs.
        device: Where.
        batch_size: Upper limit of the rows in one forward pass; chosen by itself if None.
        engine: "auto" for the rule above, or one engine for all of the pass.
        examples: How many will be handed over.

    `copies` is False where they are so few that everything runs in the calling thread, as in a plain loop.
    """

    def __init__(
        self, source: Source, device: torch.device, batch_size: int | None, engine: Engine, examples: int
    ) -> None:
        self.source, self.device, self.batch_size, self.choice = source, device, batch_size, engine
        cpu = device.type == "cpu"
        few = examples <= FEW  # and the network of a source whose rows are all cached is not even looked at
        self.copies = not cpu or not few or (examples > 0 and any(part.training for part in source.network.modules()))
        self.lanes = min(torch.get_num_threads(), MOST_LANES) if cpu and self.copies else 1
        self.notes: list[str] = []
        self.used: list[str] = []
        self._lock = Lock()  # over what follows: the lanes change it
        self._onnx: Onnx | None = None
        self._may_switch = engine != "eager" and cpu and self.copies and MEDIA[source.card.kind].one_shape
        self._batches, self._seconds, self._counted = 0, 0.0, 0

    def __enter__(self) -> "Runner":
        self._threads = torch_threads(max(1, torch.get_num_threads() // self.lanes))
        self._threads.__enter__()
        self._pool: Executor = Inline()
        if self.copies:
            self._pool = ThreadPoolExecutor(self.lanes, thread_name_prefix="headstart-lane")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._threads.__exit__(None, None, None)

    @cached_property
    def _eager(self) -> Eager:
        return Eager(self.source, self.device, self.batch_size, self.lanes, copies=self.copies)

    @property
    def rows(self) -> int:
        """How many examples to hand over next."""
        return (self._onnx or self._eager).rows

    @property
    def engine(self) -> str:
        """The engines that made rows, in order."""
        return ", then ".join(self.used)

    def submit(self, items: list[Any], remaining: int) -> "Future[Outputs]":
        """Start on prepared examples; `remaining` examples are still to come after them.

        Raises:
            ModelError: They do not join to a batch; the future raises it where the network fails.
        """
        batch = self._eager.batch(items)
        if not self._eager.measured:
            future = self._pool.submit(self._measured, batch)
            wait([future])  # the size of all other batches hangs on it
            return future
        if self._may_switch and self._pays(remaining):
            self._may_switch = False
            self._try_onnx(batch, len(items))
        return self._pool.submit(self._run, batch, len(items))

    def _measured(self, batch: Any) -> Outputs:
        outputs = self._eager.measure(batch)
        self._note(self._eager.name)
        return outputs

    def _run(self, batch: Any, count: int) -> Outputs:
        if (engine := self._onnx) is not None:
            try:
                outputs = engine.run(batch, count)
            except Exception as error:  # acceleration may fail in any way; the pass must not
                self._leave(engine, error)
            else:
                self._note(engine.name)
                return outputs
        started = time.perf_counter()
        outputs = self._eager.run(batch, count)
        self._note(self._eager.name)
        seconds = time.perf_counter() - started
        with self._lock:
            self._batches += 1
            if self._batches > WARM_UP:
                self._seconds += seconds
                self._counted += count
        return outputs

    def _note(self, engine: str) -> None:
        with self._lock:
            if engine not in self.used:
                self.used.append(engine)

    def _leave(self, engine: Onnx, error: Exception) -> None:
        with self._lock:
            if self._onnx is engine:  # and no other lane was first
                self._onnx = None
                self._refuse(f"it failed after some batches ({describe(error)})")

    def _pays(self, remaining: int) -> bool:
        if self.choice == "onnxruntime":
            return True
        if not self._counted or not onnx.installed() or not onnx.fits(self.source):
            return False
        modules = sum(1 for _ in self.source.network.modules())
        return export_pays(remaining * self._seconds / self._counted / self.lanes, modules)

    def _try_onnx(self, batch: Any, count: int) -> None:
        try:
            candidate = Onnx(self.source, batch, self.batch_size)
            outputs, seconds = _timed(candidate, batch, count)
        except Exception as error:  # acceleration may fail in any way; the pass must not
            self._refuse(f"its export failed ({describe(error)})")
            return
        expected, plain_seconds = _timed(self._eager, batch, count)
        difference = disagreement(outputs, expected)
        if not difference <= TOLERANCE:
            self._refuse(f"its results differ from torch's by {difference:.1e} of the largest value")
        elif self.choice == "auto" and seconds * GAIN > plain_seconds:
            self._refuse("it is not faster for this source")
        else:
            self._onnx = candidate

    def _refuse(self, why: str) -> None:
        self.notes.append(f"onnxruntime was tried for {self.source.name} and given up: {why}")


def check_engine(engine: str) -> None:
    """Say at once that an engine cannot be had.

    Raises:
        InputError: There is none of that name.
        MissingExtra: onnxruntime is asked for and not installed.
    """
    if engine not in get_args(Engine):
        raise InputError(f"`engine` must be one of {', '.join(get_args(Engine))}; got {engine!r}.")
    if engine == "onnxruntime":
        onnx.require()


def export_pays(remaining_seconds: float, modules: int) -> bool:
    """Whether what remains is long enough to try the export.

    Args:
        remaining_seconds: What torch still needs, at the pace measured so far.
        modules: Number of modules in the network, which foretells the time of the export.

    Example:
        >>> export_pays(300.0, modules=230), export_pays(60.0, modules=230)
        (True, False)
    """
    return EXPORT_SECONDS + EXPORT_SECONDS_PER_MODULE * modules <= RISK * remaining_seconds


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside each operation, in every thread started meanwhile; then as before."""
    before = torch.get_num_threads()
    if count == before:  # setting it anyway would throw away what torch has prepared
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe(error: BaseException) -> str:
    """An error of foreign code in one short line.

    Example:
        >>> describe(ValueError("no kernel for Foo\\nat node 3"))
        'ValueError: no kernel for Foo'
    """
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    return f"{type(error).__name__}: {line[:200]}"


def _timed(engine: Eager | Onnx, batch: Any, count: int) -> tuple[Outputs, float]:
    engine.run(batch, count)  # the first run lays things out
    started = time.perf_counter()
    outputs = engine.run(batch, count)
    return outputs, time.perf_counter() - started
