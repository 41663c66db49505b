"""Parquet files: one, or a folder of them as the Hugging Face hub keeps data sets."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.formats.folder import list_folder
from headstart.data.pixels import SUFFIXES
from headstart.data.reading import Reading
from headstart.data.roles import ColumnKind, Table
from headstart.data.splits import choose_split, role_of, role_of_word
from headstart.data.tables import read_table
from headstart.data.target import Found
from headstart.errors import TargetError, require

Array = np.ndarray[Any, np.dtype[Any]]


@data_format
class Parquet(Format):
    """A Parquet file."""

    name = "parquet"
    title = ".parquet"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() == ".parquet" and spec.is_file()

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        return read_table(parquet_table(spec), reading, kind)


@data_format
class Shards(Format):
    """A folder of Parquet files: train-00000-of-00002.parquet and so on."""

    name = "parquet-folder"
    turn = 8  # it lists all files of a folder

    def takes(self, spec: Any) -> bool:
        if not isinstance(spec, Path) or not spec.is_dir():
            return False
        endings = {Path(parts[-1]).suffix.casefold() for parts in list_folder(spec).files}
        return ".parquet" in endings and not endings & SUFFIXES

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        files, split, note = files_of(spec, reading.split)
        table = parquet_table(spec, files)
        table = table if split is None else replace(table, split=split, notes=(note,))
        return read_table(table, reading, kind)


def files_of(path: Path, wanted: str | None) -> tuple[list[Path], str | None, str]:
    """The files of one split and a note, or all files of a folder, or the one file, where they are not splits."""
    if path.is_file():
        return [path], None, ""
    by_split: dict[str, list[Shard]] = {}
    for shard in _shards(path):
        by_split.setdefault(shard.split, []).append(shard)
    if list(by_split) == [""]:
        return [shard.file for shard in by_split[""]], None, ""
    sizes = {name: sum(_rows(shard.file) for shard in shards) for name, shards in by_split.items()}
    chosen, note = choose_split(sizes, wanted, str(path))
    _refuse_several(path, by_split[chosen])
    return [shard.file for shard in by_split[chosen]], chosen, note


def _rows(file: Path) -> int:
    pyarrow = require("pyarrow", f"reading {file}, a Parquet file,", "data")
    require("pyarrow.parquet", f"reading {file}, a Parquet file,", "data")
    try:
        return int(pyarrow.parquet.read_metadata(file).num_rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(path: Path, error: Exception) -> TargetError:
    return TargetError(f"cannot read {path} as Parquet: {str(error).rstrip('.')}; fetch or write it again.")


def parquet_table(path: Path, files: Sequence[Path] = ()) -> Table:
    """A Parquet file, or several of one table; columns are read on demand."""
    pyarrow = require("pyarrow", f"reading {path}, a Parquet file,", "data")
    require("pyarrow.parquet", f"reading {path}, a Parquet file,", "data")
    try:
        schemas = [pyarrow.parquet.read_schema(file) for file in files or (path,)]
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error

    def read(column: str) -> Sequence[object] | Array:
        parts = [pyarrow.parquet.read_table(file, columns=[column]).column(0) for file in files or (path,)]
        return arrow_values(pyarrow.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type))

    schema = schemas[0]
    if any(not other.equals(schema) for other in schemas):
        raise TargetError(f"the Parquet files of {path} have different columns; pass one of them.")
    kinds = {name: arrow_kind(schema.field(name).type) for name in schema.names}
    return Table(path.stem, str(path), path.parent, kinds, read, _hugging_face_classes(schema.metadata))


def arrow_kind(column: Any) -> ColumnKind:
    """What a pyarrow type holds."""
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


def arrow_values(column: Any) -> Sequence[object] | Array:
    """A pyarrow column as plain Python values, numbers as an array where none is missing."""
    kind = arrow_kind(column.type)
    if kind == "number" and column.null_count == 0:
        return np.asarray(column.to_numpy())
    return ArrowRows(column) if kind == "bytes" else list(column.to_pylist())


@dataclass(frozen=True, eq=False)
class ArrowRows(Sequence[Any]):
    """A pyarrow column of encoded images, turned into Python bytes one row at a time."""

    column: Any

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, row: Any) -> Any:
        return self.column[row].as_py()


@dataclass(frozen=True)
class Shard:
    """A file of a split; "" where its path names none."""

    file: Path
    split: str
    owner: str = ""  # the part of its path before the split: a configuration of the data set
    part: str = ""  # the rest


def _shards(folder: Path) -> list[Shard]:
    files = sorted(path for path in list_folder(folder).files.values() if path.suffix.casefold() == ".parquet")
    shards = [_shard(file, folder, anywhere=True) for file in files]
    if len({shard.split for shard in shards} - {""}) > 1:
        return shards
    return [_shard(file, folder, anywhere=False) for file in files]  # one role may be a word like any other


def _shard(file: Path, folder: Path, *, anywhere: bool) -> Shard:
    """The split that a file's name starts with, or a folder above it is called; `anywhere` looks inside names too."""
    *folders, name = file.relative_to(folder).with_suffix("").parts
    words = re.split(r"[-_.]", name)
    named = [at for at, word in enumerate(words) if role_of_word(word)] if anywhere else []
    if role_of_word(words[0]) or (len(named) == 1 and not any(map(role_of_word, folders))):
        at = 0 if role_of_word(words[0]) else named[0]
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
    """Refuse several configurations of a data set, as in en/train-0 and de/train-0."""
    owners: dict[str, set[str]] = {}
    for shard in shards:
        owners.setdefault(shard.part, set()).add(shard.owner)
    several = next((sorted(names) for names in owners.values() if len(names) > 1), None)
    if several is not None:
        raise TargetError(
            f"{folder} holds the split `{shards[0].split}` of {len(several)} data sets: "
            f"{', '.join(f'`{name or folder.name}`' for name in several)}; pass the folder or file of one of them."
        )


def _hugging_face_classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, Sequence[str]]:
    """Class names that the library `datasets` writes into the schema of its files."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["names"] for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}  # not written by that library
