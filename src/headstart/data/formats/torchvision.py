"""torchvision's data sets by name. Nothing is downloaded unless the caller says so."""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

from headstart.data.formats import Format, Unlabelled, check_kind, data_format
from headstart.data.formats.memory import DatasetExamples, target_of_dataset
from headstart.data.reading import Reading
from headstart.data.splits import ROLES, refuse_split, role_of
from headstart.data.target import Target
from headstart.errors import NoSuchSplit, OfflineError, TargetError, did_you_mean, require


@data_format
class Torchvision(Format):
    """A data set of `torchvision.datasets`, kept under `root` as torchvision keeps it."""

    name = "torchvision"
    title = "torchvision/NAME"
    prefix = "torchvision/"

    def open(self, spec: str, reading: Reading) -> Target:
        reading.refuse_columns(spec)
        dataset, split, notes = self._made(spec, reading)
        target = target_of_dataset(dataset, name=spec, task=reading.task, split=split)
        return replace(target, notes=(*target.notes, *notes))

    def unlabelled(self, spec: str, kind: str, reading: Reading) -> Unlabelled:
        dataset, _, notes = self._made(spec, reading)
        check_kind("image", kind, spec)
        return Unlabelled(DatasetExamples(dataset), [str(row) for row in range(len(dataset))], notes)

    def _made(self, spec: str, reading: Reading) -> tuple[Any, str | None, tuple[str, ...]]:
        """torchvision's object, its split and a note on it."""
        name = spec.removeprefix(self.prefix)
        for module in ("headstart.torchvision_ops", "torchvision"):  # the first lets the second work with a CPU torch
            require(module, spec, "image")
        datasets: Any = import_module("torchvision.datasets")
        known = [known for known in datasets.__all__ if known[0].isupper()]
        if name not in known:
            raise TargetError(f"torchvision has no data set `{name}`.{did_you_mean(name, known)}")
        factory = getattr(datasets, name)
        accepted = inspect.signature(factory).parameters
        options, chosen = _split_option(factory, accepted, reading.split, spec)
        if "download" in accepted or "kwargs" in accepted:
            options["download"] = reading.download
        try:
            dataset = factory(str(reading.root), **options)
        except (RuntimeError, FileNotFoundError) as error:
            if reading.download:
                raise OfflineError(f"{spec} could not be downloaded: {error}. Check the network.") from error
            raise TargetError(
                f"{spec} is not under {reading.root}; pass `root=` where it lies, or `download=True` to fetch it there "
                f"({str(error).splitlines()[0].rstrip('.')})."
            ) from error
        except OSError as error:
            raise OfflineError(f"{spec} could not be downloaded: {error}. Check the network.") from error
        except (ValueError, TypeError) as error:
            raise TargetError(
                f"{spec} cannot be opened by name: {str(error).rstrip('.')}. Build it in Python and pass the data set."
            ) from error
        return dataset, chosen, () if chosen is None else (f"only the split `{chosen}` is used",)


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
