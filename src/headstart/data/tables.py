"""Tables: a column of images or texts, a column of labels, perhaps one of splits."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from headstart.data.build import make_target
from headstart.data.formats import Unlabelled
from headstart.data.media import MEDIA
from headstart.data.pixels import names_an_image
from headstart.data.reading import Reading
from headstart.data.roles import Table, choose_columns, choose_example, split_column
from headstart.data.splits import choose_split, refuse_split
from headstart.data.target import Examples, Target
from headstart.errors import InputError, TargetError


def target_of_table(table: Table, reading: Reading) -> Target:
    """The rows of one split of a table as a target.

    Raises:
        TargetError: Its columns do not make a labelled data set.
    """
    chosen = choose_columns(table, reading)
    rows, split, split_notes = _rows_of_split(table, chosen.example, chosen.split, reading.split)
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
        task=reading.task,
        classes=chosen.labels if several else table.class_names.get(chosen.labels[0]),
        split=split,
        notes=(*table.notes, *chosen.notes, *split_notes),
    )


def unlabelled_of_table(table: Table, kind: str, reading: Reading) -> Unlabelled:
    """The examples in a table, all rows unless a split is named; labels are not looked at.

    Raises:
        InputError: It has no rows, or no column of that kind that is clear.
    """
    column, guessed = choose_example(table, kind, getattr(reading, f"{kind}_column", None))
    if reading.split is None:
        rows, notes = np.arange(len(table.read(column))), guessed
    else:
        rows, _, chosen = _rows_of_split(table, column, split_column(table, {column}), reading.split)
        notes = (*guessed, *chosen)
    if len(rows) == 0:
        raise InputError(f"{table.where} has no rows.")
    examples, files = column_examples(table, column, kind, rows)
    ids = [file or str(row) for file, row in zip_longest(files, rows)]
    return Unlabelled(examples, ids, (*table.notes, *notes))


def _rows_of_split(
    table: Table, example: str, split: str | None, wanted: str | None
) -> tuple[np.ndarray, str | None, tuple[str, ...]]:
    if split is None:
        refuse_split(wanted, table.where)
        return np.arange(len(table.read(example))), None, ()
    values = [str(value) for value in table.read(split)]
    name, note = choose_split(Counter(values), wanted, f"column `{split}` of {table.where}")
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
