"""One forward pass of a source over a target; rows found in the cache are not computed again."""

import time
from collections import deque
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.skips import Skips
from headstart.data.target import Target
from headstart.errors import ExampleError, InputError, ModelError
from headstart.extract.cached import assembled, key_of
from headstart.extract.device import pick_device
from headstart.extract.engine import Engine, Runner, check_engine, running
from headstart.extract.feed import Feed, workers
from headstart.extract.outputs import Outputs
from headstart.extract.sinks import Array, CacheSink, Fields, MemorySink
from headstart.records import Extraction
from headstart.runner.progress import Event, Progress, silent
from headstart.sources.known import Facts
from headstart.sources.preparation import Tokens
from headstart.sources.source import Source
from headstart.store import folder_of


def extract(
    target: Target,
    source: Source,
    *,
    cache: Path | str | bool | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    max_bad: float = 0.01,
    progress: Progress | None = None,
    engine: Engine = "auto",
    precision: str = "fp32",
) -> Extraction:
    """Features and logits of every readable example, in the target's order.

    Args:
        target: The labelled data; examples are decoded in background threads.
        source: The pretrained model; it is not edited.
        cache: Folder or URL in which rows are kept by content, or True for the usual one; None keeps all rows in
            memory and nothing on disk. Finished rows stay after an error or Ctrl-C.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: Upper limit of the rows in one forward pass; None chooses one that fits in memory.
        max_bad: Share of the examples that may be unreadable; one always may, unless this is 0.
        progress: Called with the number of examples that are done, at the start and after every batch.
        engine: "auto" follows the rule in `engine.py`. Engines agree to 1e-4 of the largest value; "eager" gives the
            same bits in every run that starts from the same cache on one machine.
        precision: "fp32", or "bf16", which is faster on many GPUs; the cache keeps its rows apart.

    Returns:
        The rows of the readable examples, with their labels and ids; `skipped` says why the others are missing.

    Raises:
        InputError: An option is invalid, or the source cannot read this kind of data.
        TargetError: More examples are unreadable than `max_bad` allows, or all are.
        ModelError: The source fails, returns NaN or infinity, or was trained since it was made.
        CacheError: Cached rows of this source contradict each other, or were cleared during the pass.
    """
    _check(target, source, batch_size)
    check_engine(engine)
    place, key, folder = pick_device(device), key_of(source.cache_key, precision), folder_of(cache)
    skips = Skips(target, max_bad)
    with workers() as pool:
        sink = CacheSink(target, folder, key, pool, skips.add) if folder else MemorySink(len(target))
        todo = _in_good_order(target, sink.missing(), pool)
    started = time.perf_counter()
    store = sink.store if isinstance(sink, CacheSink) else None
    run = running(source, place, batch_size, engine, bf16=precision == "bf16", store=store)
    with run as runner, sink.writing, workers() as pool:
        computed = _compute(target, source, todo, runner, sink, skips, pool, progress or silent)
    seconds = time.perf_counter() - started if computed else 0.0
    said = source.notes if folder is not None else ()
    facts = Facts(source.card, source.layer, source.fingerprint, source.classes, said)
    return assembled(
        target,
        facts,
        sink,
        skips,
        seconds=seconds,
        computed=computed,
        engine=runner.engine,
        notes=tuple(runner.notes),
    )


def _compute(
    target: Target,
    source: Source,
    todo: Array,
    runner: Runner,
    sink: MemorySink | CacheSink,
    skips: Skips,
    pool: Executor,
    tell: Progress,
) -> int:
    """Send the examples `todo` through the network; returns how many were."""

    if not len(todo):  # nothing of the source is loaded where all its rows are cached
        tell(Event(source.name, len(target), len(target)))
        return 0

    def skip(index: int, error: Exception) -> None:
        for same in sink.alike(index):
            skips.add(same, error)

    feed = Feed(pool, target, todo.tolist(), source.prepare, skip)
    started: deque[tuple[list[int], Fields, Future[Outputs]]] = deque()
    computed = 0
    while True:
        left = feed.remaining + sum(len(indices) for indices, _, _ in started)
        tell(Event(source.name, len(target) - left, len(target)))
        while len(started) <= runner.lanes and (items := feed.take(runner.rows) if feed.remaining else []):
            batch = runner.batch([made for _, made in items])
            counts = {"tokens": batch.counts} if isinstance(batch, Tokens) else {}
            future = runner.submit(batch, len(items), feed.remaining)
            started.append(([index for index, _ in items], counts, future))
        if not started:
            return computed
        indices, counts, future = started.popleft()
        sink.add(indices, _fields(future.result(), source, target, indices) | counts)
        computed += len(indices)


def _fields(outputs: Outputs, source: Source, target: Target, indices: list[int]) -> Fields:
    named = {"features": outputs[0], "logits": outputs[1]}
    fields = {name: rows.numpy() for name, rows in named.items() if rows is not None}
    for name, array in fields.items():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if bad.size:
            where = f" ({source.layer})" if name == "features" and source.layer else ""
            raise ModelError(
                f"it gives NaN or infinity in its {name}{where} for {bad.size} of {len(array)} examples, "
                f"first for {target.ids[indices[bad[0]]]}. Its weights or its preprocessing are broken; leave this "
                "source out.",
            )
    return fields


def _in_good_order(target: Target, todo: Array, pool: Executor) -> Array:
    """The longest first, to pad little and to see at once if a batch is too large."""
    if MEDIA[target.kind].one_shape:
        return todo

    def length(index: int) -> int:
        try:
            return MEDIA[target.kind].length(target.examples.load(index))
        except ExampleError:  # raised again, and counted, when the example is prepared
            return 0

    lengths = np.array(list(pool.map(length, todo.tolist())), dtype=np.int64)
    return todo[np.argsort(-lengths, kind="stable")]


def _check(target: Target, source: Source, batch_size: int | None) -> None:
    if len(target) == 0:
        raise InputError(f"`target` {target.name} has no examples.")
    reads, holds = source.card.kind, target.kind
    if reads != holds:
        raise InputError(
            f"{source.name} reads {reads} data, but {target.name} holds {holds} data. "
            f"Choose a model for {holds} data; `headstart models` lists them."
        )
    source.check_unchanged()
    if batch_size is not None and batch_size < 1:
        raise InputError(f"`batch_size` must be at least 1, got {batch_size}.")
