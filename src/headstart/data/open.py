"""`open_target`: from whatever holds labelled data to a `Target`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from headstart.data.arrays import open_npz
from headstart.data.bundled import open_bundled
from headstart.data.folders import list_folder, open_folder, open_zip
from headstart.data.idx import is_idx_images, open_idx
from headstart.data.library import open_hugging_face, open_saved, open_torchvision, target_of_hugging_face
from headstart.data.memory import target_of_dataset, target_of_pair
from headstart.data.pixels import SUFFIXES
from headstart.data.reading import Reading, ReadingOptions, reading_of
from headstart.data.roles import Roles
from headstart.data.splits import refuse_split
from headstart.data.tables import frame_table, open_shards, open_table, target_of_table
from headstart.data.target import Target
from headstart.errors import TargetError, did_you_mean

TABLES = (".csv", ".tsv", ".parquet")
LIBRARIES = ("torchvision/", "hf/", "sklearn/")
KNOWN = (
    "a folder or .zip of class folders, .csv, .tsv, .parquet, .npz, IDX files, or "
    "torchvision/NAME, hf/NAME, sklearn/NAME"
)


def open_target(spec: object, *, reading: Reading | None = None, **options: Unpack[ReadingOptions]) -> Target:
    """Open labelled data of any kind. No image is decoded here, except the first one of a `Dataset`.

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
        MissingExtra: The kind of data needs a package that is not installed.
        OfflineError: The download that was asked for fails.

    Example:
        >>> target = open_target((["good", "bad", "fine"], ["yes", "no", "yes"]))
        >>> target.kind, target.classes, target.labels.tolist()
        ('text', ('no', 'yes'), [1, 0, 1])
    """
    how = reading_of(reading, options, open_target)
    roles = Roles(text=how.text_column, image=how.image_column, label=how.label_column)
    if isinstance(spec, Target):
        return _of_open_target(spec, how)
    if not isinstance(spec, str | os.PathLike):
        return _from_python(spec, roles, how)
    name = os.fspath(spec)
    if name.startswith(LIBRARIES) and not os.path.exists(name):
        return _from_library(name, roles, how)
    return _from_path(Path(name), roles, how)


def _from_path(path: Path, roles: Roles, reading: Reading) -> Target:
    if not path.exists():
        raise TargetError(_not_there(path))
    if path.is_dir():
        return _from_folder(path, roles, reading)
    suffix = path.suffix.casefold()
    if suffix in TABLES:
        return open_table(path, roles, split=reading.split, task=reading.task)
    reading.refuse_columns(str(path))
    if suffix == ".npz":
        return open_npz(path, split=reading.split, task=reading.task)
    if suffix == ".zip":
        return open_zip(path, split=reading.split, task=reading.task)
    if is_idx_images(path.name):
        return open_idx(path, split=reading.split, task=reading.task)
    if suffix in SUFFIXES:
        raise TargetError(f"{path} is a single image; pass the folder that holds the class folders.")
    raise TargetError(f"{path} is of no kind that is read ({suffix or 'no suffix'}); expected {KNOWN}.")


def _from_folder(path: Path, roles: Roles, reading: Reading) -> Target:
    names = os.listdir(path)
    if "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= set(names):
        return open_saved(path, roles, split=reading.split, task=reading.task)
    if any(is_idx_images(name) for name in names):
        reading.refuse_columns(str(path))
        return open_idx(path, split=reading.split, task=reading.task)
    listing = list_folder(path)
    if listing.holds({".parquet"}) and not listing.holds(SUFFIXES):
        return open_shards(path, roles, split=reading.split, task=reading.task)
    reading.refuse_columns(str(path))
    return open_folder(path, listing, split=reading.split, task=reading.task)


def _from_library(name: str, roles: Roles, reading: Reading) -> Target:
    library, _, rest = name.partition("/")
    if library == "hf":
        return open_hugging_face(rest, roles, split=reading.split, task=reading.task, download=reading.download)
    reading.refuse_columns(name)
    if library == "torchvision":
        return open_torchvision(
            rest, root=Path(reading.root), split=reading.split, task=reading.task, download=reading.download
        )
    refuse_split(reading.split, name)
    return open_bundled(rest, task=reading.task)


def _from_python(spec: Any, roles: Roles, reading: Reading) -> Target:
    if isinstance(spec, Mapping) or (hasattr(spec, "columns") and hasattr(spec, "iloc")):  # a data frame
        table = frame_table(spec, name="table", where="the table given", folder=Path())
        return target_of_table(table, roles, split=reading.split, task=reading.task)
    refuse_split(reading.split, f"a {type(spec).__name__}")
    if hasattr(spec, "features") and hasattr(spec, "cast_column"):  # datasets.Dataset
        return target_of_hugging_face(spec, roles, name="dataset", task=reading.task)
    reading.refuse_columns(f"a {type(spec).__name__}")
    if isinstance(spec, tuple) and len(spec) == 2:
        return target_of_pair(*spec, task=reading.task)
    if hasattr(spec, "__getitem__") and not isinstance(spec, str | bytes):
        return target_of_dataset(spec, name=type(spec).__name__, task=reading.task)
    raise TargetError(
        f"a {type(spec).__name__} is no labelled data; expected {KNOWN}, a pair (examples, labels) or a Dataset."
    )


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
    return f"{path} does not exist.{hint}" if hint else f"{path} does not exist; check the path, or pass {KNOWN}."
