"""Training, validation and test parts of a target. They are never merged, and the test part is touched once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from headstart.data import Reading, limit, open_target, order_of
from headstart.data.provenance import digests, target_hash
from headstart.data.skips import readable
from headstart.data.target import Target
from headstart.errors import InputError, NoSuchSplit, TargetError
from headstart.tasks import task_of
from headstart.wording import listing

TEST_SHARE, VALID_SHARE = 0.25, 0.15


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one target, over the same classes in the same order."""

    train: Target
    valid: Target | None
    test: Target | None
    split: str  # hash of who is in which part, by name and content
    notes: tuple[str, ...]
    valid_note: str = ""  # where the validation part comes from; methods that use none leave it out
    unlabelled: Target | None = None  # examples of another domain, with the training part's classes and no labels

    @property
    def together(self) -> Target:
        """Training and validation part as one, for methods that need no validation."""
        first, second = self.train, self.valid
        if second is None:
            return first
        labels = np.concatenate([first.labels, second.labels])
        return replace(first, examples=_Joined(first, second), labels=labels, ids=first.ids + second.ids)


@dataclass(frozen=True, eq=False)
class _Joined:
    first: Target
    second: Target

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def load(self, index: int) -> object:
        n = len(self.first)
        return self.first.examples.load(index) if index < n else self.second.examples.load(index - n)

    def digest(self, index: int) -> bytes:
        n = len(self.first)
        return self.first.examples.digest(index) if index < n else self.second.examples.digest(index - n)


def split_target(
    spec: object,
    *,
    test: object = None,
    most: int | None = None,
    split_seed: int = 0,
    reading: Reading | None = None,
) -> Parts:
    """Open a target and divide it.

    A target that comes with a test (validation) part keeps it; else a stratified quarter (and 15 % of the rest) is
    held out. A class with a single example stays in the training part.

    Args:
        spec: Whatever `open_target` reads.
        test: A test part that lies elsewhere.
        most: Train on so many examples, stratified; the test part stays whole.
        split_seed: Decides who is held out: runs with one split seed may be compared.
        reading: Columns, task and so on, for `open_target`.

    Raises:
        TargetError: The data cannot be read, or too much of it, or the test part has no class of the training part.
        InputError: Fewer than two examples remain to train on.
    """
    reading = reading or Reading()
    max_bad = reading.max_bad
    train = open_target(spec, reading=reading).held()
    reading = replace(reading, white_level=reading.white_level or train.white_level)
    notes: list[str] = []
    found = _given_part(test, train, reading) if test is not None else _own_part(spec, train, "test", reading)
    valid = _own_part(spec, train, "val", reading)
    train, valid, found, aligned = _same_classes(train, valid, found)
    notes += aligned
    train, skipped = readable(train, max_bad=max_bad)
    if found is None:
        train, found = hold_out(train, TEST_SHARE, split_seed)
        notes.append(_held_out("test", found, split_seed))
    else:
        found, _ = readable(found, max_bad=max_bad)
    if most is not None:
        train = limit(train, most, split_seed)
    valid_note = ""
    if valid is None:
        train, valid = hold_out(train, VALID_SHARE, split_seed + 1)
        valid_note = _held_out("validation", valid, split_seed)
    else:
        valid, _ = readable(valid, max_bad=max_bad)
    if len(train) < 2:
        raise InputError(f"{train.name} leaves {len(train)} examples to train on; at least 2 are needed.")
    notes += [f"{len(skipped)} unreadable examples were left out"] if skipped else []
    notes += _missing(train, found)
    notes += _trained_on_too(found, (train, valid))
    return Parts(train, valid, found, _hash(train, valid, found), (*train.notes, *notes), valid_note)


def given_test(test: object, train: Target, reading: Reading) -> tuple[Target, list[str]]:
    """A test part that lies elsewhere, with the classes of the training part, and notes.

    Raises:
        TargetError: The data cannot be read, are of another kind, or have no class of the training part.
    """
    _, _, found, notes = _same_classes(train, None, _given_part(test, train, reading))
    assert found is not None, "a test part without a class of the training part is an error"
    found, _ = readable(found, max_bad=reading.max_bad)
    return found, [*notes, *_missing(train, found)]


def hold_out(target: Target, share: float, seed: int) -> tuple[Target, Target | None]:
    """(rest, part): a stratified share is set aside, but never a class's last example of the rest."""
    order = order_of(target, seed)
    count = round(share * len(order))
    aside, rest = order[:count], order[count:]
    if task_of(target.task).single_class:
        lost = ~np.isin(target.labels[aside], target.labels[rest])
        rest, aside = np.concatenate([rest, aside[lost]]), aside[~lost]
    if len(aside) == 0:
        return target, None
    return target.subset(np.sort(rest)), target.subset(np.sort(aside))


def _own_part(spec: object, train: Target, role: str, reading: Reading) -> Target | None:
    """The part of that role, where the data came with parts and has one."""
    if train.split is None or isinstance(spec, Target):
        return None
    try:
        return open_target(spec, reading=replace(reading, split=role)).held()
    except NoSuchSplit:
        return None


def _given_part(test: object, train: Target, reading: Reading) -> Target:
    """The test part that lies elsewhere: its own test split if it has several, else all of it."""
    options = replace(reading, split=None)
    whole = open_target(test, reading=options).held()
    several = train.labels.ndim > 1
    for what, wanted, found in (
        ("kind of examples", train.kind, whole.kind),
        ("task (`task` sets it)", train.task, whole.task),
        ("number of values a label", train.labels.shape[1:], whole.labels.shape[1:]),
        ("order of classes", train.classes if several else (), whole.classes if several else ()),
    ):
        if wanted != found:
            raise TargetError(
                f"the test part {whole.name} is not like the training part {train.name}: their {what} is {found} "
                f"and {wanted}. Give a test part that holds the same."
            )
    return _own_part(test, whole, "test", options) or whole


def _same_classes(
    train: Target, valid: Target | None, test: Target | None
) -> tuple[Target, Target | None, Target | None, list[str]]:
    """Codes of every part into the training part's classes; examples of classes it lacks are left out, and said."""
    notes: list[str] = []
    parts: list[Target | None] = []
    for name, part in (("validation", valid), ("test", test)):
        if part is None or not task_of(part.task).single_class or part.classes == train.classes:
            parts.append(part)
            continue
        codes = {label: code for code, label in enumerate(train.classes)}
        new = np.array([codes.get(part.classes[code], -1) for code in part.labels], dtype=np.int64)
        kept = np.flatnonzero(new >= 0)
        if name == "test" and len(kept) == 0:
            raise TargetError(
                f"the test part of {part.name} has the classes {listing(part.classes)}, and the training part "
                f"{listing(train.classes)}: none is in both. Name the classes alike, or leave the test part out."
            )
        if len(kept) < len(new):
            unknown = sorted({part.classes[part.labels[i]] for i in np.flatnonzero(new < 0)})
            notes.append(
                f"{len(new) - len(kept)} {name} examples are left out: the training part has none of their classes "
                f"({', '.join(unknown)})"
            )
        parts.append(replace(part.subset(kept), labels=new[kept], classes=train.classes) if len(kept) else None)
    return train, parts[0], parts[1], notes


def _missing(train: Target, test: Target | None) -> list[str]:
    if test is None or not task_of(train.task).single_class:
        return []
    absent = [train.classes[c] for c in np.setdiff1d(np.unique(train.labels), np.unique(test.labels))]
    return [f"the test part has no example of {', '.join(absent)}: metrics say nothing about them"] if absent else []


def _trained_on_too(test: Target | None, trained: Sequence[Target | None]) -> list[str]:
    """The note on test examples that are among the trained ones by their content, whatever their names."""
    if test is None:
        return []
    known = {digest for part in trained if part is not None for digest in digests(part)}
    count = sum(digest in known for digest in digests(test))
    if not count:
        return []
    return [
        f"{count} of {len(test)} test examples have the content of examples that are trained on: answers to those may "
        "be learnt by heart"
    ]


def _held_out(name: str, part: Target | None, seed: int) -> str:
    if part is None:
        return f"there are too few examples for a {name} part: every class needs two"
    return f"{len(part)} examples held out as {name} part, stratified, split seed {seed}"


def _hash(*parts: Target | None) -> str:
    whole = blake2b(digest_size=8)
    for part in parts:
        ids: Sequence[str] = part.ids if part is not None else ()
        whole.update("\0".join((*ids, "\1")).encode())
        whole.update(target_hash(part).encode() if part is not None else b"")
    return whole.hexdigest()
