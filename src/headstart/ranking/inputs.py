"""What to rank on: a labelled data set for sources to read, or arrays that they have already computed."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from headstart.data import limit, open_target, sampled
from headstart.data.formats.npz import Arrays, extraction_of, found_of, read_npz
from headstart.data.media import MEDIA
from headstart.data.order import order_of
from headstart.data.reading import Reading
from headstart.data.remote import local
from headstart.data.scaling import as_numpy
from headstart.data.target import Target
from headstart.errors import InputError, TargetError
from headstart.records import Extraction
from headstart.tasks import task_of

ARRAY_NAMES = ("features", "logits", "probs")


@dataclass(frozen=True, eq=False)
class Inputs:
    """The labelled data, and the sources' arrays if the target consists of arrays."""

    target: Target
    extractions: tuple[Extraction, ...] = ()


def open_inputs(spec: object, reading: Reading, *, most: int | None, seed: int) -> Inputs:
    """Open the target, and the arrays in it if it is made of arrays; keep a stratified `most` examples.

    Args:
        spec: Whatever `open_target` reads, a `Target`, or arrays: a `.npz` file, several of them, a folder of them, or
            a mapping of `features` and/or `logits` or `probs`, and `labels`.
        reading: Columns, split and task.
        most: How many examples to keep; None keeps all.
        seed: Decides which ones.

    Raises:
        TargetError: The data cannot be read.
        InputError: Files of arrays have different labels, or `most` is not positive.
    """
    inputs = _open(sampled(spec, reading, most, seed), reading)
    if not inputs.extractions:
        inputs = Inputs(inputs.target.held())
    if most is None:
        return inputs
    limited = limit(inputs.target, most, seed)
    kept = order_of(inputs.target, seed)[:most]
    return Inputs(limited, tuple(rows_of(extraction, kept) for extraction in inputs.extractions))


def _open(spec: object, reading: Reading) -> Inputs:
    if isinstance(spec, Mapping) and any(name in spec for name in ARRAY_NAMES):
        return _from_memory(spec, reading)
    files = array_files(spec)
    if len(files) > 1:
        return _from_files(files, reading)
    if files:
        arrays, target = _read(files[0], reading)
        return Inputs(target, (extraction_of(arrays, target),) if MEDIA[target.kind].computed else ())
    target = open_target(spec, reading=reading)
    if not MEDIA[target.kind].computed:
        return Inputs(target)
    return Inputs(
        replace(target, notes=(*target.notes, "the numbers given are taken as features")), (_as_features(target),)
    )


def _read(path: Path, reading: Reading) -> tuple[Arrays, Target]:
    """Read a `.npz` once, for its target and its source: it may be larger than half of the memory."""
    if not path.is_file():
        open_target(path, reading=reading)  # raises an error that says what is wrong
    reading.refuse_columns(str(path))
    arrays = read_npz(path, reading.split)
    return arrays, found_of(arrays, name=path.stem, task=reading.task).target()


def _as_features(target: Target) -> Extraction:
    """Rows of numbers in memory as a source's features."""
    features = np.stack([np.asarray(target.examples.load(row)) for row in range(len(target))])
    return Extraction(target.name, target.labels, target.ids, features=features, layer="given")


def array_files(spec: object) -> list[Path]:
    """The `.npz` files that `spec` names: one, several, or all those in a folder that holds nothing else.

    Raises:
        TargetError: Several targets are named, and one of them is not a `.npz`.
    """
    spec = local(spec)
    if isinstance(spec, list | tuple) and spec and all(isinstance(part, str | os.PathLike) for part in spec):
        paths = [Path(str(local(part))) for part in spec]
        others = [path for path in paths if path.suffix.casefold() != ".npz"]
        if others and len(paths) > 1:
            raise TargetError(
                f"several targets are named, but {others[0]} is not a .npz file. Name one data set, or several .npz "
                "files of the same examples; put models after `--models`."
            )
        return [] if others else paths
    if not isinstance(spec, str | os.PathLike):
        return []
    path = Path(spec)
    if path.is_dir():
        held = sorted(part for part in path.iterdir() if not part.name.startswith("."))
        return held if held and all(part.suffix.casefold() == ".npz" for part in held) else []
    return [path] if path.suffix.casefold() == ".npz" else []


def _from_files(files: Sequence[Path], reading: Reading) -> Inputs:
    """Several files as several sources on one target."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read = list(pool.map(partial(_read, reading=reading), files))
    targets = [target for _, target in read]
    extractions = [extraction_of(arrays, target) for arrays, target in read]
    for path, target in zip(files[1:], targets[1:], strict=True):
        _check_same_labels(targets[0], target, files[0], path)
    stems = [path.stem for path in files]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in files]
    folder = files[0].resolve().parent.name or "arrays"
    named = tuple(replace(extraction, source=name) for name, extraction in zip(names, extractions, strict=True))
    return Inputs(replace(targets[0], name=folder), named)


def _check_same_labels(first: Target, other: Target, first_path: Path, other_path: Path) -> None:
    if len(first) != len(other):
        raise InputError(
            f"{first_path} has {len(first)} labels and {other_path} has {len(other)}. Files of arrays must hold the "
            "same examples in the same order."
        )
    names, others = (task_of(one.task).names(one.labels, one.classes) for one in (first, other))
    differ = np.flatnonzero([one != two for one, two in zip(names, others, strict=True)])
    if differ.size or first.task != other.task:
        row = int(differ[0]) if differ.size else 0
        raise InputError(
            f"{other_path} and {first_path} have different labels: row {row} is {others[row]!r} and {names[row]!r} "
            f"({differ.size} of {len(names)} rows differ). Files of arrays must hold the same examples in the same "
            "order."
        )


def _from_memory(spec: Mapping[object, object], reading: Reading) -> Inputs:
    found = {str(name): np.asarray(as_numpy(array)) for name, array in spec.items()}
    arrays = Arrays(found, "the arrays given", reading.split)
    target = found_of(arrays, name="arrays", task=reading.task).target()
    return Inputs(target, (extraction_of(arrays, target),))


def rows_of(extraction: Extraction, kept: np.ndarray) -> Extraction:
    """Some rows of an extraction, in the order given."""
    return replace(
        extraction,
        labels=extraction.labels[kept],
        ids=tuple(extraction.ids[i] for i in kept),
        features=None if extraction.features is None else extraction.features[kept],
        logits=None if extraction.logits is None else extraction.logits[kept],
    )
