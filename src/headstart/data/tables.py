"""CSV, TSV, Parquet and data frames: a column of images or texts, a column of labels, perhaps one of splits."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.build import make_target
from headstart.data.delimited import read_delimited
from headstart.data.media import MEDIA
from headstart.data.missing import is_missing
from headstart.data.pixels import names_an_image
from headstart.data.roles import Chosen, ColumnKind, Roles, Table, choose_columns
from headstart.data.splits import choose_split, refuse_split, role_of, role_of_word
from headstart.data.target import Examples, Target
from headstart.errors import TargetError, require


def open_table(path: Path, roles: Roles, *, split: str | None, task: str | None) -> Target:
    """A CSV, TSV or Parquet file as a target.

    Raises:
        TargetError: It cannot be read, or its columns do not make a labelled data set.
        MissingExtra: Parquet without `pyarrow`.
    """
    return target_of_table(read_table(path), roles, split=split, task=task)


def read_table(path: Path) -> Table:
    """A CSV, TSV or Parquet file as a table; raises as `open_table` does."""
    return parquet_table(path) if path.suffix.casefold() == ".parquet" else _delimited_table(path)


def target_of_table(table: Table, roles: Roles, *, split: str | None, task: str | None) -> Target:
    """The rows of one split of a table as a target."""
    chosen = choose_columns(table, roles)
    rows, split, split_notes = _rows_of_split(table, chosen, split)
    ids = [f"row {row + 1}" for row in rows]
    examples, files = column_examples(table, chosen.example, chosen.kind, rows)
    if files:
        _check_files(table, chosen.example, files, ids)
    if files and len(set(files)) == len(files):
        ids = [file or row for file, row in zip(files, ids, strict=True)]
    several = len(chosen.labels) > 1
    labels = ", ".join(f"`{name}`" for name in chosen.labels)
    return make_target(
        name=table.name,
        kind=chosen.kind,
        examples=examples,
        raw=_raw_labels(table, chosen.labels, rows),
        ids=ids,
        where=table.where,
        label_where=f"column{'s' * several} {labels} of {table.where}",
        task=task,
        classes=chosen.labels if several else table.class_names.get(chosen.labels[0]),
        split=split,
        notes=(*table.notes, *chosen.notes, *split_notes),
    )


def frame_table(frame: Mapping[str, Sequence[object]], *, name: str, where: str, folder: Path) -> Table:
    """Columns in memory (a dict of lists, a pandas data frame) as a table."""
    columns = {str(column): frame[column] for column in frame}
    kinds = {column: _kind(values) for column, values in columns.items()}
    return Table(name, where, folder, kinds, lambda column: _plain(columns[column]))


def parquet_table(path: Path, files: Sequence[Path] = ()) -> Table:
    """A Parquet file, or several of one table, as a table whose columns are read when they are asked for."""
    pyarrow = require("pyarrow", f"reading {path}, a Parquet file,", "data")
    require("pyarrow.parquet", f"reading {path}, a Parquet file,", "data")
    try:
        schemas = [pyarrow.parquet.read_schema(file) for file in files or (path,)]
    except (pyarrow.ArrowException, OSError) as error:
        raise TargetError(
            f"{path} is no readable Parquet file: {str(error).rstrip('.')}; fetch or write it again."
        ) from error

    def read(column: str) -> Sequence[object] | np.ndarray:
        parts = [pyarrow.parquet.read_table(file, columns=[column]).column(0) for file in files or (path,)]
        return arrow_values(pyarrow.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type))

    schema = schemas[0]
    if any(not other.equals(schema) for other in schemas):
        raise TargetError(f"the Parquet files of {path} have different columns; pass one of them.")
    kinds = {name: arrow_kind(schema.field(name).type) for name in schema.names}
    return Table(path.stem, str(path), path.parent, kinds, read, _hugging_face_classes(schema.metadata))


def arrow_kind(column: Any) -> ColumnKind:
    """What a pyarrow type holds, in the words of `Table`."""
    from pyarrow import types

    column = column.value_type if types.is_dictionary(column) else column
    if types.is_string(column) or types.is_large_string(column) or types.is_string_view(column):
        return "text"
    if types.is_integer(column) or types.is_floating(column) or types.is_boolean(column):
        return "number"
    if types.is_binary(column) or types.is_large_binary(column):
        return "bytes"
    if types.is_struct(column):  # as Hugging Face writes images
        return "bytes" if {"bytes", "path"} <= {column.field(i).name for i in range(column.num_fields)} else "other"
    return "list" if types.is_list(column) or types.is_large_list(column) else "other"


def arrow_values(column: Any) -> Sequence[object] | np.ndarray:
    """A pyarrow column as plain Python values, numbers as an array where none is missing."""
    kind = arrow_kind(column.type)
    if kind == "number" and column.null_count == 0:
        return column.to_numpy()
    return ArrowRows(column) if kind == "bytes" else column.to_pylist()


class ArrowRows(Sequence):
    """A pyarrow column of encoded images, turned into Python bytes one row at a time."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[row].as_py()


def open_shards(folder: Path, roles: Roles, *, split: str | None, task: str | None) -> Target:
    """A folder of Parquet files, as the Hugging Face hub keeps data sets: train-00000-of-00002.parquet and so on.

    Raises:
        TargetError: As for one file; or which split is meant, or which of several data sets, is not clear.
        MissingExtra: `pyarrow` is not installed.
    """
    by_split: dict[str, list[Shard]] = {}
    for shard in _shards(folder):
        by_split.setdefault(shard.split, []).append(shard)
    tables = {name: parquet_table(folder, [shard.file for shard in shards]) for name, shards in by_split.items()}
    if list(tables) == [""]:
        return target_of_table(tables[""], roles, split=split, task=task)
    sizes = {name: sum(_rows_in(shard.file) for shard in shards) for name, shards in by_split.items()}
    chosen, note = choose_split(sizes, split, str(folder))
    _refuse_several(folder, by_split[chosen])
    target = target_of_table(tables[chosen], roles, split=None, task=task)
    return replace(target, split=chosen, notes=(*target.notes, note))


@dataclass(frozen=True)
class Shard:
    """A file that is part of a split, "" where its name says of none."""

    file: Path
    split: str
    owner: str = ""  # what stands before the split in its path: a configuration of the data set
    part: str = ""  # the rest


def _shards(folder: Path) -> list[Shard]:
    files = sorted(folder.rglob("*.parquet"))
    shards = [_shard(file, folder, anywhere=True) for file in files]
    if len({shard.split for shard in shards} - {""}) > 1:
        return shards
    return [_shard(file, folder, anywhere=False) for file in files]  # one role may be a word like any other


def _shard(file: Path, folder: Path, *, anywhere: bool) -> Shard:
    """The split that a file's name begins with or a folder above is called; else, `anywhere`, that either speaks of."""
    *folders, name = file.relative_to(folder).with_suffix("").parts
    words = re.split(r"[-_.]", name)
    spoken = [at for at, word in enumerate(words) if role_of_word(word)] if anywhere else []
    if role_of_word(words[0]) or (len(spoken) == 1 and not any(map(role_of_word, folders))):
        at = 0 if role_of_word(words[0]) else spoken[0]
        part = re.sub(r"-of-\d+$", "", "-".join(words[at:]))
        return Shard(file, words[at], _path(*folders, "-".join(words[:at])), part)
    for depth, above in enumerate(folders):
        if role_of_word(above) or (anywhere and role_of(above)):
            return Shard(file, above, _path(*folders[:depth]), "/".join([*folders[depth:], name]))
    return Shard(file, "")


def _path(*names: str) -> str:
    """Names joined, without those that partition one table (`year=2020`)."""
    return "/".join(name for name in names if name and "=" not in name)


def _refuse_several(folder: Path, shards: Sequence[Shard]) -> None:
    """Files of one place in different folders are configurations of a data set, as in en/train-0 and de/train-0."""
    owners: dict[str, set[str]] = {}
    for shard in shards:
        owners.setdefault(shard.part, set()).add(shard.owner)
    several = next((sorted(names) for names in owners.values() if len(names) > 1), None)
    if several is not None:
        raise TargetError(
            f"{folder} holds the split `{shards[0].split}` of {len(several)} data sets: "
            f"{', '.join(f'`{name or folder.name}`' for name in several)}; pass the folder or file of one of them."
        )


def _rows_in(file: Path) -> int:
    import pyarrow.parquet

    return pyarrow.parquet.read_metadata(file).num_rows


def _delimited_table(path: Path) -> Table:
    columns, notes = read_delimited(path)
    kinds: dict[str, ColumnKind] = dict.fromkeys(columns, "text")
    return Table(path.stem, str(path), path.parent, kinds, columns.__getitem__, notes=notes)


def _rows_of_split(table: Table, chosen: Chosen, wanted: str | None) -> tuple[np.ndarray, str | None, tuple[str, ...]]:
    if chosen.split is None:
        refuse_split(wanted, table.where)
        return np.arange(len(table.read(chosen.example))), None, ()
    values = [str(value) for value in table.read(chosen.split)]
    name, note = choose_split(Counter(values), wanted, f"column `{chosen.split}` of {table.where}")
    return np.flatnonzero([value == name for value in values]), name, (note,)


def column_examples(table: Table, name: str, kind: str, rows: np.ndarray) -> tuple[Examples, list[str]]:
    """The examples in the rows of a column, and the names of their files where they are in files.

    Raises:
        TargetError: The column holds something else.
    """
    found = MEDIA[kind].column(table, name, rows)
    if found is None:
        raise TargetError(f"column `{name}` of {table.where} holds no {kind}s; name another with `{kind}_column`.")
    return found


def _check_files(table: Table, column: str, names: list[str], ids: Sequence[str]) -> None:
    """Names of images that are not there are an error; a cell that names none, among others, is a bad row."""
    missing = [row for row, name in enumerate(names) if not os.path.isfile(table.folder / name)]
    named = [row for row in missing if names_an_image(names[row])]
    if named or len(missing) > len(names) / 2:
        row = (named or missing)[0]
        step = "download the images first" if "://" in names[row] else "correct those rows or leave them out"
        raise TargetError(
            f"{len(missing)} of {len(names)} files in column `{column}` of {table.where} do not exist (first: "
            f"{names[row]!r} in {ids[row]}); paths are relative to {table.folder}{os.sep}: {step}."
        )


def _raw_labels(table: Table, labels: Sequence[str], rows: np.ndarray) -> Sequence[object] | np.ndarray:
    columns = [table.read(label) for label in labels]
    if len(columns) == 1:
        column = columns[0]
        return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]
    try:
        return np.array([[float(column[row]) for column in columns] for row in rows])
    except (ValueError, TypeError) as error:
        raise TargetError(
            f"columns {', '.join(f'`{label}`' for label in labels)} of {table.where} must hold numbers (0 or 1 for "
            f"several labels): {error}."
        ) from error


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


def _hugging_face_classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, Sequence[str]]:
    """Class names that the `datasets` library writes into the schema of its files."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["names"] for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}  # not written by that library
