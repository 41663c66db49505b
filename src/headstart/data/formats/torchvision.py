"""torchvision's data sets by name. Nothing is downloaded unless `download` is set."""

import inspect
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

from headstart.data.formats import Format, data_format
from headstart.data.formats.memory import DatasetExamples, found_in_dataset
from headstart.data.reading import Reading
from headstart.data.splits import ROLE_OF, refuse_split, role_of
from headstart.data.target import Found, row_ids
from headstart.errors import NoSuchSplit, OfflineError, TargetError, did_you_mean, require


@data_format
class Torchvision(Format):
    """A data set of `torchvision.datasets`, kept under `root` as torchvision keeps it."""

    name = "torchvision"
    title = "torchvision/NAME"
    prefix = "torchvision/"

    def read(self, spec: str, reading: Reading, kind: str | None) -> Found:
        reading.refuse_columns(spec)
        for module in ("headstart.torchvision_ops", "torchvision"):  # the first lets the second work with a CPU torch
            require(module, spec, "image")
        datasets: Any = import_module("torchvision.datasets")
        name, known = spec.removeprefix(self.prefix), [name for name in datasets.__all__ if name[0].isupper()]
        if name not in known:
            raise TargetError(f"torchvision has no data set `{name}`.{did_you_mean(name, known)}")
        factory = getattr(datasets, name)
        accepted = inspect.signature(factory).parameters
        options, split = _split_option(factory, accepted, reading.split, spec)
        if "download" in accepted or "kwargs" in accepted:
            options["download"] = reading.download
        dataset = _made(factory, options, spec, reading)
        notes = () if split is None else (f"only the split `{split}` is used",)
        if kind is not None:
            return Found(spec, "image", DatasetExamples(dataset), row_ids(len(dataset)), spec, notes=notes)
        found = found_in_dataset(dataset, name=spec, task=reading.task)
        return replace(found, split=split, notes=(*found.notes, *notes))


def _made(factory: Any, options: dict[str, Any], spec: str, reading: Reading) -> Any:
    """torchvision's data set."""
    try:
        return factory(str(reading.root), **options)
    except (RuntimeError, OSError) as error:
        if not reading.download and isinstance(error, RuntimeError | FileNotFoundError):
            raise TargetError(
                f"{spec} is not in the folder {reading.root}; pass the folder that holds it as `root`, or "
                f"`download=True` to fetch it ({str(error).splitlines()[0].rstrip('.')})."
            ) from error
        raise OfflineError(f"{spec} could not be downloaded: {error}. Check the network.") from error
    except (ValueError, TypeError) as error:
        raise TargetError(
            f"{spec} cannot be opened by name: {str(error).rstrip('.')}. Build it in Python and pass the data set."
        ) from error


def _split_option(factory: Any, accepted: Any, wanted: str | None, where: str) -> tuple[dict[str, Any], str | None]:
    """The option that selects a split of a torchvision data set, and that split's name."""
    if "train" in accepted:
        chosen = _chosen(("train", "test"), wanted, where)
        return {"train": chosen == "train"}, chosen
    if "split" in accepted:
        chosen = _chosen(_splits_of(factory, accepted["split"].default), wanted, where)
        return {"split": chosen}, chosen
    refuse_split(wanted, where)
    return {}, None


def _splits_of(factory: Any, default: object) -> tuple[str, ...]:
    """The splits that a torchvision data set accepts: it refuses others with a ValueError, also in an empty folder."""
    found = []
    with TemporaryDirectory(prefix="headstart-") as empty:
        for name in dict.fromkeys([*([default] if isinstance(default, str) else []), *ROLE_OF]):
            with suppress(ValueError, TypeError):
                with suppress(RuntimeError, OSError, ImportError):  # accepted, but not in this folder
                    factory(empty, split=name)
                found.append(name)
    return tuple(found)


def _chosen(splits: Sequence[str], wanted: str | None, where: str) -> str:
    """The split that `wanted` names, or whose role it is; None takes the training split, or else the first."""
    if wanted in splits:
        return str(wanted)
    role = role_of(wanted or "train")
    fitting = [name for name in splits if role and role_of(name) == role] or list(splits if wanted is None else ())
    if not fitting:
        names = ", ".join(f"`{name}`" for name in splits)
        raise NoSuchSplit(f"{where} has no split `{wanted}`; it has {names}.", splits)
    return fitting[0]
