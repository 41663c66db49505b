"""What a transfer reached on a task: heads by SGD on cached features, networks by SGD, networks adapted by CNAPs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from headstart.data import Target
from headstart.evaluation import accuracy, macro_f1
from headstart.meta import Cnaps
from headstart.records import CurvePoint
from headstart.sources import Source
from headstart.train import Training, batches_of, fit, fit_heads_sgd, outputs_of
from headstart.transfers import transferable, whole_groups
from headstart_paper.tasks import ClassTask


@dataclass(frozen=True)
class Budget:
    """Plain SGD as in the paper: no momentum, no decay, one rate throughout."""

    epochs: int
    rate: float = 0.01
    batch_size: int = 10


@dataclass(frozen=True)
class TaskOutcome:
    """How good a transfer was on the test part."""

    accuracy: float
    f1: float  # of the rare class of an imbalanced task, else the mean over the classes
    seconds: float
    curve: tuple[float, ...] = ()  # test accuracy after each epoch, where it was asked for


def head_outcomes(
    features: np.ndarray, test_features: np.ndarray, tasks: Sequence[ClassTask], budget: Budget, *, seed: int = 0
) -> list[TaskOutcome]:
    """Softmax heads on fixed features, all tasks of one shape side by side.

    Args:
        features: (N, d) of the whole training part; a task takes its rows.
        test_features: Likewise of the test part.
        seed: Of the order in which SGD sees the examples.
    """
    found: dict[int, TaskOutcome] = {}
    shapes: dict[tuple[int, int], list[int]] = {}
    for place, task in enumerate(tasks):
        shapes.setdefault((len(task.train), len(task.classes)), []).append(place)
    for (_, classes), places in shapes.items():
        started = time.perf_counter()
        heads = fit_heads_sgd(
            np.stack([features[tasks[place].train] for place in places]),
            np.stack([tasks[place].train_labels for place in places]),
            classes=classes,
            epochs=budget.epochs,
            rate=budget.rate,
            batch_size=budget.batch_size,
            seed=seed,
        )
        seconds = (time.perf_counter() - started) / len(places)
        for place, head in zip(places, heads, strict=True):
            task = tasks[place]
            found[place] = judged(task, head.outputs(test_features[task.test].astype(np.float64)), seconds)
    return [found[place] for place in range(len(tasks))]


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
        curve: Test after every epoch.
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
    )
    points: list[float] = []
    fitted = fit(
        model.network,
        whole_groups(model, [budget.rate] * len(model.blocks)),
        batches_of(part_of(train, task.train, task.train_labels, task), source),
        tested if curve else None,
        training,
        device=device,
    )
    if curve:
        points = [_quality(point) for point in fitted.curve]
        return TaskOutcome(points[-1], float("nan"), time.perf_counter() - started, tuple(points))
    outputs = outputs_of(model.network, tested, device=torch.device(device)).numpy()
    return judged(task, outputs, time.perf_counter() - started)


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


def judged(task: ClassTask, outputs: np.ndarray, seconds: float) -> TaskOutcome:
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


def _quality(point: CurvePoint) -> float:
    assert point.valid_quality is not None, "a training with a test part measures it every epoch"
    return point.valid_quality
