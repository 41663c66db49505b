"""New inputs to predict: images in a folder or a zip, a single image, rows of a table or an array, lines of a text."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from headstart.data.arrays import examples_of, ids_of, read_npz
from headstart.data.delimited import decode
from headstart.data.folders import images_of_zip
from headstart.data.pixels import SUFFIXES
from headstart.data.roles import Table, choose_example
from headstart.data.stored import ImageFiles, Texts
from headstart.data.tables import column_examples, read_table
from headstart.data.target import Examples, Target
from headstart.errors import InputError
from headstart.records import Kind
from headstart.train.batches import readable


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs that can be read, with their names, why the others cannot, and how they were found."""

    examples: Examples
    ids: tuple[str, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]


def open_inputs(
    spec: str | os.PathLike, kind: Kind, *, text_column: str | None = None, image_column: str | None = None
) -> Inputs:
    """Find the inputs that `spec` names.

    Args:
        spec: A folder or zip of images (folders in it are searched too), an image, a CSV, TSV or Parquet table, a
            `.npz` of `images` or `texts`, or a text file with one input per line, named by its number.
        kind: What the model reads.
        text_column: The column of texts in a table; None guesses.
        image_column: The column of images (paths relative to the table's file, or encoded bytes); None guesses.

    Raises:
        InputError: There is nothing there that the model reads.
    """
    path = Path(spec)
    if not path.exists():
        raise InputError(
            f"{path} does not exist; name a folder or zip of images, an image, a table, a .npz or a text file."
        )
    suffix = path.suffix.casefold()
    notes: tuple[str, ...] = ()
    if suffix in (".csv", ".tsv", ".parquet"):
        table = read_table(path)
        column, guessed = choose_example(table, kind, text_column if kind == "text" else image_column)
        examples, ids = _from_table(table, kind, column)
        notes = (*table.notes, *guessed)
    elif suffix == ".npz":
        examples, ids = _from_arrays(path, kind)
    elif suffix == ".zip" and kind == "image":
        examples, ids = _from_zip(path)
    elif kind == "text":
        examples, ids = _from_lines(path)
    else:
        examples, ids = _from_images(path)
    return _readable(examples, ids, path, kind, notes)


def _from_images(path: Path) -> tuple[Examples, list[str]]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.casefold() in SUFFIXES)
    if not files:
        raise InputError(f"{path} holds no images; they end in {', '.join(sorted(SUFFIXES))}.")
    root = path.parent if path.is_file() else path
    return ImageFiles(tuple(files)), [str(file.relative_to(root)) for file in files]


def _from_zip(path: Path) -> tuple[Examples, list[str]]:
    examples, ids = images_of_zip(path)
    if not ids:
        raise InputError(f"{path} holds no images; they end in {', '.join(sorted(SUFFIXES))}.")
    return examples, ids


def _from_arrays(path: Path, kind: Kind) -> tuple[Examples, list[str]]:
    arrays = read_npz(path, None)
    held, examples, _ = examples_of(arrays)
    if held != kind:
        raise InputError(
            f"{path} holds {'rows of numbers' if held == 'arrays' else f'{held}s'}, and the model reads {kind}s; "
            f"save them in an array called `{kind}s`."
        )
    return examples, ids_of(arrays, len(examples))


def _from_lines(path: Path) -> tuple[Examples, list[str]]:
    if path.is_dir() or path.suffix.casefold() in (*SUFFIXES, ".zip"):
        held = "a folder" if path.is_dir() else "no text"
        raise InputError(f"{path} is {held}, and the model reads texts: name a table, or a text file of lines.")
    lines = {number: line for number, line in enumerate(re.split("\r?\n", decode(path)), start=1) if line.strip()}
    if not lines:
        raise InputError(f"{path} holds no lines of text.")
    return Texts(list(lines.values())), [str(number) for number in lines]


def _from_table(table: Table, kind: Kind, column: str) -> tuple[Examples, list[str]]:
    rows = np.arange(len(table.read(column)))
    if len(rows) == 0:
        raise InputError(f"{table.where} has no rows.")
    examples, files = column_examples(table, column, kind, rows)
    return examples, [file or str(row) for file, row in zip_longest(files, rows)]


def _readable(examples: Examples, ids: Sequence[str], path: Path, kind: Kind, notes: tuple[str, ...]) -> Inputs:
    """Without those that cannot be read; labels are not looked at."""
    whole = Target(path.name, kind, "regression", examples, np.zeros(len(ids)), (), tuple(ids))
    kept, skipped = readable(whole, max_bad=1.0)
    if len(kept) == 0:
        reason = next(iter(skipped.values()))
        raise InputError(f"none of the {len(ids)} inputs in {path} can be read; the first: {reason}")
    return Inputs(kept.examples, kept.ids, skipped, notes)
