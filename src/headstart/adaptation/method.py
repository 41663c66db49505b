"""What a method of adaptation is: a method of transfer that also sees examples of the new domain, without labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from headstart.data import target_hash
from headstart.errors import InputError
from headstart.extract import extract
from headstart.records import Extraction, Kind
from headstart.records.adaptation import EFFECTIVE, SPREAD
from headstart.records.options import option
from headstart.registry import Registry
from headstart.tasks import task_of
from headstart.train.head import LinearHead, fit_head
from headstart.train.objectives import balance
from headstart.transfers.method import Made, Method, registered
from headstart.transfers.methods.head import Solution, Solved
from headstart.transfers.setting import Setting


class Adaptation(Method):
    """A method that adapts to `setting.parts.unlabelled`; a subclass is registered by `@adaptation(NAME)`.

    Deep methods derive from it and from a method that trains, such as `FineTune`, and read the new domain as a stream
    of their recipe: `streams={"unlabelled": setting.unlabelled}`. Methods on cached features derive from `OnFeatures`.
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("image", "text", "arrays")
    adapts: ClassVar[bool] = True  # False: a baseline, which does not look at the new domain
    library: ClassVar[str | None] = None  # of an extra, without which it is left out where all methods are asked for

    def identity(self, setting: Setting) -> str:
        """The options, and the content of the new domain."""
        new = setting.parts.unlabelled
        return f"{super().identity(setting)} {target_hash(new) if new is not None and self.adapts else ''}"


@dataclass(frozen=True, eq=False)
class Domains:
    """Cached features of the two domains, the labels of the first, and how a head is fitted."""

    features: np.ndarray  # (n, d) float64, of the labelled domain
    labels: np.ndarray  # (n,) codes
    new: np.ndarray  # (m, d) float64
    classes: int
    names: tuple[str, ...] = ()  # of the classes
    penalty: float | None = None
    balanced: bool = False
    seed: int = 0

    def head(self, features: np.ndarray | None = None, weights: np.ndarray | None = None) -> LinearHead:
        """The head for the labelled examples, with other features or with weights (n,)."""
        if self.balanced:
            weights = balance(self.labels)[self.labels] * (1.0 if weights is None else weights)
        return fit_head(
            self.features if features is None else features, self.labels,
            classes=self.classes, penalty=self.penalty, seed=self.seed, weights=weights,
        )  # fmt: skip


def domains(
    labelled: Extraction,
    new: Extraction,
    names: tuple[str, ...],
    penalty: float | None = None,
    *,
    balanced: bool = False,
    seed: int = 0,
) -> Domains:
    """Two forward passes as domains."""
    features, other = (np.asarray(one.features, dtype=np.float64) for one in (labelled, new))
    return Domains(features, labelled.labels, other, len(names), names, penalty, balanced, seed)


@dataclass(frozen=True)
class OnFeatures(Adaptation, Solved):
    """A method that solves a head on cached features. The head reads the new domain's features as they are."""

    layer: str | None = option(
        None, "Block whose output the head reads, by name", usual="the features that the source's own head reads"
    )
    penalty: float | None = option(None, "L2 penalty of the head", above=0, usual="chosen by leave-one-out")
    light = True

    def solved(self, setting: Setting, seen: Extraction) -> Solution:
        """The head for the features of both domains.

        Raises:
            InputError: The task has no classes, or the method does not fit the data.
        """
        train, new = setting.parts.train, setting.parts.unlabelled
        if not task_of(train.task).single_class:
            raise InputError(f"`{self.name}` adapts classifiers, and the task of {train.name} is {train.task}.")
        assert new is not None, "a method of adaptation runs with a new domain"
        other = extract(new, setting.source, cache=setting.cache, device=str(setting.device), progress=setting.progress)
        balanced = setting.training.class_weights == "balanced"
        return self.adapt(domains(seen, other, train.classes, self.penalty, balanced=balanced, seed=setting.seed))

    def adapt(self, domains: Domains) -> Solution:
        """The head for two domains: for the labelled examples as `moved` gives them.

        Raises:
            InputError: The method does not fit the data.
        """
        return Solution(domains.head(self.moved(domains, domains.features)))

    def moved(self, domains: Domains, rows: np.ndarray) -> np.ndarray:
        """Features (k, d) of the labelled domain as they would be in the new one; unchanged by default."""
        return rows


@dataclass(frozen=True)
class Weighting(OnFeatures):
    """A method that weights the labelled examples so that together they look like the new domain."""

    def weights(self, domains: Domains) -> tuple[np.ndarray, tuple[str, ...]]:
        """A weight (n,) for each labelled example, with mean 1, and notes."""
        raise NotImplementedError

    def adapt(self, domains: Domains) -> Solution:
        """The head for the weighted examples."""
        weights, notes = self.weights(domains)
        facts = {EFFECTIVE: effective_share(weights), SPREAD: float(weights.std() / weights.mean())}
        return Solution(domains.head(weights=weights), notes, facts)


def effective_share(weights: np.ndarray) -> float:
    """The share of n examples that would tell as much with equal weights as all do with weights (n,).

    Example:
        >>> effective_share(np.array([1.0, 1.0, 0.0, 0.0]))
        0.5
    """
    return float(weights.sum() ** 2 / np.square(weights).sum() / len(weights))


ADAPTATIONS: Registry[type[Adaptation]] = Registry("headstart.adaptation.methods", "method of adaptation")


def adaptation(name: str) -> Callable[[Made], Made]:
    """Register a method of adaptation, as `registered` does."""
    return registered(name, ADAPTATIONS)
