"""`open_target` and `open_unlabelled`: examples from any form of data, with labels or without."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from headstart.data.depth import levelled
from headstart.data.formats import FORMATS, supported
from headstart.data.media import MEDIA
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.data.remote import local
from headstart.data.skips import readable
from headstart.data.target import Examples, Found, Target
from headstart.errors import InputError, TargetError, did_you_mean
from headstart.wording import without_secrets


def open_target(spec: object, *, reading: Reading | None = None, **options: Unpack[ReadingOptions]) -> Target:
    """Open labelled data of any form. No image is decoded here, except the first one of a `Dataset`.

    Args:
        spec: A folder or zip of class folders; a CSV, TSV or Parquet file, or a folder of Parquet files; a `.npz`; IDX
            files; the name of a data set (`torchvision/FashionMNIST`, `hf/owner/name`, `sklearn/digits`); a pair
            (examples, labels); a mapping or data frame of columns; a `torch.utils.data.Dataset`; or a `Target`.
        reading: Columns, split, task and so on as one object.
        options: The same as keywords; see `Reading`.

    Returns:
        The target; its `notes` say what was guessed, skipped or set aside.

    Raises:
        TargetError: The data cannot be read as a labelled data set.
        InputError: A keyword is unknown.
        MissingExtra: The data need a package that is not installed.
        OfflineError: A download failed.

    Example:
        >>> target = open_target((["good", "bad", "fine"], ["yes", "no", "yes"]))
        >>> target.kind, target.classes, target.labels.tolist()
        ('text', ('no', 'yes'), [1, 0, 1])
    """
    how = reading_of(reading, options, open_target)
    if not isinstance(spec, Target):
        return _found(spec, how, None).target()
    how.refuse_columns("an open target")
    for option in ("split", "task", "white_level"):
        asked, held = getattr(how, option), getattr(spec, option)
        if asked is not None and asked != held:
            raise TargetError(f"`{option}={asked!r}`, but the open target has {held!r}; open the data again with it.")
    return spec


@dataclass(frozen=True, eq=False)
class Inputs:
    """Readable examples to predict, their names, why others cannot be read, and notes."""

    examples: Examples
    ids: tuple[str, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]


def open_unlabelled(
    spec: object, kind: str, *, reading: Reading | None = None, **options: Unpack[ReadingOptions]
) -> Inputs:
    """Open examples to predict: whatever `open_target` reads, with labels or without.

    Args:
        spec: As for `open_target`; also a folder or zip of images in any folders, one image, a text file with one text
            per line, and a list of images or texts.
        kind: What the model reads: "image" or "text".
        reading: Columns, split and so on as one object; `options` are the same as keywords.

    Raises:
        InputError: The data hold nothing that the model reads, or none of it is readable.

    Example:
        >>> open_unlabelled(["good", "", "bad"], "text").skipped
        {'1': 'there is no text in this row.'}
    """
    how = reading_of(reading, options, open_unlabelled)
    found: Found | Target = spec if isinstance(spec, Target) else _found(spec, how, kind)
    if found.kind != kind:
        holds, reads = MEDIA[found.kind].plural, MEDIA[kind].plural
        raise InputError(
            f"{found.name} holds {holds}, but the model reads {reads}. Give {reads}, or choose a model for {holds}."
        )
    count = len(found.ids)
    if count == 0:
        raise InputError(f"{found.name} holds no {MEDIA[kind].plural}.")
    whole = Target(found.name, kind, "regression", found.examples, np.zeros(count), (), tuple(found.ids)).held()
    kept, skipped = readable(whole, max_bad=1.0)
    if len(kept) == 0:
        first = next(iter(skipped.values()))
        raise InputError(f"none of the {count} inputs in {found.name} can be read; the first: {first}")
    return Inputs(kept.examples, kept.ids, skipped, found.notes)


def unlabelled_target(spec: object, kind: str, reading: Reading) -> Target:
    """Examples without labels as a target: of amounts that are all 0, without classes.

    Raises:
        InputError: As for `open_unlabelled`.
    """
    inputs = open_unlabelled(spec, kind, reading=reading)
    name = Path(spec).stem if isinstance(spec, str | os.PathLike) else "data"
    labels = np.zeros(len(inputs.ids))
    return Target(name, kind, "regression", inputs.examples, labels, (), inputs.ids, notes=inputs.notes)


def _found(given: object, reading: Reading, kind: str | None) -> Found:
    spec = local(given)
    place: Any = spec
    if isinstance(spec, str | os.PathLike):
        name = os.fspath(spec)
        if not name.strip():
            raise TargetError("the name of the data is empty; `.` is the current folder.")
        named = any(form.prefix and name.startswith(form.prefix) for form in FORMATS.values())
        place = name if named and not os.path.exists(name) else Path(name)
    if isinstance(place, Path):
        _check_exists(place)
    for form in FORMATS.values():
        if form.takes(place):
            try:
                return levelled(form.read(place, reading, kind), reading.white_level)
            except TargetError as error:
                if spec is given:
                    raise
                told = str(error).replace(str(spec), without_secrets(str(given)))  # not where the copy lies
                raise type(error)(told) from error
    raise TargetError(f"cannot read a {type(spec).__name__} as data. Supported: {supported()}.")


def _check_exists(path: Path) -> None:
    if path.is_file() or path.is_dir():
        return
    if path.exists():
        raise TargetError(f"{path} is neither a file nor a folder, but a pipe, socket or device. Write it to a file.")
    parent = path.parent
    if not parent.is_dir():
        raise TargetError(f"{path} does not exist, nor does the folder {parent}; check the path.")
    hint = did_you_mean(path.name, os.listdir(parent)) or f" Check the path; supported: {supported()}."
    raise TargetError(f"{path} does not exist.{hint}")
