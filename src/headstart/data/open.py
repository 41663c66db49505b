"""`open_target` and `open_unlabelled`: from whatever holds data to examples, with labels or without."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from headstart.data.formats import FORMATS, Format, Unlabelled, check_kind, supported
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.data.skips import readable
from headstart.data.target import Examples, Target
from headstart.errors import InputError, TargetError, did_you_mean


def open_target(spec: object, *, reading: Reading | None = None, **options: Unpack[ReadingOptions]) -> Target:
    """Open labelled data of any form. No image is decoded here, except the first one of a `Dataset`.

    Args:
        spec: A folder or zip of class folders; a CSV, TSV or Parquet file, or a folder of Parquet files; a `.npz`; IDX
            files; the name of a data set (`torchvision/FashionMNIST`, `hf/owner/name`, `sklearn/digits`); a pair
            (examples, labels); a mapping or data frame of columns; a `torch.utils.data.Dataset`; or a `Target`.
        reading: Columns, split, task and so on as one object.
        options: The same as keywords; see `Reading`.

    Returns:
        The target; what was guessed, skipped or set aside is in `notes`.

    Raises:
        TargetError: The data cannot be read as a labelled data set; the text says what to do.
        InputError: A keyword is unknown.
        MissingExtra: The data need a package that is not installed.
        OfflineError: The download that was asked for fails.

    Example:
        >>> target = open_target((["good", "bad", "fine"], ["yes", "no", "yes"]))
        >>> target.kind, target.classes, target.labels.tolist()
        ('text', ('no', 'yes'), [1, 0, 1])
    """
    how = reading_of(reading, options, open_target)
    if isinstance(spec, Target):
        return _of_open_target(spec, how)
    place, form = _located(spec)
    return form.open(place, how)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Examples to predict that can be read, with their names, why the others cannot be read, and notes."""

    examples: Examples
    ids: tuple[str, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]


def open_unlabelled(
    spec: object, kind: str, *, reading: Reading | None = None, **options: Unpack[ReadingOptions]
) -> Inputs:
    """Open examples to predict: whatever `open_target` reads, and without labels too.

    Args:
        spec: As for `open_target`, with or without labels; also a folder or zip of images in any folders, one image, a
            text file with one text per line, and a list of images or texts.
        kind: What the model reads: "image" or "text".
        reading: Columns, split and so on as one object.
        options: The same as keywords; see `Reading`.

    Raises:
        InputError: There is nothing that the model reads, or none of it can be read.

    Example:
        >>> open_unlabelled(["good", "", "bad"], "text").skipped
        {'1': 'there is no text in this row.'}
    """
    how = reading_of(reading, options, open_unlabelled)
    if isinstance(spec, Target):
        check_kind(spec.kind, kind, spec.name)
        found, name = Unlabelled(spec.examples, spec.ids), spec.name
    else:
        place, form = _located(spec)
        found, name = form.unlabelled(place, kind, how), str(place) if isinstance(place, str | Path) else form.name
    whole = Target(name, kind, "regression", found.examples, np.zeros(len(found.ids)), (), tuple(found.ids)).held()
    kept, skipped = readable(whole, max_bad=1.0)
    if len(kept) == 0:
        reason = next(iter(skipped.values()), "there are no examples.")
        raise InputError(f"none of the {len(whole)} inputs in {name} can be read; the first: {reason}")
    return Inputs(kept.examples, kept.ids, skipped, found.notes)


def _located(spec: object) -> tuple[Any, Format]:
    """The specification as formats take it, and the format that does."""
    place: Any = spec
    if isinstance(spec, str | os.PathLike):
        name = os.fspath(spec)
        named = any(form.prefix and name.startswith(form.prefix) for form in FORMATS.values())
        place = name if named and not os.path.exists(name) else Path(name)
    if isinstance(place, Path) and not place.exists():
        raise TargetError(_not_there(place))
    for form in FORMATS.values():
        if form.takes(place):
            return place, form
    raise TargetError(f"cannot read a {type(spec).__name__} as data. Supported: {supported()}.")


def _of_open_target(target: Target, reading: Reading) -> Target:
    reading.refuse_columns("an open target")
    for option, asked, held in (("split", reading.split, target.split), ("task", reading.task, target.task)):
        if asked is not None and asked != held:
            raise TargetError(f"`{option}={asked!r}`, but the open target has {held!r}; open the data again with it.")
    return target


def _not_there(path: Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return f"{path} does not exist, nor does the folder {parent}; check the path."
    hint = did_you_mean(path.name, os.listdir(parent))
    return (
        f"{path} does not exist.{hint}" if hint else f"{path} does not exist. Check the path; supported: {supported()}."
    )
