"""Doubts about the names of classes, as notes: the labels themselves are used as given."""

from collections.abc import Iterator

import numpy as np

from headstart.tasks.amounts import is_amount_elsewhere, number_of
from headstart.tasks.arrays import Array

MANY_NUMBERS = 50  # more distinct whole numbers than this may be amounts


def class_notes(names: list[str], codes: Array, where: str, order: list[int], *, asked: bool) -> tuple[str, ...]:
    """Notes on names that may not mean what they look like.

    Args:
        names: The classes as found.
        codes: The class of each example, as a place in `order`.
        where: What the labels belong to.
        order: The order of `names` that `codes` count in.
        asked: The user named the task; else it was recognised by what the labels look like.
    """
    notes = [] if asked else list(_other_tasks(names, where))
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            notes.append(f"the classes `{other}` and `{name}` differ only in case and are kept apart")
    notes += _equal_numbers(names)
    lonely = [names[order[code]] for code in np.flatnonzero(np.bincount(codes) == 1)]
    return (*notes, *lonely_note(lonely))


def _other_tasks(names: list[str], where: str) -> Iterator[str]:
    """Signs of amounts, or of several labels per example."""
    if len(names) > MANY_NUMBERS and all(number_of(name) is not None for name in names):
        yield (
            f"{where} holds {len(names)} distinct whole numbers, taken as classes; if they are amounts, "
            "pass task='regression'"
        )
    elsewhere = [name for name in names if is_amount_elsewhere(name)]
    if elsewhere and len(elsewhere) + sum(number_of(name) is not None for name in names) > len(names) / 2:
        yield (
            f"{where} holds labels such as `{elsewhere[0]}`, taken as names of classes; if they are amounts, write 1.5 "
            "for 1,5, 1000 for 1,000 and 10 for 10%"
        )
    for mark in "|;":
        held = [name for name in names if mark in name.strip(mark)]
        if len(held) > len(names) / 4:
            yield (
                f"{where} holds labels such as `{held[0]}`, each taken as one class; if `{mark}` separates several, "
                "pass task='multi-label'"
            )


def _equal_numbers(names: list[str]) -> Iterator[str]:
    first: dict[float, str] = {}
    pairs = []
    for name in names:
        number = number_of(name)
        if number is not None and (other := first.setdefault(number, name)) != name:
            pairs.append(f"`{other}` and `{name}`")
    if pairs:
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        yield f"classes that are equal as numbers are kept apart: {', '.join(pairs[:3])}{more}"


def lonely_note(lonely: list[str]) -> tuple[str, ...]:
    """A sentence on the classes that have a single example, if any has."""
    if not lonely:
        return ()
    named = ", ".join(f"`{name}`" for name in lonely[:5]) + (", ..." if len(lonely) > 5 else "")
    few = "one class has a single example" if len(lonely) == 1 else f"{len(lonely)} classes have a single example each"
    return (f"{few} ({named}): too few to train on one and check on another",)
