"""What the names of classes leave in doubt: said in notes, because the labels are taken as they stand."""

from collections.abc import Iterator

import numpy as np

from headstart.data.amounts import is_amount_elsewhere, number_of
from headstart.records import Task

MANY_NUMBERS = 50  # whole numbers with more distinct values than this are classes only under protest


def class_notes(
    names: list[str], codes: np.ndarray, where: str, order: list[int], task: Task | None
) -> tuple[str, ...]:
    """Sentences on what the names of classes leave in doubt.

    Args:
        names: The classes as found.
        codes: The class of each example, as a place in `order`.
        where: What the labels belong to.
        order: The order of `names` that `codes` count in.
        task: Decided by the caller; None if it was decided by what the labels look like.
    """
    notes = list(_other_tasks(names, where)) if task is None else []
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            notes.append(f"the classes `{other}` and `{name}` differ only in case and are kept apart")
    notes += _equal_numbers(names)
    lonely = [names[order[code]] for code in np.flatnonzero(np.bincount(codes) == 1)]
    return (*notes, *lonely_note(lonely))


def _other_tasks(names: list[str], where: str) -> Iterator[str]:
    """What speaks for amounts or for several labels of each example."""
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
    return (f"{few} ({named}): what is learnt of it cannot be checked on another",)
