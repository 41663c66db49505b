"""ONE training loop: seeded, early-stopping, and resumable to the same final numbers from a kill at any step.

What is minimised is an objective's matter, on batches of one or several streams. Nothing random has a state that would
have to be saved: the order of an epoch follows from (seed, epoch), that of another stream from (seed, name, step),
dropout and what an objective draws from (seed, step), the rate from the step. A checkpoint therefore holds tensors and
counters only. Sums depend on the device and the number of threads in their last digits: a training that goes on with
others says so in its notes.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import InputError, TrainingError
from headstart.records import CurvePoint
from headstart.runner.progress import Event, Progress, silent
from headstart.tasks import Task, task_of
from headstart.train.batches import Batches, epoch_order, stream_order
from headstart.train.checkpoint import (
    TrainingState,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from headstart.train.groups import Group, has_batch_statistics, set_trainable
from headstart.train.objectives import LABELLED, Drawn, Objective, Step, balance, regularised, usual
from headstart.train.outputs import out_of_memory, outputs_of
from headstart.train.schedule import multiplier
from headstart.train.training import Training, precision_on

Stop = Callable[[Sequence[CurvePoint]], str | None]  # the curve so far -> why the training should end


@dataclass(frozen=True)
class Fitted:
    """How a training went; the network it was given now holds the best weights."""

    curve: tuple[CurvePoint, ...]
    best_epoch: int | None  # counted from 1; None without a validation part: the last weights are kept
    stopped: str  # why it ended
    seconds: float
    steps: int
    trained: int  # the most numbers that trained in one epoch
    notes: tuple[str, ...]


def fit(
    network: nn.Module,
    groups: Sequence[Group],
    train: Batches,
    valid: Batches | None,
    training: Training,
    *,
    task: str = "classification",
    objective: Objective | None = None,
    streams: Mapping[str, Batches] | None = None,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    identity: str = "",
    checkpoint_seconds: float = 60.0,
    progress: Progress = silent,
    stop: Stop | None = None,
) -> Fitted:
    """Train `network` in place and leave it with its best weights, in evaluation mode.

    Args:
        groups: Every live parameter, in exactly one of them; see `Group`.
        train: The labelled stream; an epoch is one pass over it.
        objective: What is minimised; by default the task's loss, with the training's label smoothing and mixup.
        streams: Further data for the objective, by name; each step draws one batch of each, round after round.
        valid: Where given, the epoch with the best quality on it wins (ties: the lower loss), unless the objective has
            a quality of its own.
        checkpoint: File that keeps the state; an unfinished training found there goes on.
        identity: Hash of everything that decides the numbers; another one in the checkpoint is an error.
        checkpoint_seconds: A checkpoint is written at the end of each epoch, and within it this often.
        stop: Asked after each epoch; a reason ends the training.

    Raises:
        TrainingError: The loss is not finite, or memory runs out on the smallest batch.
        InputError: The checkpoint belongs to another training; no group trains; nothing to train on.
    """
    if len(train.labels) == 0 or not any(group.rate > 0 for group in groups):
        raise InputError("there is nothing to train: no examples, or every group has rate 0.")
    chosen = regularised(objective or usual(training, task, train.labels), training, groups)
    chosen.begin(network.to(device))
    place = torch.device(device)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        return _Loop(
            *(network, groups, train, valid, training, task_of(task), place, chosen, streams or {}),
            *(checkpoint, identity, checkpoint_seconds, progress, stop),
        ).run()


@dataclass
class _Loop:
    """The state of one training; the fields are the arguments of `fit`."""

    network: nn.Module
    groups: Sequence[Group]
    train: Batches
    valid: Batches | None
    training: Training
    task: Task
    device: torch.device
    objective: Objective
    streams: Mapping[str, Batches]
    checkpoint: Path | None
    identity: str
    checkpoint_seconds: float
    progress: Progress
    stop: Stop | None = None

    def __post_init__(self) -> None:
        precision = precision_on(self.device, self.training.precision)
        self.training = training = replace(self.training, precision=precision)
        self.state = TrainingState(computed_on=_computes_on(self.device))
        self.n = len(self.train.labels)
        self.batch_statistics = has_batch_statistics(self.network, self.groups) and not training.keep_statistics
        if self.batch_statistics and min(training.batch_size, self.n) == 1:
            self.training = replace(training, keep_statistics=True)
            self.batch_statistics = False
            self.state.notes.append("batches of one example: batch norm kept its pretrained statistics")
        parameters = dict(self.network.named_parameters())
        self.trained = {name: parameters[name] for group in self.groups if group.rate > 0 for name in group.parameters}
        self.optimizer = self._optimizer(parameters)
        self.best: dict[str, Tensor] = {}
        codes = self.train.labels.numpy()
        self.shares = balance(codes)[codes] / self.n if training.balanced_sampling else None
        self.per_epoch = len(epoch_order(self.n, training.batch_size, training.seed, 0))
        self.steps = self.per_epoch * training.epochs
        self.started = self.saved = time.monotonic()

    def run(self) -> Fitted:
        self._resume()
        state = self.state
        with ThreadPoolExecutor(1) as pool:  # decodes the next batch while this one trains
            while state.stopped is None:
                count = self._begin_epoch()
                for batches in self._batches(pool):
                    self._step(batches)
                self._end_epoch(count)
        if self.best:
            self._load(self.best)
        self.network.eval()
        self.objective.end(self.network)
        return Fitted(
            tuple(state.curve),
            None if state.best_epoch is None else state.best_epoch + 1,
            state.stopped or "",
            state.seconds,
            state.step,
            max((point.trained for point in state.curve), default=0),
            tuple(state.notes),
        )

    # --- the parts of a step ---

    def _batches(self, pool: ThreadPoolExecutor) -> Iterator[dict[str, Drawn]]:
        """The batches of the rest of the epoch, one of each stream per step."""
        first, done = self.state.step, self.state.batch
        order = epoch_order(self.n, self.training.batch_size, self.training.seed, self.state.epoch, self.shares)[done:]
        if all(stream.in_memory for stream in (self.train, *self.streams.values())):
            yield from (self._drawn(indices, first + i) for i, indices in enumerate(order))
            return
        coming = [pool.submit(self._drawn, indices, first + i) for i, indices in enumerate(order[:1])]
        for i in range(len(order)):
            batches = coming.pop().result()
            if i + 1 < len(order):
                coming.append(pool.submit(self._drawn, order[i + 1], first + i + 1))
            yield batches

    def _drawn(self, indices: np.ndarray, step: int) -> dict[str, Drawn]:
        found = {LABELLED: _draw(self.train, indices, self.state.epoch)}
        for name, stream in self.streams.items():
            own, turn = stream_order(len(stream.labels), self.training, name, step)
            found[name] = _draw(stream, own, turn)
        return found

    def _step(self, batches: dict[str, Drawn]) -> None:
        state = self.state
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self._share(group["thaw"] * self.per_epoch)
        batches = {name: drawn.to(self.device) for name, drawn in batches.items()}
        n = len(batches[LABELLED])
        while True:
            try:
                value, parts = self._update(batches)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            self._halve(min(map(len, batches.values())))
        if not math.isfinite(value):
            raise TrainingError(self._not_finite("loss", state.step + 1))
        self.optimizer.step()
        for name, one in ({"target": value} | parts).items():
            state.sums[name] = state.sums.get(name, 0.0) + one * n
        state.count += n
        state.batch += 1
        state.step += 1
        self.progress(Event("training", state.step, self.steps))
        if time.monotonic() - self.saved > self.checkpoint_seconds:
            self._save()

    def _share(self, thaw: int) -> float:
        """The share of its peak rate at which a group trains that thaws in that step: its schedule begins there."""
        if self.state.step < thaw:
            return 0.0
        training = self.training
        return multiplier(training.schedule, self.state.step - thaw, self.steps - thaw, warmup=training.warmup)

    def _update(self, batches: dict[str, Drawn]) -> tuple[float, dict[str, float]]:
        """Gradients of one step, in as many chunks as memory asks for; returns the loss and its parts."""
        rng = np.random.default_rng([self.training.seed, self.state.step])
        torch.manual_seed(int(rng.integers(2**63)))
        self.optimizer.zero_grad(set_to_none=True)
        step = Step(self.state.step, self.steps, self.state.epoch, rng)
        batches = self.objective.prepare(batches, step)
        n, total, parts = len(batches[LABELLED]), 0.0, dict[str, float]()
        chunks = min(self.state.chunks, max(1, min(map(len, batches.values())) // self._least()))
        for number in range(chunks):
            pieces = batches
            if chunks > 1:
                pieces = {name: drawn.chunk(number, chunks) for name, drawn in batches.items()}
            share = len(pieces[LABELLED]) / n
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.training.precision == "bf16"):
                loss, named = self.objective.loss(self.network, pieces, step)
            torch.autograd.backward(loss * share)
            total += loss.item() * share
            for name, value in named.items():
                parts[name] = parts.get(name, 0.0) + value.item() * share
        if self.training.clip is not None:
            nn.utils.clip_grad_norm_(list(self.trained.values()), self.training.clip)
        return total, parts

    # --- memory ---

    def _least(self) -> int:
        return 2 if self.batch_statistics else 1

    def _halve(self, n: int) -> None:
        chunks = min(self.state.chunks * 2, max(1, n // self._least()))
        if chunks <= self.state.chunks:
            raise TrainingError(
                f"memory ran out even with {math.ceil(n / self.state.chunks)} examples at a time. "
                "Choose a smaller model or input, or `method='head'`, which keeps nothing for a backward pass."
            )
        self.state.chunks = chunks
        self.state.notes.append(
            f"memory ran out in epoch {self.state.epoch + 1}: each batch is computed in {chunks} pieces from there "
            f"on ({math.ceil(n / chunks)} examples at a time); the step still uses the whole batch"
        )
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # --- epochs ---

    def _begin_epoch(self) -> int:
        epoch, keep = self.state.epoch, self.training.keep_statistics
        return set_trainable(self.network, self.groups, epoch, keep_statistics=keep)

    def _end_epoch(self, trained: int) -> None:
        state, epoch = self.state, self.state.epoch
        loss, quality = self._validate()
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        self._clock()
        means = {name: value / max(1, state.count) for name, value in state.sums.items()}
        mean, judged = means.pop("target"), self.objective.quality(self.network)
        if judged is not None:
            means["epoch quality"] = judged
        state.curve.append(CurvePoint(epoch + 1, state.seconds, rate, mean, loss, quality, trained, means))
        judged = quality if judged is None else judged
        if judged is not None:
            key = (judged, -(loss or 0.0))
            if state.best_key is None or key > state.best_key:
                state.best_epoch, state.best_key = epoch, key
                self.best = {name: value.detach().clone() for name, value in self._moving().items()}
        state.epoch, state.batch, state.sums, state.count = epoch + 1, 0, {}, 0
        state.stopped = self._why_stop()
        said = f"epoch {state.epoch}/{self.training.epochs}: loss {mean:.3f}"
        said += "" if quality is None else f", validation {quality:.3f}"
        self.progress(Event("training", state.step, state.step if state.stopped else self.steps, said))
        self._save()

    def _validate(self) -> tuple[float | None, float | None]:
        if self.valid is None or len(self.valid.labels) == 0:
            return None, None
        outputs = outputs_of(self.network, self.valid, batch_size=max(64, self.training.batch_size), device=self.device)
        loss = self.task.loss(outputs, self.valid.labels).item()
        if not math.isfinite(loss):
            raise TrainingError(self._not_finite("validation loss", self.state.step))
        if self.training.metric is None:
            return loss, self.task.quality(outputs, self.valid.labels)
        metric, labels = self.task.metric(self.training.metric), self.valid.labels.numpy()
        if metric not in self.task.metrics_on(labels):
            raise InputError(
                f"`metric={metric.name}` has no value on the {len(labels)} validation examples: their labels are too "
                "alike. Give more examples, or another metric."
            )
        return loss, metric.sign * metric(labels, self.task.answers(outputs.numpy()))

    def _why_stop(self) -> str | None:
        state, patience = self.state, self.training.patience
        if state.epoch >= self.training.epochs:
            return f"all {self.training.epochs} epochs ran"
        if self.stop is not None and (why := self.stop(state.curve)):
            return why
        if patience is None or state.best_epoch is None:
            return None
        thawed = max(group.thaw for group in self.groups if group.rate > 0)  # patience begins once everything trains
        waited = state.epoch - 1 - max(state.best_epoch, thawed)
        return f"no better validation quality for {patience} epochs" if waited >= patience else None

    def _not_finite(self, what: str, step: int) -> str:
        state = self.state
        peak = max(group["peak"] for group in self.optimizer.param_groups)
        hint = ", or `precision='fp32'`" if self.training.precision != "fp32" else ""
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        return (
            f"the {what} is not a finite number in epoch {state.epoch + 1} (step {step} of "
            f"{self.steps}, highest rate {rate:.3g}). "
            f"Try a rate 10 times smaller (`rate={peak / 10:.1g}`), a longer `warmup`, `clip=1`{hint}."
        )

    # --- state ---

    def _optimizer(self, parameters: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
        """Two groups for each of ours: matrices decay, biases and norms do not."""
        split = []
        for group in self.groups:
            members = [parameters[name] for name in group.parameters]
            for decay, part in (
                (True, [p for p in members if p.ndim > 1]),
                (False, [p for p in members if p.ndim <= 1]),
            ):
                if part:
                    weight_decay = self.training.weight_decay if decay else 0.0
                    options = {"lr": group.rate, "peak": group.rate, "thaw": group.thaw, "weight_decay": weight_decay}
                    split.append({"params": part, **options})
        if self.training.optimizer == "sgd":
            return torch.optim.SGD(split, lr=0.0, momentum=self.training.momentum)
        return torch.optim.AdamW(split, lr=0.0)

    def _moving(self) -> dict[str, Tensor]:
        """Every tensor that a step may change."""
        return {**self.trained, **dict(self.network.named_buffers())}

    def _load(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._moving().items():
                tensor.copy_(values[name])

    def _clock(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self.started
        self.started = now

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        self._clock()
        tensors = {f"now/{name}": value for name, value in self._moving().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        write_checkpoint(self.checkpoint, self.identity, self.state, tensors | optimizer_tensors(self.optimizer))
        self.saved = time.monotonic()

    def _resume(self) -> None:
        found = None if self.checkpoint is None else read_checkpoint(self.checkpoint, self.identity)
        if found is None:
            return
        self.state, tensors = found
        self._load({name[4:]: value for name, value in tensors.items() if name.startswith("now/")})
        self.best = {name[5:]: value.to(self.device) for name, value in tensors.items() if name.startswith("best/")}
        restore_optimizer(self.optimizer, tensors)
        here, before = _computes_on(self.device), self.state.computed_on
        if before not in ("", here):
            self.state.notes.append(
                f"begun with {before}, continued with {here}; the last digits may differ from an uninterrupted run's"
            )
        self.state.computed_on = here


def _draw(stream: Batches, indices: np.ndarray, epoch: int) -> Drawn:
    return Drawn(stream.load(indices, epoch), stream.labels[indices], torch.as_tensor(indices))


def _computes_on(device: torch.device) -> str:
    """What decides the order of sums: the kind of device, on a processor its threads."""
    if device.type == "cpu":
        return f"CPU threads: {torch.get_num_threads()}"
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
