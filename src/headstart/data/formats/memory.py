"""Data in Python: arrays, lists of images or texts, any map-style `torch.utils.data.Dataset`."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from headstart.data.formats import Format, data_format
from headstart.data.labels import is_missing
from headstart.data.media import MEDIA
from headstart.data.media.image import NAMES as IMAGES
from headstart.data.media.text import NAMES as TEXTS
from headstart.data.media.text import is_pair
from headstart.data.pixels import Deep, is_wide, pixel_digest, upright_rgb
from headstart.data.reading import Reading
from headstart.data.roles import LABEL_NAMES, ColumnKind, Table, listed
from headstart.data.scaling import as_numpy, image_array
from headstart.data.splits import refuse_split
from headstart.data.stored import DeepImages, ImageArray, array_digest, content_digest
from headstart.data.tables import read_table
from headstart.data.target import Examples, Found, row_ids
from headstart.errors import ExampleError, TargetError
from headstart.tasks import task_of

Array = np.ndarray[Any, np.dtype[Any]]
LABEL_ATTRIBUTES = ("targets", "labels", "_labels", "y")  # where torchvision's data sets keep all labels
LOOKS = 4  # how often the first example is loaded to see that it stays the same
LABEL_LOOKS = 16  # how many labels that a data set keeps are compared with those it yields


@data_format
class Columns(Format):
    """Columns in Python: a mapping of lists, or a data frame."""

    name = "columns"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Mapping) or (hasattr(spec, "columns") and hasattr(spec, "iloc"))

    def read(self, spec: Any, reading: Reading, kind: str | None) -> Found:
        return read_table(_frame(spec), reading, kind)


@data_format
class Pair(Format):
    """Examples and labels in Python."""

    name = "pair"
    title = "a pair (examples, labels)"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, tuple) and len(spec) == 2

    def read(self, spec: Any, reading: Reading, kind: str | None) -> Found:
        refuse_split(reading.split, self.title)
        reading.refuse_columns(self.title)
        labels = as_numpy(spec[1])
        if not isinstance(labels, np.ndarray | Sequence) or isinstance(labels, str):
            raise TargetError(f"`labels` must be a sequence or an array, one per example; got {type(labels).__name__}.")
        held, examples, notes = hold(as_numpy(spec[0]), channels_first=hasattr(spec[0], "detach"))
        ids, name = row_ids(len(examples)), MEDIA[held].plural
        return Found(name, held, examples, ids, "the data given", labels, "`labels`", reading.task, notes=notes)


@data_format
class Dataset(Format):
    """A map-style data set; to predict also a list of examples."""

    name = "dataset"
    title = "a map-style Dataset"
    turn = 9  # many objects have `__getitem__`

    def takes(self, spec: Any) -> bool:
        return (hasattr(spec, "__getitem__") or _is_loader(spec)) and not isinstance(spec, str | bytes)

    def read(self, spec: Any, reading: Reading, kind: str | None) -> Found:
        name = type(spec).__name__
        notes: tuple[str, ...] = ()
        refuse_split(reading.split, f"a {name}")
        if _is_loader(spec):
            spec, name, notes = _loaded(spec)
        if hasattr(spec, "__len__") and len(spec) and isinstance(first := spec[0], Mapping):
            spec = _as_pairs(spec, first, reading, labelled=kind is None)
            found = found_in_dataset(spec, name=name, task=reading.task, labelled=kind is None)
            return replace(found, notes=(*notes, *found.notes))
        reading.refuse_columns(f"a {name}")
        if kind is None or not (isinstance(spec, list | tuple | np.ndarray) or hasattr(spec, "detach")):
            found = found_in_dataset(spec, name=name, task=reading.task)
            return replace(found, notes=(*notes, *found.notes))
        held, examples, notes = hold(as_numpy(spec), channels_first=hasattr(spec, "detach"))
        return Found("the list of examples", held, examples, row_ids(len(examples)), "the list", notes=notes)


def _is_loader(spec: Any) -> bool:
    return hasattr(spec, "dataset") and hasattr(spec, "collate_fn")


def _loaded(loader: Any) -> tuple[Any, str, tuple[str, ...]]:
    """The data set of a torch `DataLoader`, or the rows of it that a sampler of a subset draws."""
    from torch.utils.data import Subset

    rows = getattr(loader.sampler, "indices", None)
    dataset = loader.dataset if rows is None else Subset(loader.dataset, sorted(int(row) for row in rows))
    note = "of the DataLoader only the data set is used, example by example, and neither its order nor `collate_fn`"
    return dataset, type(loader.dataset).__name__, (note,)


def _as_pairs(dataset: Any, item: Mapping[str, object], reading: Reading, *, labelled: bool) -> "Keyed":
    """A data set of mappings as one of (example, label); the keys are named by the user or have usual names."""

    def key(named: str | Sequence[str] | None, usual: Sequence[str], option: str) -> str | Sequence[str]:
        folded = {str(name).casefold(): name for name in item}
        found = named or next((folded[name] for name in usual if name in folded), None)
        if found is None or not {*([found] if isinstance(found, str) else found)} <= {*item}:
            asked = f"no `{found}`" if found else f"no key with a usual name for `{option}`"
            raise TargetError(f"the data set yields {listed(map(str, item))}, {asked}; name one with `{option}`.")
        return found

    usual = ("pixel_values", *IMAGES, *TEXTS)
    option = "text_column" if reading.text_column else "image_column"
    examples = key(reading.text_column or reading.image_column, usual, option)
    return Keyed(dataset, examples, key(reading.label_column, LABEL_NAMES, "label_column") if labelled else None)


class Keyed:
    """A data set that yields mappings, as one that yields (example, label); its attributes stay readable."""

    def __init__(self, dataset: Any, example: str | Sequence[str], label: Any) -> None:
        self.inner, self.example, self.label = dataset, example, label

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, row: int) -> tuple[object, object]:
        item = self.inner[row]
        example = item[self.example] if isinstance(self.example, str) else tuple(item[name] for name in self.example)
        if self.label is None:
            return example, None
        return example, item[self.label] if isinstance(self.label, str) else [item[name] for name in self.label]

    def __getattr__(self, name: str) -> Any:
        if name in ("inner", "example", "label"):  # not there yet while a copy is being made
            raise AttributeError(name)
        return getattr(self.inner, name)


def hold(examples: object, *, channels_first: bool = False) -> tuple[str, Examples, tuple[str, ...]]:
    """The kind of examples in memory, the examples, and notes.

    Raises:
        TargetError: They are of no known kind.
    """
    if not isinstance(examples, np.ndarray | Sequence) or isinstance(examples, str):
        raise TargetError(f"examples must be an array or a list; got {type(examples).__name__}.")
    if not isinstance(examples, np.ndarray) or examples.dtype.kind not in "iufb":
        examples = list(examples)
        if not examples:
            raise TargetError("the list of examples is empty.")
    for kind in MEDIA.values():
        if (held := kind.hold(examples, channels_first=channels_first)) is not None:
            return kind.name, *held
    found = ", ".join(sorted({type(item).__name__ for item in examples}))
    raise TargetError(
        "examples must all be images (PIL, uint8 arrays, encoded bytes, paths), all be texts, or be one array of "
        f"numbers; got {found}."
    )


def found_in_dataset(dataset: Any, *, name: str, task: str | None, labelled: bool = True) -> Found:
    """The examples and labels of a map-style data set that yields (example, label)."""
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TargetError(
            "the data set has no length or cannot be indexed; pass a map-style one, or a list of its items."
        )
    if len(dataset) == 0:
        raise TargetError("the data set is empty.")
    examples = DatasetExamples(dataset)
    first = _first_pair(dataset)
    if len({examples.raw_digest(0) for _ in range(LOOKS)}) > 1:
        raise TargetError(
            "the data set yields a different first example each time; build it without random transforms, because a "
            "score needs fixed data."
        )
    labels, notes = _all_labels(dataset, first[1]) if labelled else ((), ())
    whole = np.asarray(labels).dtype.kind in "iu" and np.asarray(labels).ndim == 1
    coded = whole and (task is None or task_of(task).single_class)
    names, name_notes = _class_names(dataset, labels) if coded else (None, ())
    return Found(
        name=name,
        kind="text" if isinstance(first[0], str | tuple) else "image",
        examples=examples,
        ids=row_ids(len(dataset)),
        where=f"the data set {name}",
        labels=labels,
        label_where=f"the labels of {name}",
        task=task,
        classes=names,
        notes=(*notes, *name_notes),
    )


@dataclass(frozen=True, eq=False)
class DatasetExamples(DeepImages):
    """The examples of a data set with `__getitem__`, loaded by one thread at a time: few data sets allow more."""

    dataset: Any
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)
    looks: ClassVar[int] = 1

    def __reduce__(self) -> tuple[object, ...]:
        return partial(DatasetExamples, white=self.white), (self.dataset,)

    def __len__(self) -> int:
        return len(self.dataset)

    def load(self, index: int) -> Any:
        example = self._item(index)
        if isinstance(example, str | tuple):
            return example
        if isinstance(example, Image.Image):
            return upright_rgb(example, self.white)
        try:
            return _one_image(example, self.white).load(0)
        except TargetError as error:
            raise ExampleError(str(error)) from error

    def digest(self, index: int) -> bytes:
        return self.digest_of(self.load(index))

    def raw_digest(self, index: int) -> bytes:
        """The digest of an example as it is yielded, whatever is white."""
        example = self._item(index)
        return self.digest_of(example) if isinstance(example, str | tuple) else array_digest(np.asarray(example))

    def digest_of(self, example: Any) -> bytes:
        """The digest of a loaded example."""
        if isinstance(example, Image.Image):
            return pixel_digest(example)
        return content_digest(("\0".join(example) if is_pair(example) else example).encode("utf-8", "surrogatepass"))

    def deep(self, index: int) -> Deep | None:
        example = self._item(index)
        wide = is_wide(example) if isinstance(example, Image.Image) else getattr(example, "dtype", None) == np.uint16
        return Deep(np.asarray(example)) if wide else None

    def _item(self, index: int) -> Any:
        with self._one_at_a_time:
            try:
                return as_numpy(self.dataset[index][0])
            except OSError as error:  # a missing or damaged file
                raise ExampleError(f"the data set cannot load it: {str(error).rstrip('.')}.") from error


def _one_image(example: object, white: float | None = None) -> ImageArray:
    pixels = np.asarray(example)
    return replace(
        image_array(pixels[None], "an example of the data set", channels_first=True, unit=True)[0], white=white
    )


def _first_pair(dataset: Any) -> tuple[object, object]:
    pair = dataset[0]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TargetError(f"a data set must yield (example, label); the first item is a {type(pair).__name__}.")
    example = as_numpy(pair[0])
    if isinstance(example, np.ndarray) and example.ndim in (2, 3):
        _one_image(example)  # refused here rather than ten thousand times later
    elif not isinstance(example, str | Image.Image) and not is_pair(example):
        raise TargetError(
            f"a data set must yield images (PIL or arrays) or texts; the first example is a {type(example).__name__}."
        )
    return example, pair[1]


def _all_labels(dataset: Any, first: object) -> tuple[Sequence[object] | Array, tuple[str, ...]]:
    kept: Any = () if _transforms_labels(dataset) else _kept_labels(dataset)
    fits = bool(len(kept)) and len(kept) == len(dataset) and _same(kept[0], first)
    if fits and all(_yields(dataset, row, kept[row]) for row in _telling_rows(kept)):
        return kept, ()
    labels = [_label_of(dataset, row) for row in range(len(dataset))]
    return labels, ("all examples of the data set were loaded once to read their labels",)


def _label_of(dataset: Any, row: int) -> object:
    try:
        return as_numpy(dataset[row][1])
    except OSError as error:
        raise TargetError(
            f"the data set cannot load its example {row}, so the label is unknown: {str(error).rstrip('.')}; leave it "
            "out, for example with `torch.utils.data.Subset`."
        ) from error


def _class_names(dataset: Any, labels: Sequence[object] | Array) -> tuple[list[str] | None, tuple[str, ...]]:
    """The class names that labels index, unless a transform changes the labels."""
    names, kept = getattr(dataset, "classes", None), _kept_labels(dataset)
    if names is None:
        return None, ()
    if _transforms_labels(dataset) and len(kept) and not _same(kept, labels):
        return None, ("`target_transform` changes the labels, so the data set's names of classes are left out",)
    return [str(name) for name in names], ()


def _transforms_labels(dataset: Any) -> bool:
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):  # torch.utils.data.Subset
        return _transforms_labels(dataset.dataset)
    return getattr(dataset, "target_transform", None) is not None


def _kept_labels(dataset: Any) -> Any:
    """All labels that a data set keeps, read without loading its examples; () if it keeps none."""
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):  # torch.utils.data.Subset
        whole = _kept_labels(dataset.dataset)
        return [whole[index] for index in dataset.indices] if len(whole) else ()
    for name in LABEL_ATTRIBUTES:
        labels = as_numpy(getattr(dataset, name, None))
        if isinstance(labels, np.ndarray | list | tuple):
            return labels
    return ()


def _telling_rows(labels: Sequence[object] | Array) -> set[int]:
    """The last row and the first row of each label, or of LABEL_LOOKS: a change of labels depends on their value."""
    first: dict[str, int] = {}
    for row, label in enumerate(labels):
        first.setdefault(str(label), row)
    rows = list(first.values())
    spread = np.linspace(0, len(rows) - 1, min(len(rows), LABEL_LOOKS)).astype(int)
    return {len(labels) - 1, *(rows[i] for i in spread)} - {0}


def _yields(dataset: Any, row: int, label: object) -> bool:
    with suppress(OSError):  # a damaged file says nothing about its label
        return _same(dataset[row][1], label)
    return True


def _same(one: object, other: object) -> bool:
    return bool(np.array_equal(np.asarray(as_numpy(one)), np.asarray(as_numpy(other))))


def _frame(frame: Mapping[str, Sequence[object]]) -> Table:
    columns = {str(column): frame[column] for column in frame}
    kinds = {column: _kind(values) for column, values in columns.items()}
    return Table("table", "the table given", Path(), kinds, lambda column: _plain(columns[column]))


def _kind(values: Sequence[object]) -> ColumnKind:
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") in "iufb":
        return "number"
    first = next((value for value in values if not is_missing(value)), None)
    if isinstance(first, bytes) or (isinstance(first, Mapping) and {"bytes", "path"} & set(first)):
        return "bytes"
    if isinstance(first, str | os.PathLike):
        return "text"
    if isinstance(first, int | float | np.number):
        return "number"
    return "list" if isinstance(first, list | tuple | set | np.ndarray) else "other"


def _plain(values: Sequence[object]) -> Sequence[object] | Array:
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
        return np.asarray(values)
    return [None if is_missing(value) else value for value in values]
