"""Splits: which one is scored. They are never merged."""

import re
from collections.abc import Mapping

from headstart.errors import NoSuchSplit, TargetError, did_you_mean

ROLES = {
    "train": ("train", "training", "trainset", "tr"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test", "testing", "testset", "t10k"),
}
ROLE_OF = {name: role for role, names in ROLES.items() for name in names}
BESIDE = {"data", "dataset", "image", "images", "img", "imgs", "partial", "seg", "set", "split"}  # they change no role


def role_of(name: str) -> str | None:
    """Which part a name stands for, "train", "val" or "test"; None where it is no name of a split.

    Example:
        >>> role_of("Validation"), role_of("seg_train"), role_of("train_station"), role_of("trousers")
        ('val', 'train', None, None)
    """
    words = [word for word in re.split(r"[-_. ]", name.strip().casefold()) if word not in BESIDE]
    return role_of_word(words[0]) if len(words) == 1 else None


def role_of_word(word: str) -> str | None:
    """As `role_of`, for a name that is nothing but the role.

    Example:
        >>> role_of_word("Train"), role_of_word("train_set")
        ('train', None)
    """
    return ROLE_OF.get(word.strip().casefold())


def refuse_split(wanted: str | None, where: str) -> None:
    """Refuse a split of data that have none."""
    if wanted is not None:
        raise NoSuchSplit(f"{where} has no splits, so `split={wanted!r}` has no effect; leave it out.")


def choose_split(sizes: Mapping[str, int | None], wanted: str | None, where: str) -> tuple[str, str]:
    """The split to score and a sentence on what is set aside.

    Args:
        sizes: Examples in each split; None where they are not known.
        wanted: The user's choice, by name ("validation") or by role ("val"); None takes the training split.
        where: What the splits belong to, for the texts.

    Example:
        >>> choose_split({"train": 80, "test": 20}, None, "photos/")
        ('train', 'only the split `train` (80 examples) is used; set aside: `test` (20)')
    """
    there = ", ".join(f"`{name}`" for name in sizes)
    role = role_of(wanted or "train")
    fitting = (
        [name for name in sizes if name == wanted]
        or [name for name in sizes if role and role_of_word(name) == role]
        or [name for name in sizes if role and role_of(name) == role]
    )
    if not fitting and wanted is not None:
        raise NoSuchSplit(f"{where} has no split `{wanted}`; it has {there}.{did_you_mean(wanted, sizes)}", sizes)
    if len(fitting) != 1:
        found = "no training split" if not fitting else "more than one training split"
        raise TargetError(
            f"{where} has {found} among {there}; choose one with `split=`, for example split={min(sizes)!r}."
        )
    chosen = fitting[0]
    told = {name: "" if size is None else f" ({size})" for name, size in sizes.items()}
    aside = ", ".join(f"`{name}`{size}" for name, size in told.items() if name != chosen)
    note = f"only the split `{chosen}`{told[chosen].replace(')', ' examples)')} is used"
    return chosen, note + (f"; set aside: {aside}" if aside else "")
