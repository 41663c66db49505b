"""`.npz` files: features, logits or probabilities computed elsewhere, or images and texts as arrays; never pickles."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.labels import text_array
from headstart.data.reading import Reading
from headstart.data.scaling import image_array
from headstart.data.splits import choose_split, refuse_split, role_of
from headstart.data.stored import ArrayRows, Texts, array_digest
from headstart.data.target import Examples, Found, Target, row_ids
from headstart.errors import InputError, TargetError, did_you_mean
from headstart.records import Extraction
from headstart.tasks.values import is_float

Array = np.ndarray[Any, np.dtype[Any]]
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

    found: dict[str, Array]
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

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        reading.refuse_columns(str(spec))
        return found_of(read_npz(spec, reading.split), name=spec.stem, task=reading.task, labelled=kind is None)


def read_arrays(path: str | Path, *, split: str | None = None, task: str | None = None) -> Extraction:
    """Read a forward pass that was computed elsewhere from a `.npz`.

    Args:
        path: A file with `labels` and `features` (n, d), `logits` (n, z) or `probs` (n, z), or features with one of
            the others. Optional: `ids`, `classes` (names of the target's), and `source_classes` (names of the z
            columns). Names such as `train_features` hold splits; the training split is read.
        split: Another split to read.
        task: None recognises the task by the labels.

    Returns:
        The same record as from `extract`. Probabilities become logits as log p, minus infinity for 0.

    Raises:
        TargetError: The file or its labels cannot be used.
        InputError: An array has a wrong shape, holds nan or infinity, or rows of `probs` are not distributions.
    """
    path = Path(path)
    arrays = read_npz(path, split)
    return extraction_of(arrays, found_of(arrays, name=path.stem, task=task).target())


def extraction_of(arrays: Arrays, target: Target) -> Extraction:
    """The record of `arrays`, with the labels, ids and class codes of `target`."""
    where = arrays.where
    features, logits = arrays.found.get("features"), _logits(arrays)
    if features is None and logits is None:
        raise InputError(
            f"{where} holds no `features`, `logits` or `probs`; it holds {', '.join(sorted(arrays.found))}. "
            "Read images and texts with `open_target`."
        )
    if features is not None:
        _check_rows(features, "features", where)
    for name, array in (("features", features), ("logits", logits)):
        if array is not None and len(array) != len(target):
            raise InputError(
                f"`{name}` of {where} has {len(array)} rows for {len(target)} labels; give one row per label."
            )
    given, names = arrays.found.get("logits"), arrays.found.get("source_classes")
    if names is not None and logits is not None and len(names) != logits.shape[1]:
        raise InputError(f"{where}: {len(names)} `source_classes` for {logits.shape[1]} columns; name each column.")
    if given is not None and given.shape[1] > 1 and given.min(initial=0) >= 0 and _sums_to_one(given).all():
        raise InputError(
            f"`logits` of {where} are probabilities: no value is negative and each row sums to 1. Name the array "
            "`probs`."
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


def found_of(arrays: Arrays, *, name: str, task: str | None, labelled: bool = True) -> Found:
    """Images, texts, or rows of numbers in `arrays`, which must hold labels if `labelled`."""
    found = arrays.found
    if labelled and "labels" not in found:
        raise TargetError(
            f"{arrays.where} holds no `labels`; it holds {', '.join(sorted(found)) or 'no array with a known name'}. "
            "Name the array of labels `labels`."
        )
    kind, examples, notes = _examples_of(arrays)
    classes = [str(name) for name in found["classes"]] if "classes" in found else None
    return Found(
        name, kind, examples, _ids_of(arrays, len(examples)), arrays.where, found.get("labels", ()),
        f"`labels` of {arrays.where}", task, classes, arrays.split, (*arrays.notes, *notes),
    )  # fmt: skip


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
        raise TargetError(f"cannot read {path} as .npz: {str(error).rstrip('.')}; save it again.") from error


def _check_start(path: Path) -> None:
    """numpy would report a file with any other content as pickled objects."""
    with path.open("rb") as opened:
        start = opened.read(2)
    if start and start not in (b"PK", b"\x93N") and start[:1] != b"\x80":  # a zip, a single array, a pickle
        raise TargetError(f"{path} is not a .npz file: it starts with {start!r}; save arrays with `np.savez`.")


def _choose(file: np.lib.npyio.NpzFile, path: Path, wanted: str | None) -> Arrays:
    groups: dict[str | None, dict[str, str]] = {}
    for key in file.files:
        split, meaning = _meaning(key)
        if meaning is not None:
            groups.setdefault(split, {}).setdefault(meaning, key)
    shared = groups.pop(None, {})
    splits = {name: keys for name, keys in groups.items() if name is not None and "labels" in keys}
    if "labels" in shared and wanted is None:
        chosen, aside = None, ", ".join(f"`{name}`" for name in splits)
        notes: tuple[str, ...] = (f"arrays of the splits {aside} are set aside",) if splits else ()
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


def _examples_of(arrays: Arrays) -> tuple[str, Examples, tuple[str, ...]]:
    """The kind of data in `arrays`, the examples, and notes on how they were read."""
    found, where = arrays.found, arrays.where
    if "data" in found and found["data"].ndim == 2:
        found.setdefault("features", found.pop("data"))
    for name in ("features", "logits", "probs"):
        if name in found:
            return "arrays", ArrayRows(found[name]), ()
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


def _ids_of(arrays: Arrays, count: int) -> list[str]:
    ids = [str(name) for name in arrays.found["ids"]] if "ids" in arrays.found else row_ids(count)
    if len(ids) != count or len(set(ids)) != count:
        raise TargetError(f"{arrays.where}: `ids` must be {count} different names, one per example.")
    return ids


def _logits(arrays: Arrays) -> Array | None:
    """The logits, or the logarithm of the probabilities."""
    logits, probs = arrays.found.get("logits"), arrays.found.get("probs")
    if logits is not None:
        _check_rows(logits, "logits", arrays.where)
    if logits is not None or probs is None:
        return logits
    _check_rows(probs, "probs", arrays.where)
    bad = np.flatnonzero(~_sums_to_one(probs) | (probs.min(axis=1) < 0))
    if bad.size:
        row = int(bad[0])
        raise InputError(
            f"`probs` of {arrays.where}: each row must be a distribution; row {row} sums to "
            f"{probs[row].sum(dtype=np.float64):.3g} and its smallest value is {probs[row].min():.3g} ({bad.size} of "
            f"{len(probs)} rows fail). If these are logits, name the array `logits`."
        )
    with np.errstate(divide="ignore"):  # log 0 = -inf: no mass stays no mass
        return np.asarray(np.log(probs, dtype=np.float64).astype(np.promote_types(probs.dtype, np.float32)))


def _sums_to_one(rows: Array) -> Array:
    return np.asarray(np.abs(rows.sum(axis=1, dtype=np.float64) - 1) <= SUM_TOLERANCE)


def _check_rows(array: Array, name: str, where: str) -> None:
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "iuf":
        raise InputError(f"`{name}` of {where} must be numbers of shape (n, columns); got {array.dtype} {array.shape}.")
    if is_float(array) and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(f"`{name}` of {where} holds nan or infinite values (first in row {row}); remove those rows.")
