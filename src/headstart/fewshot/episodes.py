"""Draws episodes: small tasks with a few examples to learn from (support) and others to test on (query)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from headstart.errors import InputError


@dataclass(frozen=True, eq=False)
class Episodes:
    """E episodes of w classes each; support and query hold row numbers of the data."""

    classes: Int[np.ndarray, "e w"]
    support: Int[np.ndarray, "e w k"]  # an episode with s shots uses the first s
    query: Int[np.ndarray, "e w q"]  # -1: the class has no more examples


def draw(
    labels: Int[np.ndarray, " n"],
    *,
    ways: int | None,
    shots: int,
    queries: int,
    episodes: int,
    names: Sequence[str],
    seed: int,
) -> Episodes:
    """Draw random episodes. They depend on the labels and the seed alone, so all sources get the same ones.

    Args:
        labels: Class codes.
        ways: Classes per episode; None uses all classes in each.
        shots: Support examples per class.
        queries: Query examples per class, or all that are left if there are fewer.
        episodes: Number of episodes.
        names: Class names, for error messages.
        seed: Random seed.

    Raises:
        InputError: Too few classes have enough examples.

    Example:
        >>> found = draw(np.repeat([0, 1, 2], 5), ways=2, shots=3, queries=4, episodes=7, names="abc", seed=0)
        >>> found.classes.shape, found.support.shape, int((found.query >= 0).sum(axis=2).max())
        ((7, 2), (7, 2, 3), 2)
    """
    members = [np.flatnonzero(labels == code) for code in range(len(names))]
    usable = [code for code, own in enumerate(members) if len(own) > shots]
    small = min((code for code in range(len(names)) if code not in usable), key=lambda c: len(members[c]), default=None)
    wanted = len(names) if ways is None else ways
    if len(usable) < wanted:
        if small is None:
            raise InputError(f"`ways` is {wanted}, and the data have {len(names)} classes. Use fewer ways, or `all`.")
        raise InputError(
            f"{wanted} ways with {shots} shots need {wanted} classes of at least {shots + 1} examples, {shots} to "
            f"learn from and one to be judged on; {len(usable)} of {len(names)} classes have them "
            f"({names[small]!r} has {len(members[small])}). Use fewer shots or ways, or more examples."
        )
    rng = np.random.default_rng(seed)
    most = max(len(members[code]) for code in usable)
    depth = shots + min(queries, most - shots)
    chosen = np.full((episodes, wanted, depth), -1)
    classes = np.stack([rng.permutation(usable)[:wanted] if ways else np.array(usable) for _ in range(episodes)])
    for episode, codes in enumerate(classes):
        for way, code in enumerate(codes):
            own = rng.permutation(members[code])[:depth]
            chosen[episode, way, : len(own)] = own
    return Episodes(classes, chosen[:, :, :shots], chosen[:, :, shots:])


def right(predicted: Int[np.ndarray, "e m"], query: Int[np.ndarray, "e w q"]) -> Int[np.ndarray, "e w q"]:
    """1 where the prediction for a query example is correct, else 0; 0 also where there is no example."""
    return np.asarray((predicted.reshape(query.shape) == np.arange(query.shape[1])[:, None]) & (query >= 0)).astype(int)
