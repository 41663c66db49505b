"""Tables: a column of examples, a column of labels, perhaps one of splits."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.data.media import MEDIA
from headstart.data.pixels import names_an_image
from headstart.data.reading import Reading
from headstart.data.roles import Chosen, Table, choose_columns, choose_example, listed, splits_of
from headstart.data.splits import choose_split, refuse_split
from headstart.data.stored import TextPairs
from headstart.data.target import Examples, Found
from headstart.errors import TargetError

Array = np.ndarray[Any, np.dtype[Any]]


def read_table(table: Table, reading: Reading, kind: str | None) -> Found:
    """The rows of one split of a table, as `Format.read` returns them."""
    chosen = choose_columns(table, reading) if kind is None else choose_example(table, reading, kind)
    rows, split, split_notes = _rows(table, chosen, reading, every=kind is not None and reading.split is None)
    held = [_column(table, chosen.kind, name, rows) for name in chosen.examples]
    examples, files = held[0] if len(held) == 1 else (TextPairs(held[0][0], held[1][0]), [])
    numbers = rows if table.numbers is None else table.numbers[rows]
    ids = [str(row) if kind is not None else f"row {row + 1}" for row in numbers]
    if files and kind is None:
        _check_files(table, chosen.examples[0], files, ids)
    if files and (kind is not None or len(set(files)) == len(files)):
        ids = [file or row for file, row in zip(files, ids, strict=True)]
    several = len(chosen.labels) > 1
    return Found(
        name=table.name,
        kind=chosen.kind,
        examples=examples,
        ids=ids,
        where=table.where,
        labels=_raw_labels(table, chosen.labels, rows) if chosen.labels else (),
        label_where=f"column{'s' * several} {listed(chosen.labels)} of {table.where}",
        task=reading.task,
        classes=chosen.labels if several else table.class_names.get("".join(chosen.labels)),
        split=split,
        notes=(*table.notes, *chosen.notes, *split_notes),
    )


def _column(table: Table, kind: str, name: str, rows: Array) -> tuple[Examples, list[str]]:
    """The examples in a column, and their files if they are files."""
    held = MEDIA[kind].column(table, name, rows)
    if held is None:
        raise TargetError(
            f"column `{name}` of {table.where} holds no {MEDIA[kind].plural}; name another with `{kind}_column`."
        )
    return held


def _rows(table: Table, chosen: Chosen, reading: Reading, *, every: bool) -> tuple[Array, str | None, tuple[str, ...]]:
    """The rows to read, their split, and notes."""
    count = len(table.read(chosen.examples[0]))
    if every or table.split is not None:
        return np.arange(count), table.split, ()
    if chosen.split is None:
        refuse_split(reading.split, table.where)
        return np.arange(count), None, ()
    values = splits_of(table, chosen.split)
    name, note = choose_split(Counter(values), reading.split, f"column `{chosen.split}` of {table.where}")
    return np.flatnonzero([value == name for value in values]), name, (note,)


def _check_files(table: Table, column: str, names: list[str], ids: Sequence[str]) -> None:
    """Names of images that do not exist are an error; a cell without a name, among others, is an unreadable example."""
    missing = [row for row, name in enumerate(names) if not os.path.isfile(table.folder / name)]
    named = [row for row in missing if names_an_image(names[row])]
    if not named and len(missing) <= len(names) / 2:
        return
    row = (named or missing)[0]
    alike = _alike(table, names[row])
    if "://" in names[row]:
        step = "download the images first"
    elif alike:
        step = f"{alike!r} exists, so write the names with that ending"
    else:
        step = "correct those rows or leave them out"
    raise TargetError(
        f"{len(missing)} of {len(names)} files in column `{column}` of {table.where} do not exist (first: "
        f"{names[row]!r} in {ids[row]}); paths are relative to {table.folder}{os.sep}: {step}."
    )


def _alike(table: Table, name: str) -> str | None:
    """A file whose name differs from `name` in its ending or in case only."""
    folder = (table.folder / name).parent
    wanted = os.path.basename(name).casefold()
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return next((each for each in names if wanted in (each.casefold(), os.path.splitext(each)[0].casefold())), None)


def _raw_labels(table: Table, labels: Sequence[str], rows: Array) -> Sequence[object] | Array:
    columns = [table.read(label) for label in labels]
    if len(columns) == 1:
        column = columns[0]
        return np.asarray(column[rows]) if isinstance(column, np.ndarray) else [column[row] for row in rows]
    try:
        return np.array([[float(column[row]) for column in columns] for row in rows])
    except (ValueError, TypeError) as error:
        raise TargetError(
            f"columns {listed(labels)} of {table.where} must hold numbers (0 or 1 for several labels): {error}."
        ) from error
