"""An order of the examples whose every beginning is a fair small version of the whole."""

import heapq
from dataclasses import replace
from typing import Any

import numpy as np

from headstart.data.target import Target
from headstart.errors import InputError
from headstart.tasks import task_of

Array = np.ndarray[Any, np.dtype[Any]]


def stratified_order(strata: Array, seed: int) -> Array:
    """A random order of the examples in which every prefix is stratified.

    For every m, the first m examples hold each class c within one example of m * n_c / n: Tijdeman's solution of the
    chairman assignment problem, which schedules the j-th example of a class after place (j - 1 + d) / share and by the
    earliest deadline (j - d) / share, d = 1 / (2C - 2). Within a class the order is random.

    Args:
        strata: (n,) the class, or another stratum, of each example.
        seed: The same seed gives the same order.

    Returns:
        A permutation of 0..n-1, (n,) int64.

    Example:
        >>> labels = np.array([0] * 6 + [1] * 3)
        >>> [int(np.sum(labels[stratified_order(labels, seed=0)[:m]])) for m in (3, 6, 9)]
        [1, 2, 3]

    Reference: Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980) 323-330.
    """
    rng = np.random.default_rng(seed)
    strata = np.unique(np.asarray(strata), return_inverse=True)[1]
    shuffled = rng.permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]  # each stratum's members in random order
    seats = _chairmen(np.bincount(strata), rng)
    order = np.empty(len(strata), dtype=np.int64)
    order[np.argsort(seats, kind="stable")] = by_stratum  # the j-th seat of a stratum goes to its j-th member
    return order


def order_of(target: Target, seed: int) -> Array:
    """The stratified order of a target's examples, (n,) int64; its kind of task decides what the strata are."""
    return stratified_order(task_of(target.task).strata(target.labels), seed)


def limit(target: Target, n: int, seed: int) -> Target:
    """The first `n` examples of the stratified order, in that order (all of them when there are no more than `n`).

    Raises:
        InputError: `n` is not positive, or so few examples hold a single class.
    """
    if n < 1:
        raise InputError(f"`limit` must be at least 1 example; got {n}.")
    kept = target.subset(order_of(target, seed)[:n])
    if n >= len(target):
        return kept
    note = f"{n} of {len(target)} examples, stratified, seed {seed}"
    if task_of(target.task).single_class:
        present = len(np.unique(kept.labels))
        if present < 2:
            raise InputError(f"`limit` of {n} leaves a single class of {len(target.classes)}; allow more examples.")
        if present < len(target.classes):
            note += f"; {len(target.classes) - present} of {len(target.classes)} classes have none among them"
    return replace(kept, notes=(*kept.notes, note))


def _chairmen(sizes: Array, rng: np.random.Generator) -> Array:
    """The stratum of each place (n,), so that every prefix holds every stratum within one of its share."""
    total, slack = int(sizes.sum()), 1 / (2 * len(sizes) - 2) if len(sizes) > 1 else 0.0
    tie = rng.permutation(len(sizes))
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    turn = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # j - 1 of each example of its stratum
    gap = total / sizes[stratum]
    opens = np.maximum(1, np.ceil(np.round((turn + slack) * gap, 9))).astype(np.int64)  # first place allowed
    jobs = np.lexsort((stratum, opens))
    waiting: list[tuple[float, int, int]] = []
    seats = np.empty(total, dtype=np.int64)
    deadline = (turn + 1 - slack) * gap
    coming = zip(*(each[jobs].tolist() for each in (opens, deadline, tie[stratum], stratum)), strict=True)
    job = next(coming, None)
    for place in range(1, total + 1):
        while job is not None and job[0] <= place:
            heapq.heappush(waiting, job[1:])
            job = next(coming, None)
        seats[place - 1] = heapq.heappop(waiting)[2]
    return seats
