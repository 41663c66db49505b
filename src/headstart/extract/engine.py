"""Which engine runs the network.

1. Every pass starts with torch (`eager.py`), which costs nothing to prepare.
2. For images on the CPU, once the network's pace is known, the seconds it still needs are compared with the seconds
   that an export to onnxruntime should take. The export is tried if it costs at most RISK (10 %) of what remains.
3. The exported network is used if it agrees with torch on a real batch to TOLERANCE of the largest value and is faster.
   Otherwise, and when it fails, torch runs the rest, and a note says why.

Engines agree to TOLERANCE, so their rows mix in one cache. Texts run in torch. On a GPU the other engine is a compiled
network, tried once the number of rows in a batch is settled.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from functools import cached_property, partial
from threading import Lock
from typing import Any, Literal, get_args

import torch

from headstart.data.media import MEDIA
from headstart.errors import InputError, about
from headstart.extract import onnx
from headstart.extract.accelerator import Fit, accelerated, compile_pays
from headstart.extract.eager import Eager
from headstart.extract.feed import workers
from headstart.extract.onnx import Onnx
from headstart.extract.outputs import Outputs, disagreement
from headstart.sources.source import Source
from headstart.store import RowStore

Engine = Literal["auto", "eager", "onnxruntime"]
MOST_LANES = 8  # more would wait for Python's interpreter lock; further cores share the layers of each lane
RISK = 0.1
TOLERANCE = 1e-4
BF16_TOLERANCE = 0.05
EXPORT_SECONDS = 2.0  # and for each module in the network:
EXPORT_SECONDS_PER_MODULE = 0.04  # measured 0.03 to 0.06 on two cores for networks of 68 to 559 modules
GAIN = 1.1  # the export must be at least this much faster
WARM_UP = 2  # batches left out of the pace: the first ones of a network are slow


@contextmanager
def running(
    source: Source,
    device: torch.device,
    batch_size: int | None,
    engine: Engine,
    *,
    bf16: bool = False,
    store: RowStore | None = None,
) -> "Iterator[Runner]":
    """A runner with one thread per lane, stopped when the block is left; `store` holds the model's cached rows."""
    lanes = min(torch.get_num_threads(), MOST_LANES) if device.type == "cpu" else 1
    threads = max(1, torch.get_num_threads() // lanes)
    with about(source.name), torch_threads(threads), workers(lanes, "headstart-lane") as pool:
        eager = partial(Eager, source, device, batch_size, lanes, bf16=bf16, fit=Fit(store, device))
        yield Runner(source, device, batch_size, engine, lanes, pool, eager)


class Runner:
    """Runs batches with the fastest engine known so far, `lanes` of them at once in the threads of `pool`."""

    def __init__(
        self,
        source: Source,
        device: torch.device,
        batch_size: int | None,
        engine: Engine,
        lanes: int,
        pool: Executor,
        eager: Callable[[], Eager],
    ) -> None:
        self.source, self.device, self.batch_size, self.choice = source, device, batch_size, engine
        self.lanes, self._pool, self._make = lanes, pool, eager
        self.notes: list[str] = []
        self._used: dict[str, None] = {}
        self._fast: Onnx | Compiled | None = None
        self._leaving = Lock()
        self._compiles = accelerated(device)
        self._may_switch = engine != "eager" and MEDIA[source.card.kind].one_shape
        self._pace: list[tuple[float, int]] = []  # seconds and rows of each batch that torch ran

    @cached_property
    def _eager(self) -> Eager:
        return self._make()

    @property
    def rows(self) -> int:
        """How many examples to pass to `submit` next."""
        return (self._fast or self._eager).rows

    @property
    def engine(self) -> str:
        """The engines that computed rows, in order."""
        return ", then ".join(self._used)

    def batch(self, items: list[Any]) -> Any:
        """Prepared examples as the network takes them."""
        return self._eager.batch(items)

    def submit(self, batch: Any, count: int, remaining: int) -> "Future[Outputs]":
        """Start on a batch of `count` examples; `remaining` more will follow."""
        batch = self._eager.copies.begin(batch)
        if not self._eager.measured:
            self._used[Eager.name] = None
            future = self._pool.submit(self._eager.measure, batch)
            wait([future])  # it decides the size of all other batches
            return future
        if self._may_switch and self._pays(remaining):
            self._may_switch = False
            self._try_faster(batch, count)
        return self._pool.submit(self._run, batch, count)

    def _run(self, batch: Any, count: int) -> Outputs:
        if (engine := self._fast) is not None:
            try:
                outputs = engine.run(batch, count)
            except Exception as error:  # acceleration may fail in any way; the pass must not
                self._leave(engine, error)
            else:
                self._used[engine.name] = None
                return outputs
        self._used[Eager.name] = None
        started = time.perf_counter()
        outputs = self._eager.run(batch, count)
        self._pace.append((time.perf_counter() - started, count))
        return outputs

    def _leave(self, engine: "Onnx | Compiled", error: Exception) -> None:
        with self._leaving:
            if self._fast is engine:  # no other lane was first
                self._fast = None
                self._refuse(engine.name, f"it failed after some batches ({describe(error)})")

    def _pays(self, remaining: int) -> bool:
        if self.choice == "onnxruntime":
            return True
        pace = self._pace[WARM_UP:]
        if not pace or (self._exported is None and not self._compiles) or self._eager.grows:
            return False
        seconds = remaining * sum(took for took, _ in pace) / sum(rows for _, rows in pace) / self.lanes
        return compile_pays(seconds) if self._compiles else export_pays(seconds, self._exported or 0)

    @cached_property
    def _exported(self) -> int | None:
        """How many modules an export would hold; None where none can be made."""
        possible = onnx.installed() and onnx.fits(self.source)
        return sum(1 for _ in self.source.network.modules()) if possible else None

    def _try_faster(self, batch: Any, count: int) -> None:
        kind, doing = (Compiled, "compilation") if self._compiles else (Onnx, "export")
        try:
            candidate = Compiled(self._eager) if self._compiles else Onnx(self.source, batch, self.batch_size)
            outputs, seconds = _timed(candidate, batch, count)
        except Exception as error:  # acceleration may fail in any way; the pass must not
            self._refuse(kind.name, f"its {doing} failed ({describe(error)})")
            return
        expected, plain_seconds = _timed(self._eager, batch, count)
        difference = disagreement(outputs, expected)
        if not difference <= (BF16_TOLERANCE if self._eager.bf16 else TOLERANCE):
            self._refuse(kind.name, f"its results differ from torch's by {difference:.1e} of the largest value")
        elif self.choice == "auto" and seconds * GAIN > plain_seconds:
            self._refuse(kind.name, "it is not faster for this source")
        else:
            self._fast = candidate

    def _refuse(self, what: str, why: str) -> None:
        self.notes.append(f"{self.source.name} ran in torch instead of {what}: {why}")


class Compiled:
    """Runs batches with a compiled network; the first of each shape takes a minute."""

    name = "compiled"

    def __init__(self, eager: Eager) -> None:
        self.eager, self.network = eager, eager.compiled()

    @property
    def rows(self) -> int:
        """How many examples one pass takes."""
        return self.eager.rows

    def run(self, batch: Any, count: int) -> Outputs:
        """Features (b, d) and logits (b, z) of a batch of `count`."""
        return self.eager.forward(self.network, batch, count)


def check_engine(engine: str) -> None:
    """Refuse an unknown engine, or one that is not installed."""
    if engine not in get_args(Engine):
        raise InputError(f"`engine` must be one of {', '.join(get_args(Engine))}; got {engine!r}.")
    if engine == "onnxruntime":
        onnx.require()


def export_pays(remaining_seconds: float, modules: int) -> bool:
    """Whether what torch still needs is long enough to try an export, whose time follows from the number of modules.

    Example:
        >>> export_pays(300.0, modules=230), export_pays(60.0, modules=230)
        (True, False)
    """
    return EXPORT_SECONDS + EXPORT_SECONDS_PER_MODULE * modules <= RISK * remaining_seconds


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside each operation, in every thread started in the block."""
    before = torch.get_num_threads()
    try:
        if count != before:  # setting it anyway would throw away what torch has prepared
            torch.set_num_threads(count)
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def describe(error: BaseException) -> str:
    """The type of an error and the first line of its text."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    return f"{type(error).__name__}: {line[:200]}"


def _timed(engine: Eager | Onnx | Compiled, batch: Any, count: int) -> tuple[Outputs, float]:
    engine.run(batch, count)  # warm-up
    started = time.perf_counter()
    outputs = engine.run(batch, count)
    return outputs, time.perf_counter() - started
