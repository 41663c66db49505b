"""What a transfer reached on a task: heads by SGD on cached features, networks by SGD, networks adapted by CNAPs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from headstart.data import Target
from headstart.evaluation import accuracy, macro_f1
from headstart.meta import Cnaps
from headstart.runner import Event
from headstart.sources import Source
from headstart.train import Precision, Training, batches_of, fit, outputs_of
from headstart.transfers import transferable, whole_groups
from headstart_paper.heads import sgd_head
from headstart_paper.paper import MARKS
from headstart_paper.tasks import ClassTask


@dataclass(frozen=True)
class Budget:
    """Plain SGD as in the paper: no momentum, no decay, one rate throughout."""

    epochs: int
    rate: float = 0.01
    batch_size: int = 10
    precision: Precision = "fp32"  # of fine-tuning; heads are computed in float32


@dataclass(frozen=True)
class TaskOutcome:
    """How good a transfer was on the test part."""

    accuracy: float
    f1: float  # of the rare class of an imbalanced task, else the mean over the classes
    seconds: float
    by_epoch: Mapping[int, float] = field(default_factory=dict)  # epoch, from 1 -> what the table correlates

    def of_table(self, task: ClassTask) -> float:
        """What the table correlates: accuracy, or F1 for imbalanced tasks."""
        return self.accuracy if task.rare is None else self.f1


def head_outcome(
    features: np.ndarray, test_features: np.ndarray, task: ClassTask, budget: Budget, *, seed: int = 0
) -> TaskOutcome:
    """A softmax head on fixed features.

    Args:
        features: (N, d) of the whole training part; the task takes its rows.
        test_features: Likewise of the test part.
        seed: Of the order in which SGD sees the examples.
    """
    started = time.perf_counter()
    epochs = sgd_head(
        features[task.train],
        task.train_labels,
        len(task.classes),
        rate=budget.rate,
        batch_size=budget.batch_size,
        epochs=budget.epochs,
        seed=seed,
    )
    tested, by_epoch = test_features[task.test].astype(np.float64), {}
    for epoch, (weights, biases) in enumerate(epochs, start=1):
        if epoch in MARKS or epoch == budget.epochs:
            found = judged(task, tested @ weights + biases)
            by_epoch[epoch] = found.of_table(task)
    return replace(found, seconds=time.perf_counter() - started, by_epoch=by_epoch)


def network_outcome(
    source: Source,
    train: Target,
    test: Target,
    task: ClassTask,
    budget: Budget,
    *,
    seed: int = 0,
    scratch: bool = False,
    curve: bool = False,
    device: str = "cpu",
) -> TaskOutcome:
    """Every weight of the source, or of the same network drawn anew, trained by SGD together with a new head.

    The weights after the last epoch are tested: nothing is chosen on the test part.

    Args:
        train: The whole training part; the task takes its examples.
        test: Likewise the test part.
        scratch: Begin with random weights.
        curve: Test after every epoch, not at `MARKS` alone.
    """
    started = time.perf_counter()
    model = transferable(source, len(task.classes), seed=seed, scratch=scratch)
    tested = batches_of(part_of(test, task.test, task.test_labels, task), source)
    training = Training(
        epochs=budget.epochs,
        batch_size=budget.batch_size,
        optimizer="sgd",
        momentum=0.0,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        seed=seed,
        precision=budget.precision,
    )
    if budget.precision == "bf16":
        for weight in model.network.parameters():
            if weight.dim() == 4:  # a fifth less time in bfloat16, none in float32
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    steps = -(-len(task.train) // budget.batch_size)
    found: dict[int, TaskOutcome] = {}

    def look(event: Event) -> None:
        epoch, rest = divmod(event.done, steps)
        if not rest and epoch not in found and (curve or epoch in MARKS or epoch == budget.epochs):
            outputs = outputs_of(model.network, tested, device=torch.device(device)).numpy()
            found[epoch] = judged(task, outputs)

    fit(
        model.network,
        whole_groups(model, [budget.rate] * len(model.blocks)),
        batches_of(part_of(train, task.train, task.train_labels, task), source),
        None,
        training,
        device=device,
        progress=look,
    )
    by_epoch = {epoch: outcome.of_table(task) for epoch, outcome in found.items()}
    return replace(found[budget.epochs], seconds=time.perf_counter() - started, by_epoch=by_epoch)


def adapted_outcome(
    learner: Cnaps, train: Target, test: Target, task: ClassTask, *, device: str = "cpu"
) -> TaskOutcome:
    """A source that adaptation networks fit to the task's examples in forward passes, without training on them."""
    started = time.perf_counter()
    source = learner.source
    examples = batches_of(part_of(train, task.train, task.train_labels, task), source)
    adapted = learner.adapt_on(examples, len(task.classes), device=device)
    tested = batches_of(part_of(test, task.test, task.test_labels, task), source)
    outputs = outputs_of(adapted, tested, device=torch.device(device)).numpy()
    return judged(task, outputs, time.perf_counter() - started)


def judged(task: ClassTask, outputs: np.ndarray, seconds: float = 0.0) -> TaskOutcome:
    """Accuracy and F1 of outputs (m, C) on the task's test part."""
    labels = task.test_labels
    f1 = macro_f1(labels, outputs) if task.rare is None else rare_f1(labels, outputs.argmax(axis=1), task.rare)
    return TaskOutcome(accuracy(labels, outputs), f1, seconds)


def rare_f1(labels: np.ndarray, said: np.ndarray, rare: int) -> float:
    """F1 of one class; 0 where it is neither there nor named.

    Example:
        >>> rare_f1(np.array([1, 1, 0]), np.array([1, 0, 0]), 1)
        0.6666666666666666
    """
    hits = int(((labels == rare) & (said == rare)).sum())
    either = int((labels == rare).sum() + (said == rare).sum())
    return 2 * hits / either if either else 0.0


def part_of(whole: Target, places: np.ndarray, labels: np.ndarray, task: ClassTask) -> Target:
    """The examples of a task, with the task's own classes."""
    classes = tuple(whole.classes[code] for code in task.classes)
    return replace(whole.subset(places), labels=labels, classes=classes)
