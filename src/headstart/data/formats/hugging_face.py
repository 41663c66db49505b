"""Hugging Face data sets: by name, saved to a folder, or in Python. Nothing is downloaded unless `download` is set."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headstart.data.formats import Format, data_format
from headstart.data.formats.parquet import arrow_kind
from headstart.data.reading import Reading
from headstart.data.remote import ID, is_repository
from headstart.data.roles import ColumnKind, Table
from headstart.data.splits import choose_split, refuse_split
from headstart.data.tables import read_table
from headstart.data.target import Found
from headstart.errors import OfflineError, TargetError, require


@data_format
class HuggingFace(Format):
    """A data set of the Hugging Face hub, `hf/owner/name` or `hf/owner/name:configuration`."""

    name = "hf"
    title = "hf/NAME"
    prefix = "hf/"

    def read(self, spec: str, reading: Reading, kind: str | None) -> Found:
        datasets = require("datasets", spec, "data")
        repository, _, configuration = spec.removeprefix(self.prefix).partition(":")
        if not is_repository(repository):
            raise TargetError(f"`{spec}` cannot be a data set on the hub. Expected hf/OWNER/NAME of {ID}.")
        splits = (_fetch if reading.download else _from_cache)(datasets, repository, configuration or None)
        return _read(splits, spec, reading, kind, spec)


@data_format
class Saved(Format):
    """A folder written by `save_to_disk` of the library `datasets`."""

    name = "hf-folder"

    def takes(self, spec: Any) -> bool:
        if not isinstance(spec, Path) or not spec.is_dir():
            return False
        names = {path.name for path in spec.iterdir()}
        return "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= names

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        datasets = require("datasets", str(spec), "data")
        return _read(datasets.load_from_disk(str(spec)), spec.name, reading, kind, str(spec))


@data_format
class Dataset(Format):
    """A `datasets.Dataset` or `DatasetDict` in Python."""

    name = "hf-dataset"
    turn = 4  # before mappings of columns, because a `DatasetDict` is a mapping

    def takes(self, spec: Any) -> bool:
        return hasattr(spec, "cast_column")  # both have it, and neither library must be loaded

    def read(self, spec: Any, reading: Reading, kind: str | None) -> Found:
        if not hasattr(spec, "__len__"):
            raise TargetError("a streaming data set is read in part only: pass `limit` to draw a sample of it.")
        return _read(spec, "dataset", reading, kind, "the data set")


def _read(found: Any, name: str, reading: Reading, kind: str | None, where: str) -> Found:
    """A `Dataset`, or one split of a `DatasetDict`."""
    if not hasattr(found, "keys"):
        refuse_split(reading.split, where)
        return read_table(table_of(found, name), reading, kind)
    chosen, note = choose_split({key: len(part) for key, part in found.items()}, reading.split, where)
    return read_table(replace(table_of(found[chosen], name), split=chosen, notes=(note,)), reading, kind)


def table_of(dataset: Any, name: str) -> Table:
    """A `datasets.Dataset` as a table; images stay encoded on disk until they are read."""
    from datasets import ClassLabel, Image

    for column, feature in dataset.features.items():
        if isinstance(feature, Image):
            dataset = dataset.cast_column(column, Image(decode=False))
    kinds = {column: _kind(feature) for column, feature in dataset.features.items()}
    names = {column: feature.names for column, feature in dataset.features.items() if isinstance(feature, ClassLabel)}

    def read(column: str) -> Sequence[object]:
        alone = dataset.select_columns([column]).with_format(None)
        return alone[column] if kinds[column] == "bytes" else list(alone[:][column])  # a `Column` reads row by row

    return Table(name, name, Path(), kinds, read, {key: value for key, value in names.items() if value})


def _kind(feature: Any) -> ColumnKind:
    from datasets import ClassLabel, Image, Value

    if isinstance(feature, Image):
        return "bytes"
    if isinstance(feature, ClassLabel):
        return "number"
    return arrow_kind(feature.pa_type) if isinstance(feature, Value) else "list"


def _from_cache(datasets: Any, repository: str, configuration: str | None) -> Any:
    """All splits from the local cache, without network access."""
    from datasets.packaged_modules.cache.cache import Cache

    logger = logging.getLogger("datasets.packaged_modules.cache.cache")
    logger.addFilter(_unless_warning)  # it warns that it uses the cache, as intended
    owned = repository if "/" in repository else None
    try:
        name = repository.split("/")[-1]
        named = {
            "dataset_name": name,
            "repo_id": owned,
            "config_name": configuration,
            "version": "auto",
            "hash": "auto",
        }
        return Cache(**named).as_dataset()
    except (ValueError, FileNotFoundError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise TargetError(
            f"hf/{repository} is not in the local cache ({reason}); pass `download=True` to download it."
        ) from error
    finally:
        logger.removeFilter(_unless_warning)


def _unless_warning(record: logging.LogRecord) -> bool:
    return record.levelno > logging.WARNING


def _fetch(datasets: Any, repository: str, configuration: str | None) -> Any:
    try:
        return datasets.load_dataset(repository, configuration)
    except (OSError, datasets.exceptions.DatasetNotFoundError) as error:  # ConnectionError is an OSError
        raise OfflineError(
            f"hf/{repository} could not be downloaded: {str(error).rstrip('.')}. Check the name, the network and "
            "HF_HUB_OFFLINE."
        ) from error
    except ValueError as error:  # several configurations
        raise TargetError(f"hf/{repository}: {str(error).splitlines()[0]} Name one as hf/{repository}:NAME.") from error
