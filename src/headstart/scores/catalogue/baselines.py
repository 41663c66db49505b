"""Baselines that never look at the target: a random number and the source's published accuracy on ImageNet."""

import zlib

import numpy as np

from headstart.records import ModelCard
from headstart.scores._checks import NotApplicableError
from headstart.scores._inputs import Inputs
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score


def random(source: str = "", labels: object = None, *, seed: int = 0) -> float:
    """A number drawn from the source's name and the seed, and from nothing else.

    Example:
        >>> random("timm/resnet18") == random("timm/resnet18") != random("timm/resnet18", seed=1)
        True

    Reference: headstart
    """
    return float(np.random.default_rng([seed, zlib.crc32(source.encode())]).random())


def _measure_random(inputs: Inputs) -> Measured:
    return Measured(random("" if inputs.card is None else inputs.card.name, seed=inputs.seed))


SCORES.add(
    Score(
        title="random",
        function=random,
        needs="nothing",
        tasks=ANY_TASK,
        low=0.0,
        high=1.0,
        cost="none",
        meaning="Chance: a score that does not beat this over several targets is not useful.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure_random,
    )
)


def source_accuracy(card: ModelCard, labels: object = None) -> float:
    """Published ImageNet top-1 accuracy of the source (higher is better).

    Returns:
        A share from 0 to 1.

    Raises:
        NotApplicableError: None is known for this source.

    Example:
        >>> source_accuracy(ModelCard("timm/resnet18", "image", imagenet_top1=0.7))
        0.7

    Reference: Kornblith, Shlens, Le, CVPR 2019. https://arxiv.org/abs/1805.08974
    """
    if card.imagenet_top1 is None:
        raise NotApplicableError(f"no ImageNet accuracy is known for {card.name}")
    return float(card.imagenet_top1)


def _measure_accuracy(inputs: Inputs) -> Measured:
    assert inputs.card is not None, "asked for by `needs`"
    return Measured(source_accuracy(inputs.card))


SCORES.add(
    Score(
        title="source accuracy",
        function=source_accuracy,
        needs="card",
        tasks=ANY_TASK,
        low=0.0,
        high=1.0,
        cost="none",
        meaning="How good the source is at its own task; it ignores yours, and is still hard to beat.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure_accuracy,
    )
)
