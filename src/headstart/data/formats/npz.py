"""`.npz` files: features, logits or probabilities made elsewhere, or images and texts as arrays. Never a pickle."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.build import make_target
from headstart.data.encoded import text_array
from headstart.data.formats import Format, Unlabelled, check_kind, data_format
from headstart.data.reading import Reading
from headstart.data.scaling import image_array
from headstart.data.splits import choose_split, refuse_split, role_of
from headstart.data.stored import ArrayRows, Texts, array_digest
from headstart.data.target import Examples, Target
from headstart.errors import InputError, TargetError, did_you_mean
from headstart.records import Extraction, Kind
from headstart.tasks.arrays import is_float

MEANINGS = {
    "features": ("features", "feature", "embeddings", "embedding"),
    "logits": ("logits",),
    "probs": ("probs", "prob", "probabilities"),
    "images": ("images", "image", "imgs", "img", "pixels"),
    "texts": ("texts", "text", "sentences"),
    "data": ("x", "data", "inputs"),  # features or images, by their shape
    "labels": ("labels", "label", "y", "targets", "target"),
    "classes": ("classes", "class_names", "target_names"),
    "source_classes": ("source_classes",),
    "ids": ("ids",),
}  # what the arrays of a file are called
MEANING_OF = {name: meaning for meaning, names in MEANINGS.items() for name in names}

SUM_TOLERANCE = 0.01  # of a row of probabilities; float16 with a thousand columns stays within it


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of one split, by meaning."""

    found: dict[str, np.ndarray]
    where: str
    split: str | None = None
    notes: tuple[str, ...] = ()


@data_format
class Npz(Format):
    """A `.npz` of images, texts or features."""

    name = "npz"
    title = ".npz"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() == ".npz"

    def open(self, spec: Path, reading: Reading) -> Target:
        reading.refuse_columns(str(spec))
        return target_of(read_npz(spec, reading.split), name=spec.stem, task=reading.task)

    def unlabelled(self, spec: Path, kind: str, reading: Reading) -> Unlabelled:
        arrays = read_npz(spec, reading.split)
        held, examples, notes = examples_of(arrays)
        check_kind(held, kind, str(spec))
        return Unlabelled(examples, ids_of(arrays, len(examples)), (*arrays.notes, *notes))


def read_arrays(path: str | Path, *, split: str | None = None, task: str | None = None) -> Extraction:
    """A forward pass that was made elsewhere, from a `.npz`.

    Args:
        path: Arrays `labels` and `features` (n, d), `logits` (n, z), or `probs` (n, z), or features with one of these;
            optional `ids`, `classes` (names of the target's), and `source_classes` (names of the z columns). Names such
            as `train_features` hold splits, of which the training split is read.
        split: Another split to read.
        task: Decided by the caller; None decides by what the labels look like.

    Returns:
        The record that `extract` would leave. Probabilities become logits as log p, minus infinity for 0.

    Raises:
        TargetError: The file or its labels cannot be used.
        InputError: An array has a wrong shape, nan or infinite values, or rows that are no distributions.
    """
    path = Path(path)
    arrays = read_npz(path, split)
    return extraction_of(arrays, target_of(arrays, name=path.stem, task=task))


def extraction_of(arrays: Arrays, target: Target) -> Extraction:
    """The record of `arrays`, with the labels, ids and class codes of `target`."""
    features, logits = arrays.found.get("features"), _logits(arrays)
    if features is None and logits is None:
        raise InputError(
            f"{arrays.where} holds no `features`, `logits` or `probs` beside its labels; it holds "
            f"{', '.join(sorted(arrays.found))}. Images and texts are read by `open_target`."
        )
    if features is not None:
        _check_rows(features, "features", arrays.where)
    for name, array in (("features", features), ("logits", logits)):
        if array is not None and len(array) != len(target):
            raise InputError(
                f"`{name}` of {arrays.where} has {len(array)} rows for {len(target)} labels; give one each."
            )
    names = arrays.found.get("source_classes")
    if names is not None and logits is not None and len(names) != logits.shape[1]:
        raise InputError(
            f"{arrays.where}: {len(names)} `source_classes` for {logits.shape[1]} columns; name each column."
        )
    return Extraction(
        source=target.name,
        labels=target.labels,
        ids=target.ids,
        features=features,
        logits=logits,
        source_classes=None if names is None else tuple(str(name) for name in names),
        layer="given",
        fingerprint=b"".join(array_digest(a) for a in (features, logits) if a is not None).hex(),
    )


def features_of(target: Target) -> Extraction:
    """The record of a target that is rows of features, such as `sklearn/iris` or a pair (features, labels)."""
    found = {"features": np.stack([np.asarray(target.examples.load(row)) for row in range(len(target))])}
    return extraction_of(Arrays(found, target.name, target.split), target)


def target_of(arrays: Arrays, *, name: str, task: str | None) -> Target:
    """A target of what `arrays` hold: images, texts, or rows of numbers."""
    found = arrays.found
    if "labels" not in found:
        raise TargetError(
            f"{arrays.where} holds no `labels`; it holds {', '.join(sorted(found)) or 'no array of a known name'}. "
            "Name the array of labels `labels`."
        )
    kind, examples, notes = examples_of(arrays)
    return make_target(
        name=name,
        kind=kind,
        examples=examples,
        raw=found["labels"],
        ids=ids_of(arrays, len(examples)),
        where=arrays.where,
        label_where=f"`labels` of {arrays.where}",
        task=task,
        classes=[str(name) for name in found["classes"]] if "classes" in found else None,
        split=arrays.split,
        notes=(*arrays.notes, *notes),
    )


def read_npz(path: Path, split: str | None) -> Arrays:
    """The arrays of one split of a `.npz`, by meaning; nothing pickled is ever loaded."""
    try:
        _check_start(path)
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise TargetError(f"{path} holds a single array; save features and labels together with `np.savez`.")
            return _choose(file, path, split)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, TargetError):
            raise
        if "allow_pickle" in str(error):
            raise TargetError(
                f"{path} holds pickled Python objects, which are never loaded; save plain arrays of numbers or text."
            ) from error
        raise TargetError(f"{path} is no readable .npz file: {str(error).rstrip('.')}; save it again.") from error


def _check_start(path: Path) -> None:
    """numpy takes a file of any other content for pickled objects."""
    with path.open("rb") as opened:
        start = opened.read(2)
    if start and start not in (b"PK", b"\x93N") and start[:1] != b"\x80":  # a zip, a single array, a pickle
        raise TargetError(f"{path} is no .npz file: it begins with other bytes; save arrays with `np.savez`.")


def _choose(file: np.lib.npyio.NpzFile, path: Path, wanted: str | None) -> Arrays:
    groups: dict[str | None, dict[str, str]] = {}
    for key in file.files:
        split, meaning = _meaning(key)
        if meaning is not None:
            groups.setdefault(split, {}).setdefault(meaning, key)
    shared = groups.pop(None, {})
    splits = {name: keys for name, keys in groups.items() if name is not None and "labels" in keys}
    if "labels" in shared and wanted is None:
        chosen, notes = None, _unused(splits)
    elif splits:
        chosen, note = choose_split(
            {name: len(file[keys["labels"]]) for name, keys in splits.items()}, wanted, str(path)
        )
        shared, notes = {**shared, **splits[chosen]}, (note,)
    else:
        refuse_split(wanted, str(path))
        chosen, notes = None, ()
    if not shared:
        hint = next((did_you_mean(key, MEANING_OF) for key in file.files if did_you_mean(key, MEANING_OF)), "")
        raise TargetError(
            f"{path} holds {', '.join(f'`{key}`' for key in file.files) or 'no arrays'}; expected `labels` with "
            f"`features`, `logits`, `probs`, `images` or `texts`.{hint}"
        )
    found = {meaning: text_array(file[key], f"`{key}` of {path}") for meaning, key in shared.items()}
    return Arrays(found, str(path), chosen, notes)


def _meaning(key: str) -> tuple[str | None, str | None]:
    """The split and the meaning of an array's name: "x_train" is ("train", "data")."""
    parts = key.casefold().split("_")
    split = next((part for part in parts if role_of(part) is not None), None)
    return split, MEANING_OF.get("_".join(part for part in parts if part != split))


def _unused(splits: dict[str, dict[str, str]]) -> tuple[str, ...]:
    return (f"arrays of the splits {', '.join(f'`{name}`' for name in splits)} are set aside",) if splits else ()


def examples_of(arrays: Arrays) -> tuple[Kind, Examples, tuple[str, ...]]:
    """What kind of examples `arrays` hold, the examples, and notes on how they were read.

    Raises:
        TargetError: There is nothing that could be an example.
    """
    found, where = arrays.found, arrays.where
    for name in ("features", "logits", "probs"):
        if name in found:
            return "arrays", ArrayRows(found[name]), ()
    if "data" in found and found["data"].ndim == 2:
        found["features"] = found.pop("data")
        return "arrays", ArrayRows(found["features"]), ()
    for name in ("images", "data"):
        if name in found:
            examples, notes = image_array(found[name], f"`{name}` of {where}")
            return "image", examples, notes
    if "texts" in found:
        return "text", Texts(found["texts"].tolist()), ()
    labelled = "labels but " if "labels" in found else ""
    raise TargetError(
        f"{where} holds {labelled}no `features`, `logits`, `probs`, `images` or `texts`; add one of them."
    )


def ids_of(arrays: Arrays, count: int) -> list[str]:
    """The names of the examples, their numbers where the file has none."""
    ids = [str(name) for name in arrays.found["ids"]] if "ids" in arrays.found else list(_row_names(count))
    if len(ids) != count or len(set(ids)) != count:
        raise TargetError(f"{arrays.where}: `ids` must be {count} different names, one per example.")
    return ids


def _row_names(count: int) -> Iterator[str]:
    return (str(row) for row in range(count))


def _logits(arrays: Arrays) -> np.ndarray | None:
    """The logits, or the logarithm of the probabilities."""
    logits, probs = arrays.found.get("logits"), arrays.found.get("probs")
    if logits is not None:
        _check_rows(logits, "logits", arrays.where)
    if logits is not None or probs is None:
        return logits
    _check_rows(probs, "probs", arrays.where)
    sums = probs.sum(axis=1, dtype=np.float64)
    bad = np.flatnonzero((np.abs(sums - 1) > SUM_TOLERANCE) | (probs.min(axis=1) < 0))
    if bad.size:
        raise InputError(
            f"`probs` of {arrays.where}: each row must be a distribution; row {bad[0]} sums to {sums[bad[0]]:.3g} and "
            f"its smallest value is {probs[bad[0]].min():.3g} ({bad.size} of {len(probs)} rows fail). If these are "
            "logits, name the array `logits`."
        )
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant: no mass stays no mass
        return np.log(probs, dtype=np.float64).astype(np.promote_types(probs.dtype, np.float32))


def _check_rows(array: np.ndarray, name: str, where: str) -> None:
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "iuf":
        raise InputError(
            f"`{name}` of {where} must be numbers of shape (n, columns); came {array.dtype} {array.shape}."
        )
    if is_float(array) and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(f"`{name}` of {where} holds nan or infinite values (first in row {row}); remove those rows.")
