"""CSV and TSV files as columns of text, read strictly, so that no row is merged, cut or lost."""

import csv
import io
import re
from pathlib import Path
from typing import Any, Literal

from headstart.data.formats import Format, data_format, unsupported
from headstart.data.pixels import names_an_image
from headstart.data.reading import Reading
from headstart.data.roles import Table
from headstart.data.stored import Texts
from headstart.data.tables import read_table
from headstart.data.target import Found
from headstart.errors import TargetError
from headstart.tasks.values import number_of

BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SUFFIXES = (".csv", ".tsv")


@data_format
class Delimited(Format):
    """A CSV or TSV file with a header row."""

    name = "csv"
    title = ".csv, .tsv"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() in SUFFIXES

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        return read_table(delimited_table(spec), reading, kind)


@data_format
class Lines(Format):
    """A file with one text per line: something to predict, but no labelled data."""

    name = "lines"
    turn = 10  # after every format that has a suffix of its own

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.is_file()

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        """The lines, named by their number; empty ones are left out."""
        if kind != "text":
            raise unsupported(spec)
        lines = {number: line for number, line in enumerate(re.split("\r?\n", decode(spec)), start=1) if line.strip()}
        return Found(spec.name, "text", Texts(list(lines.values())), [str(number) for number in lines], str(spec))


def delimited_table(path: Path) -> Table:
    """A CSV or TSV file as a table."""
    columns, notes = read_delimited(path)
    return Table(path.stem, str(path), path.parent, dict.fromkeys(columns, "text"), columns.__getitem__, notes=notes)


def read_delimited(path: Path) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The columns of a file with a header row, all as text ("NA" stays "NA"), and notes on how it was read."""
    text = decode(path)
    usual = "\t" if path.suffix.casefold() == ".tsv" else ","
    stated = re.match(r"\s*sep=(.)\r?\n", text)  # Excel's line, which is no header
    text = text[stated.end() :] if stated else text
    delimiter = stated[1] if stated else _delimiter(text, usual)
    notes = _split_at(path, delimiter, usual)
    try:
        rows = _rows(text, delimiter, csv.QUOTE_MINIMAL)
        swallowed = delimiter == "\t" and any("\n" in field and "\t" in field for row in rows for field in row)
    except csv.Error as error:
        if delimiter != "\t":
            raise TargetError(
                f"{path} is not a well-formed CSV file: {error}; write a quote inside a quoted field twice."
            ) from error
        swallowed = True
    if swallowed:  # tab-separated files often hold quotes that quote nothing
        rows = _rows(text, delimiter, csv.QUOTE_NONE)
        notes = (*notes, f"quotes in {path.name} are taken as plain characters")
    columns = _columns(rows, path)
    values = [
        name for name, cells in columns.items() if number_of(name) is not None or names_an_image(name) or name in cells
    ]
    if values:
        notes = (*notes, f"the first row of {path.name} is taken as its header, but `{values[0]}` looks like a value")
    return columns, notes


def delimiter_of(path: Path, header: str) -> tuple[str, tuple[str, ...]]:
    """What separates the cells of a file with this header, and a note where that is not what its name says."""
    usual = "\t" if path.suffix.casefold() == ".tsv" else ","
    found = _delimiter(header, usual)
    return found, _split_at(path, found, usual)


def _split_at(path: Path, delimiter: str, usual: str) -> tuple[str, ...]:
    if delimiter == usual:
        return ()
    return (f"{path.name} is split at {DELIMITERS.get(delimiter, repr(delimiter))}",)


def decode(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark."""
    content = path.read_bytes()
    encoding = BYTE_ORDER_MARKS.get(content[:2], "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start : error.start + 1]
        raise TargetError(
            f"{path} is not UTF-8: line {line} holds the byte 0x{byte.hex()}, which is {byte.decode('latin-1')!r} in "
            f"Latin-1; if that is right, run `iconv -f LATIN1 -t UTF-8 {path.name} > utf8{path.suffix}` and pass the "
            "new file."
        ) from error


def _delimiter(text: str, usual: str) -> str:
    header = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])  # what stands in quotes separates nothing
    if usual in header:
        return usual
    return max(DELIMITERS, key=lambda mark: (header.count(mark), mark == usual))


def _rows(text: str, delimiter: str, quoting: Literal[0, 3]) -> list[list[str]]:
    limit = csv.field_size_limit(max(len(text), 1))  # a long text is no error
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
        return [row for row in reader if row]
    finally:
        csv.field_size_limit(limit)


def _columns(rows: list[list[str]], path: Path) -> dict[str, list[str]]:
    if len(rows) < 2:
        raise TargetError(
            f"{path} {'has no rows below its header' if rows else 'is empty'}; expected a header and rows."
        )
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise TargetError(
                f"{path}: row {number} below the header has {len(row)} fields, but the header has {len(header)}; put "
                "double quotes around fields that contain the delimiter."
            )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise TargetError(f"{path} has several columns named `{twice}`; give each its own name.")
    return {name: list(column) for name, column in zip(header, zip(*rows[1:], strict=True), strict=True)}
