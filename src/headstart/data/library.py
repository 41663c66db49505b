"""Data sets by name from torchvision and Hugging Face. Nothing is downloaded unless the caller says so."""

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headstart.data.memory import target_of_dataset
from headstart.data.roles import ColumnKind, Roles, Table
from headstart.data.splits import ROLES, choose_split, refuse_split, role_of
from headstart.data.tables import target_of_table
from headstart.data.target import Target
from headstart.errors import NoSuchSplit, OfflineError, TargetError, did_you_mean, require


def open_torchvision(name: str, *, root: Path, split: str | None, task: str | None, download: bool) -> Target:
    """A data set of `torchvision.datasets`, kept under `root` as torchvision keeps it.

    Raises:
        TargetError: There is no such data set or split, or it is not under `root` and may not be downloaded.
        OfflineError: It may be downloaded, but cannot be.
    """
    for module in ("headstart.torchvision_ops", "torchvision"):  # the first makes the second work beside a CPU torch
        require(module, f"torchvision/{name}", "image")
    datasets: Any = import_module("torchvision.datasets")
    known = [known for known in datasets.__all__ if known[0].isupper()]
    if name not in known:
        raise TargetError(f"torchvision has no data set `{name}`.{did_you_mean(name, known)}")
    factory = getattr(datasets, name)
    accepted = inspect.signature(factory).parameters
    options, chosen = _split_option(factory, accepted, split, f"torchvision/{name}")
    if "download" in accepted or "kwargs" in accepted:
        options["download"] = download
    try:
        dataset = factory(str(root), **options)
    except (RuntimeError, FileNotFoundError) as error:
        if download:
            raise OfflineError(f"torchvision/{name} could not be downloaded: {error}. Check the network.") from error
        raise TargetError(
            f"torchvision/{name} is not under {root}; pass `root=` where it lies, or `download=True` to fetch it there "
            f"({str(error).splitlines()[0].rstrip('.')})."
        ) from error
    except OSError as error:
        raise OfflineError(f"torchvision/{name} could not be downloaded: {error}. Check the network.") from error
    except (ValueError, TypeError) as error:
        raise TargetError(
            f"torchvision/{name} cannot be opened by name: {str(error).rstrip('.')}. Build it in Python and pass "
            "the data set."
        ) from error
    target = target_of_dataset(dataset, name=f"torchvision/{name}", task=task, split=chosen)
    return target if chosen is None else _with_note(target, f"only the split `{chosen}` is used")


def open_hugging_face(name: str, roles: Roles, *, split: str | None, task: str | None, download: bool) -> Target:
    """A data set of the Hugging Face hub, `owner/name` or `owner/name:configuration`.

    Raises:
        MissingExtra: The library `datasets` is not installed.
        TargetError: There is no such split or column, or it is not in the local cache and may not be downloaded.
        OfflineError: It may be downloaded, but cannot be.
    """
    datasets = _datasets_library(f"hf/{name}")
    repository, _, configuration = name.partition(":")
    splits = (_fetch if download else _from_cache)(datasets, repository, configuration or None)
    chosen, note = choose_split({key: len(part) for key, part in splits.items()}, split, f"hf/{name}")
    target = target_of_hugging_face(splits[chosen], roles, name=f"hf/{name}", task=task, split=chosen)
    return _with_note(target, note)


def open_saved(folder: Path, roles: Roles, *, split: str | None, task: str | None) -> Target:
    """A folder written by `save_to_disk` of the library `datasets`."""
    datasets = _datasets_library(str(folder))
    saved = datasets.load_from_disk(str(folder))
    if not isinstance(saved, datasets.DatasetDict):
        return target_of_hugging_face(saved, roles, name=folder.name, task=task)
    chosen, note = choose_split({key: len(part) for key, part in saved.items()}, split, str(folder))
    target = target_of_hugging_face(saved[chosen], roles, name=folder.name, task=task, split=chosen)
    return _with_note(target, note)


def target_of_hugging_face(
    dataset: Any, roles: Roles, *, name: str, task: str | None, split: str | None = None
) -> Target:
    """A `datasets.Dataset` as a target; images stay encoded on disk until they are asked for."""
    from datasets import ClassLabel, Image

    for column, feature in dataset.features.items():
        if isinstance(feature, Image):
            dataset = dataset.cast_column(column, Image(decode=False))
    kinds = {column: _kind(feature) for column, feature in dataset.features.items()}
    names = {column: feature.names for column, feature in dataset.features.items() if isinstance(feature, ClassLabel)}

    def read(column: str) -> Sequence[object]:
        alone = dataset.select_columns([column]).with_format(None)
        return _EncodedColumn(alone, column) if kinds[column] == "bytes" else list(alone[:][column])

    table = Table(name, name, Path(), kinds, read, {key: value for key, value in names.items() if value})
    return replace(target_of_table(table, roles, split=None, task=task), split=split)


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

    from headstart.data.tables import arrow_kind

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


def _split_option(factory: Any, accepted: Any, wanted: str | None, where: str) -> tuple[dict[str, Any], str | None]:
    """The option that makes a torchvision data set one split, and that split's name."""
    if "train" in accepted:
        chosen = _chosen(("train", "test"), wanted, where)
        return {"train": chosen == "train"}, chosen
    if "split" in accepted:
        chosen = _chosen(_splits_of(factory, accepted["split"].default), wanted, where)
        return {"split": chosen}, chosen
    refuse_split(wanted, where)
    return {}, None


def _splits_of(factory: Any, default: object) -> tuple[str, ...]:
    """The splits that a torchvision data set accepts: in an empty folder it refuses the others with a ValueError."""
    found = []
    names = [name for names in ROLES.values() for name in names]
    with TemporaryDirectory(prefix="headstart-") as empty:
        for name in dict.fromkeys([*([default] if isinstance(default, str) else []), *names]):
            try:
                factory(empty, split=name)
            except (ValueError, TypeError):
                continue
            except (RuntimeError, OSError, ImportError):
                pass  # accepted, but not there
            found.append(name)
    return tuple(found)


def _chosen(splits: Sequence[str], wanted: str | None, where: str) -> str:
    """The split that `wanted` names, or whose role it is; None takes the training split, or else the first."""
    if wanted in splits:
        return str(wanted)
    role = role_of(wanted or "train")
    fitting = [name for name in splits if role and role_of(name) == role] or list(splits if wanted is None else ())
    if not fitting:
        there = ", ".join(f"`{name}`" for name in splits)
        raise NoSuchSplit(f"{where} has no split `{wanted}`; it has {there}.", splits)
    return fitting[0]


def _with_note(target: Target, note: str) -> Target:
    return replace(target, notes=(*target.notes, note))
