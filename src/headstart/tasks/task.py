"""The interface of a task, and the registry of all tasks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from headstart.errors import InputError, did_you_mean
from headstart.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]
ByClass = Callable[[Array, Array], tuple[Array, Array]]  # labels, answers -> (n, C) members, (n, 1) or (n, C) right
Link = Literal["softmax", "sigmoid", "identity"]  # from the outputs of a network to its answers


@dataclass(frozen=True, eq=False)
class RawLabels:
    """Labels as found, made one array, and what errors and notes about them name."""

    values: Array  # (n,) or (n, t) numbers or text; (n,) object: a tuple of labels for each example
    where: str  # "column `label` of reviews.csv"
    ids: Sequence[str]  # names of the examples
    classes: Sequence[str] | None = None  # names that whole-number labels index
    asked: bool = False  # the user named the task; otherwise it was recognised by the labels


@dataclass(frozen=True, eq=False)
class Labels:
    """All labels of a target as `Target` wants them."""

    values: Array  # (n,) int64 codes; (n,) or (n, t) float64; (n, C) int64 of 0/1
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A measure of predictions.

    Where two runs agree on every example, a `share` of examples still bounds their difference by the number of them,
    and `by_class` by the numbers in each class; any other metric has no interval then.
    """

    name: str  # "balanced_accuracy", as in records and options
    title: str  # "balanced accuracy", for readers
    function: Callable[[Array, Array], float]  # of labels and answers
    low: float  # smallest possible value, -inf if unbounded
    high: float  # largest possible value, inf if unbounded
    lower_is_better: bool = False
    share: bool = False
    by_class: ByClass | None = None

    def __call__(self, labels: Array, answers: Array) -> float:
        """The value on labels and `Task.answers`."""
        return self.function(labels, answers)

    @property
    def sign(self) -> float:
        """1 where higher is better, -1 where lower is."""
        return -1.0 if self.lower_is_better else 1.0


class Task(ABC):
    """A task. Subclass it, set the class attributes, and decorate the class with `register`."""

    name: ClassVar[str]  # "classification": on the command line and in records
    link: ClassVar[Link]  # which linear head is solved, and how outputs become answers
    metrics: ClassVar[tuple[Metric, ...]]  # the first is the default, by which results are compared
    scored_as: ClassVar[str]  # the name of the task whose scores apply: its own name or that of a built-in one
    single_class: ClassVar[bool] = False  # each example has one class, and labels are codes (n,)
    amounts: ClassVar[bool] = False  # labels are quantities; training scales them to mean 0 and deviation 1
    takes_sets: ClassVar[bool] = False  # an example may have any number of labels, including none

    def recognises(self, values: Array) -> bool:
        """Whether these labels belong to the task, where the user names none."""
        return False

    @abstractmethod
    def read(self, raw: RawLabels) -> Labels:
        """Labels checked and coded.

        Raises:
            TargetError: A label does not fit the task, or all labels are equal.
        """

    @abstractmethod
    def width(self, labels: Array, classes: Sequence[str]) -> int:
        """How many outputs a network for these labels has."""

    @abstractmethod
    def loss(
        self, outputs: "Tensor", labels: "Tensor", *, smoothing: float = 0.0, weights: "Tensor | None" = None
    ) -> "Tensor":
        """Mean loss of a batch: `outputs` (b, width) before the link, `labels` as in `Labels.values`.

        Label `smoothing` in [0, 1) and `weights` (C,) of the classes are used by tasks with a single class per example.
        """

    @abstractmethod
    def quality(self, outputs: "Tensor", labels: "Tensor") -> float:
        """The number by which epochs are compared, higher is better."""

    def answers(self, outputs: Array) -> Array:
        """Outputs (n, width) of a network as float64 probabilities, or as values where the link is the identity."""
        return LINKS[self.link](np.asarray(outputs, dtype=np.float64))

    @abstractmethod
    def strata(self, labels: Array) -> Array:
        """(n,) whole numbers: the groups whose shares every part of the data should keep."""

    @abstractmethod
    def counts(self, labels: Array, classes: Sequence[str]) -> tuple[int, ...]:
        """Examples of each class; empty for a task without classes."""

    @abstractmethod
    def showcase(self, labels: Array, classes: Sequence[str]) -> list[tuple[str, Array]]:
        """Captions of samples and their rows: by class, or the lowest, middle and highest value."""

    def names(self, labels: Array, classes: Sequence[str]) -> list[object]:
        """Each label as one value that compares: a class name, or a tuple of numbers."""
        return [tuple(np.atleast_1d(row).tolist()) for row in labels]

    def metrics_on(self, labels: Array) -> tuple[Metric, ...]:
        """The metrics that are defined on these test labels."""
        return self.metrics

    def caveats(self, metric: str, labels: Array) -> list[str]:
        """Notes to print beside a metric on these test labels."""
        return []

    def metric(self, name: str | None = None) -> Metric:
        """The metric called `name`; the default one if None.

        Raises:
            InputError: The task has no such metric.
        """
        named = {metric.name: metric for metric in self.metrics}
        if name is None:
            return self.metrics[0]
        if name not in named:
            raise InputError(
                f"unknown metric {name!r} for {self.name}.{did_you_mean(name, named)} Available: {', '.join(named)}."
            )
        return named[name]


def softmax(outputs: Array) -> Array:
    """Each row of (n, C) logits as a distribution, in float64."""
    outputs = np.asarray(outputs, dtype=np.float64)
    return np.asarray(np.exp(outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)))


LINKS: dict[Link, Callable[[Array], Array]] = {
    "softmax": softmax,
    "sigmoid": lambda outputs: np.asarray(np.exp(-np.logaddexp(0, -outputs))),
    "identity": lambda outputs: outputs,
}
TASKS: Registry[Task] = Registry("headstart.tasks", "task")
Kind = TypeVar("Kind", bound=type[Task])


def register(kind: Kind) -> Kind:
    """Register a task (class decorator)."""
    TASKS.add(kind())
    return kind


def task_of(name: str) -> Task:
    """The task called `name`.

    Raises:
        InputError: No task has that name.

    Example:
        >>> task_of("multi-label").metric().name
        'macro_f1'
    """
    return TASKS.find(name)
