"""A linear head on the source's fixed features: solved to its optimum, or trained as in the LEEP paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from headstart.data.target import Target
from headstart.errors import InputError
from headstart.records import Extraction
from headstart.records.options import option
from headstart.scores import ExpectedEmpiricalPredictor
from headstart.sources.source import Source
from headstart.tasks import softmax, task_of
from headstart.train.groups import Group
from headstart.train.head import LinearHead, fit_head, fit_ridge
from headstart.train.head_sgd import fit_heads_sgd
from headstart.train.objectives import balance
from headstart.transfers.method import Method, Recipe, method
from headstart.transfers.network import Transferable
from headstart.transfers.setting import Setting
from headstart.transfers.taps import at_layer

BY_SGD = {"solver": ["sgd"]}


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved head, and what the record should keep of how it was found."""

    head: LinearHead
    notes: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


class Solved(Method):
    """A method that computes a linear head from fixed features, without training."""

    layer: str | None
    head_rate = 1.0
    trains = False
    holds_out = False

    def view(self, source: Source) -> Source:
        """The source with the output of the block `layer` as its features."""
        return source if self.layer is None else at_layer(source, self.layer)

    def build(self, network: Transferable, setting: Setting) -> Recipe:
        """The body is frozen."""
        frozen = [Group(block.name, block.parameters, block.modules, 0.0) for block in network.body]
        head = network.blocks[-1]
        return Recipe((*frozen, Group(head.name, head.parameters, head.modules, self.head_rate, new=True)))

    def solved(self, setting: Setting, seen: Extraction) -> Solution:
        """The head for a setting, of which `seen` holds the features of training and validation part."""
        balanced = setting.training.class_weights == "balanced"
        return Solution(self.solve(seen, setting.parts.train, setting.seed, balanced=balanced))

    def solve(self, extraction: Extraction, target: Target, seed: int, *, balanced: bool = False) -> LinearHead:
        """The head for the extraction's features and labels; `balanced` makes all classes count alike.

        Raises:
            InputError: The method does not apply to the target or the source.
        """
        raise NotImplementedError

    def told(self, head: LinearHead) -> str:
        """How the head was found."""
        return f"penalty {head.penalty:.3g} ({head.chosen_by})"


@method("head")
@dataclass(frozen=True)
class Head(Solved):
    """Fit a linear head on the source's fixed features."""

    layer: str | None = option(
        None, "Block whose output the head reads, by name", usual="the features that the source's own head reads"
    )
    solver: Literal["lbfgs", "sgd"] = option(
        "lbfgs", "How the head is fitted: solved to its optimum, or by SGD as in the LEEP paper"
    )
    penalty: float | None = option(
        None, "L2 penalty", above=0, usual="chosen by leave-one-out", needs={"solver": ["lbfgs"]}
    )
    rate: float = option(0.01, "Learning rate", above=0, needs=BY_SGD)
    epochs: int = option(100, "Passes of SGD over the training part", low=1, needs=BY_SGD)
    batch_size: int = option(10, "Examples per step of SGD", low=1, needs=BY_SGD)
    warm_start: bool = option(
        False, "Start SGD from a linear fit to the log probabilities of LEEP's empirical predictor", needs=BY_SGD
    )

    @property
    def head_rate(self) -> float:  # type: ignore[override]  # a constant of the other solved methods
        """The head has a rate of its own only with SGD."""
        return self.rate if self.solver == "sgd" else 1.0

    def solve(self, extraction: Extraction, target: Target, seed: int, *, balanced: bool = False) -> LinearHead:
        """The head for the extraction's features and labels."""
        features, labels = np.asarray(extraction.features, dtype=np.float64), extraction.labels
        weights = balance(labels)[labels] if balanced else None
        if self.solver == "sgd":
            return _by_sgd(features, extraction, target, self, seed, weights)
        task = task_of(target.task)
        if task.link == "identity":
            return fit_ridge(features, labels, penalty=self.penalty)
        outputs = task.width(target.labels, target.classes)
        return fit_head(features, labels, classes=outputs, penalty=self.penalty, seed=seed, weights=weights)

    def told(self, head: LinearHead) -> str:
        """How the head was found."""
        return "SGD" if head.chosen_by == "SGD" else super().told(head)


def _by_sgd(
    features: np.ndarray, extraction: Extraction, target: Target, how: Head, seed: int, weights: np.ndarray | None
) -> LinearHead:
    if not task_of(target.task).single_class:
        raise InputError(
            f"`solver='sgd'` trains classifiers only, and the task is {target.task}. Use `solver='lbfgs'`."
        )
    start = None
    if how.warm_start:
        weight, bias = warm_start(features, extraction, len(target.classes))
        start = (weight[None], bias[None])
    return fit_heads_sgd(
        features[None],
        extraction.labels[None],
        classes=len(target.classes),
        epochs=how.epochs,
        rate=how.rate,
        batch_size=how.batch_size,
        seed=seed,
        start=start,
        weights=weights,
    )[0]


def warm_start(features: np.ndarray, extraction: Extraction, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (C, d) and bias (C,) of the linear head nearest to the expected empirical predictor.

    The predictor's log probabilities are not linear in the features; their ridge regression on the features is.

    Raises:
        InputError: The source has no classifier, so there is no such predictor.
    """
    if extraction.logits is None:
        raise InputError("`warm_start` needs the source's own classifier, and this source has none. Leave it out.")
    probs = softmax(extraction.logits)
    predictor = ExpectedEmpiricalPredictor().fit(probs, extraction.labels)
    logs = np.full((len(probs), classes), np.log(1e-6))
    logs[:, predictor.classes_] = np.log(np.maximum(predictor.predict_proba(probs), 1e-6))
    head = fit_ridge(features, logs - logs.mean(axis=1, keepdims=True))
    return head.weight, head.bias
