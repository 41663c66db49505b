"""Episodes: small tasks drawn from labelled data, with examples to learn from (support) and to be judged on (query)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from headstart.errors import InputError


@dataclass(frozen=True, eq=False)
class Episodes:
    """E episodes of w classes; entries are places in the data."""

    classes: Int[np.ndarray, "e w"]
    support: Int[np.ndarray, "e w k"]  # the first s of each class serve an episode of s shots
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
    """Draw episodes; the same seed and labels give the same ones for every source.

    Args:
        labels: Class codes.
        ways: Classes of an episode; None takes all of them each time.
        shots: Support examples of each class.
        queries: Query examples of each class, fewer where it has fewer.
        episodes: How many.
        names: Names of the classes, for the error.
        seed: Of the draw.

    Raises:
        InputError: Too few classes hold enough examples.

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
    """1 where a query example is given its own class, 0 elsewhere and where there is no example."""
    return np.asarray((predicted.reshape(query.shape) == np.arange(query.shape[1])[:, None]) & (query >= 0)).astype(int)
