"""A number without meaning: the baseline that every score must beat."""

import zlib

import numpy as np

from headstart.scores._inputs import Inputs
from headstart.scores._table import ANY_TASK, SCORES, Measured, Score


def random(source: str = "", labels: object = None, *, seed: int = 0) -> float:
    """A number drawn from the source's name and the seed, and from nothing else.

    Args:
        source: Name of the source, so that several sources get an order.
        labels: Not read; here so that it is called like every other score.
        seed: Draws another order.

    Returns:
        A number from 0 to 1.

    Example:
        >>> random("timm/resnet18") == random("timm/resnet18")
        True
        >>> random("timm/resnet18") == random("timm/resnet18", seed=1)
        False
    """
    return float(np.random.default_rng([seed, zlib.crc32(source.encode())]).random())


def _measure(inputs: Inputs) -> Measured:
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
        citation="headstart",
        meaning="Chance: a score that does not beat this over several targets is worth nothing.",
        invariances={"order", "names", "unused", "scale", "shift", "rotation"},
        measure=_measure,
    )
)
