"""Labelled data made in Python: arrays, lists of images or texts, any map-style `torch.utils.data.Dataset`."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.build import make_target
from headstart.data.formats import Format, Unlabelled, check_kind, data_format
from headstart.data.media import MEDIA
from headstart.data.missing import is_missing
from headstart.data.pixels import pixel_digest, upright_rgb
from headstart.data.reading import Reading
from headstart.data.roles import ColumnKind, Table
from headstart.data.scaling import as_numpy, image_array
from headstart.data.splits import refuse_split
from headstart.data.stored import ImageArray, content_digest
from headstart.data.tables import target_of_table, unlabelled_of_table
from headstart.data.target import Examples, Target
from headstart.errors import ExampleError, TargetError
from headstart.tasks import task_of

LABEL_ATTRIBUTES = ("targets", "labels", "_labels", "y")  # where torchvision's data sets keep all labels
LOOKS = 4  # how often the first example is loaded to see that it stays the same
LABEL_LOOKS = 16  # how many labels that a data set keeps are compared with those it yields


@data_format
class Columns(Format):
    """Columns in Python: a mapping of lists, or a data frame."""

    name = "columns"
    title = ""

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Mapping) or (hasattr(spec, "columns") and hasattr(spec, "iloc"))

    def open(self, spec: Any, reading: Reading) -> Target:
        return target_of_table(_frame(spec), reading)

    def unlabelled(self, spec: Any, kind: str, reading: Reading) -> Unlabelled:
        return unlabelled_of_table(_frame(spec), kind, reading)


@data_format
class Pair(Format):
    """Examples and labels in Python."""

    name = "pair"
    title = "a pair (examples, labels)"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, tuple) and len(spec) == 2

    def open(self, spec: Any, reading: Reading) -> Target:
        refuse_split(reading.split, "a pair (examples, labels)")
        reading.refuse_columns("a pair (examples, labels)")
        return target_of_pair(*spec, task=reading.task)


@data_format
class Dataset(Format):
    """A map-style data set; without labels also a list of examples."""

    name = "dataset"
    title = "a map-style Dataset"
    turn = 9  # much has `__getitem__`

    def takes(self, spec: Any) -> bool:
        return hasattr(spec, "__getitem__") and not isinstance(spec, str | bytes)

    def open(self, spec: Any, reading: Reading) -> Target:
        refuse_split(reading.split, f"a {type(spec).__name__}")
        reading.refuse_columns(f"a {type(spec).__name__}")
        return target_of_dataset(spec, name=type(spec).__name__, task=reading.task)

    def unlabelled(self, spec: Any, kind: str, reading: Reading) -> Unlabelled:
        if not isinstance(spec, list | tuple | np.ndarray) and not hasattr(spec, "detach"):
            return super().unlabelled(spec, kind, reading)
        found, examples, notes = hold(as_numpy(spec), channels_first=hasattr(spec, "detach"))
        check_kind(found, kind, "the list of examples")
        return Unlabelled(examples, [str(row) for row in range(len(examples))], notes)


def target_of_pair(examples: object, labels: object, *, task: str | None) -> Target:
    """A target of (examples, labels) in memory.

    Raises:
        TargetError: The examples are of no known kind, or differ from the labels in number.
    """
    labels = as_numpy(labels)
    if not isinstance(labels, np.ndarray | Sequence) or isinstance(labels, str):
        raise TargetError(f"`labels` must be a sequence or an array, one per example; got {type(labels).__name__}.")
    kind, held, notes = hold(as_numpy(examples), channels_first=hasattr(examples, "detach"))
    return make_target(
        name=MEDIA[kind].plural,
        kind=kind,
        examples=held,
        raw=labels,
        ids=[str(row) for row in range(len(held))],
        where="the data given",
        label_where="`labels`",
        task=task,
        notes=notes,
    )


def hold(examples: object, *, channels_first: bool = False) -> tuple[str, Examples, tuple[str, ...]]:
    """Examples in memory, by what they are: the kind of data, the examples, and notes.

    Raises:
        TargetError: No kind of data can hold them.
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


def target_of_dataset(dataset: Any, *, name: str, task: str | None, split: str | None = None) -> Target:
    """A target of a map-style data set that yields (example, label).

    Raises:
        TargetError: It yields something else, or a different example each time.
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TargetError(
            "the data set has no length or cannot be indexed; pass a map-style one, or a list of its items."
        )
    if len(dataset) == 0:
        raise TargetError("the data set is empty.")
    examples = DatasetExamples(dataset)
    first = _first_pair(dataset)
    kind = "text" if isinstance(first[0], str) else "image"
    if len({examples.digest(0) for _ in range(LOOKS)}) > 1:
        raise TargetError(
            "the data set yields a different first example each time; build it without random transforms, because a "
            "score must belong to fixed data."
        )
    labels, notes = _all_labels(dataset, first[1])
    whole = np.asarray(labels).dtype.kind in "iu" and np.asarray(labels).ndim == 1
    coded = whole and (task is None or task_of(task).single_class)
    names, name_notes = _class_names(dataset, labels) if coded else (None, ())
    return make_target(
        name=name,
        kind=kind,
        examples=examples,
        raw=labels,
        ids=[str(row) for row in range(len(dataset))],
        where=f"the data set {name}",
        label_where=f"the labels of {name}",
        task=task,
        classes=names,
        split=split,
        notes=(*notes, *name_notes),
    )


class DatasetExamples:
    """The examples of a data set with `__getitem__`; one thread at a time, because few data sets are made for more."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._one_at_a_time = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {"_dataset": self._dataset}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _one_at_a_time=threading.Lock())

    def __len__(self) -> int:
        return len(self._dataset)

    def load(self, index: int) -> Image.Image | str:
        example = self._item(index)
        if isinstance(example, str):
            return example
        if isinstance(example, Image.Image):
            return upright_rgb(example)
        try:
            return _one_image(example).load(0)
        except TargetError as error:
            raise ExampleError(str(error)) from error

    def digest(self, index: int) -> bytes:
        return self.digest_of(self.load(index))

    def digest_of(self, example: Image.Image | str) -> bytes:
        """The digest of an example that is loaded already: a data set hands out nothing else."""
        if isinstance(example, str):
            return content_digest(example.encode("utf-8", "surrogatepass"))
        return pixel_digest(example)

    def _item(self, index: int) -> Any:
        with self._one_at_a_time:
            try:
                return as_numpy(self._dataset[index][0])
            except OSError as error:  # what a missing or damaged file raises
                raise ExampleError(f"the data set cannot load it: {str(error).rstrip('.')}.") from error


def _one_image(example: object) -> ImageArray:
    pixels = np.asarray(example)
    return image_array(pixels[None], "an example of the data set", channels_first=True, unit=True)[0]


def _first_pair(dataset: Any) -> tuple[object, object]:
    pair = dataset[0]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TargetError(f"a data set must yield (example, label); the first item is a {type(pair).__name__}.")
    example = as_numpy(pair[0])
    if isinstance(example, np.ndarray) and example.ndim in (2, 3):
        _one_image(example)  # refused here rather than ten thousand times later
    elif not isinstance(example, str | Image.Image):
        raise TargetError(
            f"a data set must yield images (PIL or arrays) or texts; the first example is a {type(example).__name__}."
        )
    return example, pair[1]


def _all_labels(dataset: Any, first: object) -> tuple[Sequence[object] | np.ndarray, tuple[str, ...]]:
    kept = _kept_labels(dataset)
    if (
        kept is not None
        and not _transforms_labels(dataset)
        and len(kept) == len(dataset)
        and _same(kept[0], first)
        and all(_yields(dataset, row, kept[row]) for row in _telling_rows(kept))
    ):
        return kept, ()
    labels = [_label_of(dataset, row) for row in range(len(dataset))]
    return labels, ("all labels were read by going through the data set once",)


def _label_of(dataset: Any, row: int) -> object:
    try:
        return as_numpy(dataset[row][1])
    except OSError as error:
        raise TargetError(
            f"the data set cannot load its example {row}, so the label is unknown: {str(error).rstrip('.')}; leave it "
            "out, for example with `torch.utils.data.Subset`."
        ) from error


def _class_names(dataset: Any, labels: Sequence[object] | np.ndarray) -> tuple[list[str] | None, tuple[str, ...]]:
    """The names that labels index, unless a transform has made other labels of them."""
    names, kept = getattr(dataset, "classes", None), _kept_labels(dataset)
    if names is None:
        return None, ()
    if _transforms_labels(dataset) and kept is not None and not _same(kept, labels):
        return None, ("`target_transform` changes the labels, so the data set's names of classes are left out",)
    return [str(name) for name in names], ()


def _transforms_labels(dataset: Any) -> bool:
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):  # torch.utils.data.Subset
        return _transforms_labels(dataset.dataset)
    return getattr(dataset, "target_transform", None) is not None


def _kept_labels(dataset: Any) -> Any:
    """All labels where a data set keeps them, without loading its examples."""
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):  # torch.utils.data.Subset
        whole = _kept_labels(dataset.dataset)
        return None if whole is None else [whole[index] for index in dataset.indices]
    for name in LABEL_ATTRIBUTES:
        labels = as_numpy(getattr(dataset, name, None))
        if isinstance(labels, np.ndarray | list | tuple):
            return labels
    return None


def _telling_rows(labels: Sequence[object] | np.ndarray) -> set[int]:
    """The last row and the first row of each label, or of some, because what changes labels goes by their value."""
    first: dict[str, int] = {}
    for row, label in enumerate(labels):
        first.setdefault(str(label), row)
    rows = list(first.values())
    spread = np.linspace(0, len(rows) - 1, min(len(rows), LABEL_LOOKS)).astype(int)
    return {len(labels) - 1, *(rows[i] for i in spread)} - {0}


def _yields(dataset: Any, row: int, label: object) -> bool:
    try:
        return _same(dataset[row][1], label)
    except OSError:  # a damaged file says nothing of its label
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


def _plain(values: Sequence[object]) -> Sequence[object] | np.ndarray:
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iufb":
        return np.asarray(values)
    return [None if is_missing(value) else value for value in values]
