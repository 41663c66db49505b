"""Notes on class names that may be a mistake. The labels themselves are used as given."""

from collections.abc import Iterator

import numpy as np

from headstart.tasks.amounts import is_amount_elsewhere, number_of
from headstart.tasks.arrays import Array

MANY_NUMBERS = 50  # more distinct whole numbers than this may be amounts
MISSING = {"nan", "none", "null", "n/a", "na", "-1", "unknown", "?"}  # what often stands for a missing label


def class_notes(names: list[str], codes: Array, where: str, order: list[int], *, asked: bool) -> tuple[str, ...]:
    """Notes on class names.

    Args:
        names: The classes as found.
        codes: The class of each example, as a place in `order`.
        where: What the labels belong to.
        order: The order of `names` that `codes` count in.
        asked: The user named the task.
    """
    notes = [] if asked else list(_other_tasks(names, where))
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            notes.append(f"the classes `{other}` and `{name}` differ only in case and stay separate")
    notes += [
        f"one class is called `{name}`; if that stands for a missing label, leave those examples out"
        for name in names
        if name.casefold() in MISSING
    ]
    notes += _equal_numbers(names)
    lonely = [names[order[code]] for code in np.flatnonzero(np.bincount(codes) == 1)]
    return (*notes, *lonely_note(lonely))


def _other_tasks(names: list[str], where: str) -> Iterator[str]:
    """Signs of amounts, or of several labels per example."""
    if len(names) > MANY_NUMBERS and all(number_of(name) is not None for name in names):
        yield (
            f"{where} holds {len(names)} distinct whole numbers, read as classes; if they are amounts, "
            "pass task='regression'"
        )
    elsewhere = [name for name in names if is_amount_elsewhere(name)]
    if elsewhere and len(elsewhere) + sum(number_of(name) is not None for name in names) > len(names) / 2:
        yield (
            f"{where} holds labels such as `{elsewhere[0]}`, read as class names; if they are amounts, write 1.5 "
            "for 1,5, 1000 for 1,000 and 10 for 10%"
        )
    for mark in "|;":
        held = [name for name in names if mark in name.strip(mark)]
        if len(held) > len(names) / 4:
            yield (
                f"{where} holds labels such as `{held[0]}`, each read as one class; if `{mark}` separates several, "
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
        yield f"classes that are equal as numbers stay separate: {', '.join(pairs[:3])}{more}"


def lonely_note(lonely: list[str]) -> tuple[str, ...]:
    """A note on the classes with a single example, if there are any."""
    if not lonely:
        return ()
    named = ", ".join(f"`{name}`" for name in lonely[:5]) + (", ..." if len(lonely) > 5 else "")
    few = "one class has a single example" if len(lonely) == 1 else f"{len(lonely)} classes have a single example each"
    return (f"{few} ({named}): too few both to train and to validate on",)
