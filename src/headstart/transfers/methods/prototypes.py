"""Nearest class mean on the source's fixed features, as a linear head: for a few examples of each class."""

from dataclasses import dataclass

import numpy as np
import scipy

from headstart.data.target import Target
from headstart.errors import InputError
from headstart.records import Extraction
from headstart.records.options import option
from headstart.scores import NotApplicableError
from headstart.tasks import task_of
from headstart.train.head import LinearHead
from headstart.transfers.method import method
from headstart.transfers.methods.head import Solved

SHARPNESS = (-12.0, 7.0)  # logarithms of the scale, in units of one over the mean squared distance from the mean


@method("prototypes")
@dataclass(frozen=True)
class Prototypes(Solved):
    """Send each example to the nearest class mean of the source's fixed features."""

    layer: str | None = option(
        None, "Block whose output is read, by name", usual="the features that the source's own head reads"
    )

    def solve(self, extraction: Extraction, target: Target, seed: int, *, balanced: bool = False) -> LinearHead:
        """The class means as a linear head; probabilities have the scale of largest leave-one-out likelihood.

        Raises:
            InputError: The target has no classes, or the features do not vary.

        Reference: Snell, Swersky, Zemel, NeurIPS 2017. https://arxiv.org/abs/1703.05175
        """
        if not task_of(target.task).single_class:
            raise InputError(f"`prototypes` needs classes, and the task is {target.task}. Use `head`.")
        features, labels = np.asarray(extraction.features, dtype=np.float64), np.asarray(extraction.labels)
        return prototypes(features, labels, len(target.classes))

    @classmethod
    def unused(cls) -> frozenset[str]:
        """Class means weigh all classes alike already."""
        return super().unused() | {"class_weights"}

    def told(self, head: LinearHead) -> str:
        return "class means as a linear head"


def prototypes(features: np.ndarray, labels: np.ndarray, classes: int) -> LinearHead:
    """Class means of features (n, d) as a linear head; a class without examples is never chosen.

    Example:
        >>> head = prototypes(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]), 2)
        >>> head.outputs(np.array([[5.9], [6.1]])).argmax(axis=1).tolist()  # the means are 1 and 11
        [0, 1]
    """
    middle = features.mean(axis=0)
    x, counts = features - middle, np.bincount(labels, minlength=classes)
    size = float((x**2).sum(axis=1).mean())
    if size == 0:
        raise NotApplicableError("`features` are the same for every example; there is nothing to tell apart.")
    indicators = np.eye(classes)[labels]
    sums = indicators.T @ x
    means = sums / np.maximum(counts, 1)[:, None]
    offsets = np.where(counts > 0, -(means**2).sum(axis=1) / 2, -1e3 * size)
    outputs = x @ means.T + offsets
    left = np.maximum(counts[labels] - 1, 1)[:, None]
    without = np.where(counts[labels, None] > 1, (sums[labels] - x) / left, 0.0)  # nothing left: the mean of all
    rows = np.arange(len(x))
    outputs[rows, labels] = (x * without).sum(axis=1) - (without**2).sum(axis=1) / 2

    def loss(sharpness: float) -> float:
        logits = outputs * np.exp(sharpness) / size
        return float((scipy.special.logsumexp(logits, axis=1) - logits[rows, labels]).mean())

    scale = np.exp(scipy.optimize.minimize_scalar(loss, bounds=SHARPNESS, method="bounded").x) / size
    bias = scale * (offsets - means @ middle)
    return LinearHead(scale * means, bias, 0.0, loss(float(np.log(scale * size))), "leave-one-out")
