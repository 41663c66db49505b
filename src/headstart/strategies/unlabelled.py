"""New inputs to predict: images in a folder or a zip, a single image, rows of a table or an array, lines of a text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from headstart.data.arrays import examples_of, ids_of, read_npz
from headstart.data.folders import images_of_zip
from headstart.data.pixels import SUFFIXES
from headstart.data.stored import ImageFiles
from headstart.data.target import Examples, Target
from headstart.errors import InputError
from headstart.records import Kind
from headstart.train.batches import readable


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs that can be read, with their names, and why the others cannot."""

    examples: Examples
    ids: tuple[str, ...]
    skipped: dict[str, str]


@dataclass(frozen=True)
class _Texts:
    values: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def load(self, index: int) -> str:
        return self.values[index]

    def digest(self, index: int) -> bytes:
        return self.values[index].encode()


def open_inputs(
    spec: str | os.PathLike, kind: Kind, *, text_column: str | None = None, image_column: str | None = None
) -> Inputs:
    """Find the inputs that `spec` names.

    Args:
        spec: A folder or zip of images (folders in it are searched too), an image, a CSV, TSV or Parquet table, a
            `.npz` of `images` or `texts`, or a text file with one input per line.
        kind: What the model reads.
        text_column: The column of texts in a table; its only column by default.
        image_column: The column of image paths, relative to the table's file.

    Raises:
        InputError: There is nothing there that the model reads.
    """
    path = Path(spec)
    if not path.exists():
        raise InputError(
            f"{path} does not exist; name a folder or zip of images, an image, a table, a .npz or a text file."
        )
    suffix = path.suffix.casefold()
    if suffix in (".csv", ".tsv", ".parquet"):
        examples, ids = _from_table(path, kind, text_column, image_column)
    elif suffix == ".npz":
        examples, ids = _from_arrays(path, kind)
    elif suffix == ".zip" and kind == "image":
        examples, ids = _from_zip(path)
    elif kind == "text":
        examples, ids = _from_lines(path)
    else:
        examples, ids = _from_images(path)
    return _readable(examples, ids, path, kind)


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
    if path.is_dir():
        raise InputError(f"{path} is a folder, and the model reads texts: name a table, or a text file of lines.")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path} holds no lines of text.")
    return _Texts(tuple(lines)), [str(number + 1) for number in range(len(lines))]


def _from_table(path: Path, kind: Kind, text: str | None, image: str | None) -> tuple[Examples, list[str]]:
    suffix = path.suffix.casefold()
    if suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        frame = pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", dtype=str, keep_default_na=False)
    column = _column(list(frame.columns), text if kind == "text" else image, path, kind)
    values = frame[column].astype(str).tolist()
    if not values:
        raise InputError(f"{path} has no rows.")
    ids = [str(number) for number in range(len(values))]
    if kind == "text":
        return _Texts(tuple(values)), ids
    return ImageFiles(tuple(path.parent / value for value in values)), values


def _column(columns: Sequence[str], wanted: str | None, path: Path, kind: Kind) -> str:
    if wanted is not None and wanted in columns:
        return wanted
    if wanted is None and len(columns) == 1:
        return columns[0]
    option = "text_column" if kind == "text" else "image_column"
    raise InputError(f"{path}: name the column to read with `{option}`; it has {', '.join(map(repr, columns))}.")


def _readable(examples: Examples, ids: Sequence[str], path: Path, kind: Kind) -> Inputs:
    """Without those that cannot be read; labels are not looked at."""
    whole = Target(path.name, kind, "regression", examples, np.zeros(len(ids)), (), tuple(ids))
    kept, skipped = readable(whole, max_bad=1.0)
    if len(kept) == 0:
        reason = next(iter(skipped.values()))
        raise InputError(f"none of the {len(ids)} inputs in {path} can be read; the first: {reason}")
    return Inputs(kept.examples, kept.ids, skipped)
