"""Hugging Face data sets: by name, saved to a folder, or in Python. Nothing is downloaded unless the caller says so."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headstart.data.formats import Format, Unlabelled, data_format
from headstart.data.formats.parquet import arrow_kind
from headstart.data.reading import Reading
from headstart.data.roles import ColumnKind, Table
from headstart.data.splits import choose_split, refuse_split
from headstart.data.tables import target_of_table, unlabelled_of_table
from headstart.data.target import Target
from headstart.errors import OfflineError, TargetError, require


@data_format
class HuggingFace(Format):
    """A data set of the Hugging Face hub, `hf/owner/name` or `hf/owner/name:configuration`."""

    name = "hf"
    title = "hf/NAME"
    prefix = "hf/"

    def open(self, spec: str, reading: Reading) -> Target:
        return _target(self._part(spec, reading), reading)

    def unlabelled(self, spec: str, kind: str, reading: Reading) -> Unlabelled:
        return unlabelled_of_table(self._part(spec, reading).table, kind, reading)

    def _part(self, spec: str, reading: Reading) -> "Part":
        datasets = _datasets_library(spec)
        repository, _, configuration = spec.removeprefix(self.prefix).partition(":")
        splits = (_fetch if reading.download else _from_cache)(datasets, repository, configuration or None)
        return _part(splits, reading, spec, spec)


@data_format
class Saved(Format):
    """A folder that `save_to_disk` of the library `datasets` wrote."""

    name = "hf-folder"
    title = ""

    def takes(self, spec: Any) -> bool:
        if not isinstance(spec, Path) or not spec.is_dir():
            return False
        names = {path.name for path in spec.iterdir()}
        return "dataset_dict.json" in names or {"dataset_info.json", "state.json"} <= names

    def open(self, spec: Path, reading: Reading) -> Target:
        return _target(self._part(spec, reading), reading)

    def unlabelled(self, spec: Path, kind: str, reading: Reading) -> Unlabelled:
        return unlabelled_of_table(self._part(spec, reading).table, kind, reading)

    def _part(self, spec: Path, reading: Reading) -> "Part":
        datasets = _datasets_library(str(spec))
        saved = datasets.load_from_disk(str(spec))
        if isinstance(saved, datasets.DatasetDict):
            return _part(saved, reading, spec.name, str(spec))
        refuse_split(reading.split, str(spec))
        return Part(table_of(saved, spec.name))


@data_format
class Dataset(Format):
    """A `datasets.Dataset` in Python."""

    name = "hf-dataset"
    title = ""

    def takes(self, spec: Any) -> bool:
        return hasattr(spec, "features") and hasattr(spec, "cast_column")

    def open(self, spec: Any, reading: Reading) -> Target:
        refuse_split(reading.split, "the data set")
        return _target(Part(table_of(spec, "dataset")), reading)

    def unlabelled(self, spec: Any, kind: str, reading: Reading) -> Unlabelled:
        return unlabelled_of_table(table_of(spec, "dataset"), kind, reading)


@dataclass(frozen=True)
class Part:
    """One split as a table."""

    table: Table
    split: str | None = None
    notes: tuple[str, ...] = ()


def _part(splits: Any, reading: Reading, name: str, where: str) -> Part:
    chosen, note = choose_split({key: len(part) for key, part in splits.items()}, reading.split, where)
    return Part(table_of(splits[chosen], name), chosen, (note,))


def _target(part: Part, reading: Reading) -> Target:
    target = target_of_table(part.table, replace(reading, split=None))
    return replace(target, split=part.split, notes=(*target.notes, *part.notes))


def table_of(dataset: Any, name: str) -> Table:
    """A `datasets.Dataset` as a table; images stay encoded on disk until they are asked for."""
    from datasets import ClassLabel, Image

    for column, feature in dataset.features.items():
        if isinstance(feature, Image):
            dataset = dataset.cast_column(column, Image(decode=False))
    kinds = {column: _kind(feature) for column, feature in dataset.features.items()}
    names = {column: feature.names for column, feature in dataset.features.items() if isinstance(feature, ClassLabel)}

    def read(column: str) -> Sequence[object]:
        alone = dataset.select_columns([column]).with_format(None)
        return _EncodedColumn(alone, column) if kinds[column] == "bytes" else list(alone[:][column])

    return Table(name, name, Path(), kinds, read, {key: value for key, value in names.items() if value})


class _EncodedColumn(Sequence):
    """One column of a `datasets.Dataset`, read row by row."""

    def __init__(self, dataset: Any, column: str) -> None:
        self._dataset, self._column = dataset, column

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, row: Any) -> Any:
        return self._dataset[int(row)][self._column]


def _kind(feature: Any) -> ColumnKind:
    from datasets import ClassLabel, Image, Value

    if isinstance(feature, Image):
        return "bytes"
    if isinstance(feature, ClassLabel):
        return "number"
    return arrow_kind(feature.pa_type) if isinstance(feature, Value) else "list"


def _datasets_library(wanted: str) -> Any:
    return require("datasets", wanted, "data")


def _from_cache(datasets: Any, repository: str, configuration: str | None) -> Any:
    """All splits from the local cache, with no look at the network."""
    from datasets.packaged_modules.cache.cache import Cache

    try:
        with _quiet(
            "datasets.packaged_modules.cache.cache"
        ):  # it warns that it uses the cache, which is what we ask for
            builder = Cache(
                dataset_name=repository.split("/")[-1],
                repo_id=repository if "/" in repository else None,
                config_name=configuration,
                version="auto",
                hash="auto",
            )
        return builder.as_dataset()
    except (ValueError, FileNotFoundError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise TargetError(
            f"hf/{repository} is not in the cache of this machine ({reason}); pass `download=True` to fetch it."
        ) from error


def _fetch(datasets: Any, repository: str, configuration: str | None) -> Any:
    try:
        return datasets.load_dataset(repository, configuration)
    except (OSError, datasets.exceptions.DatasetNotFoundError) as error:  # ConnectionError is an OSError
        raise OfflineError(
            f"hf/{repository} could not be fetched: {str(error).rstrip('.')}. Check the name, the network and "
            "HF_HUB_OFFLINE."
        ) from error
    except ValueError as error:  # several configurations
        raise TargetError(f"hf/{repository}: {str(error).splitlines()[0]} Name one as hf/{repository}:NAME.") from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
