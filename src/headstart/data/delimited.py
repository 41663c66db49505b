"""CSV and TSV as columns of text: strictly, so that no row is merged, cut or lost in silence."""

import csv
import io
from pathlib import Path
from typing import Literal

from headstart.errors import TargetError

BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_delimited(path: Path) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The columns of a CSV or TSV file with a header row, all as text ("NA" stays "NA"), and notes on how it was read.

    Raises:
        TargetError: It is not UTF-8, has no rows, a row does not fit the header, or its quotes do not pair.
    """
    text = decode(path)
    usual = "\t" if path.suffix.casefold() == ".tsv" else ","
    delimiter = _delimiter(text, usual)
    notes = () if delimiter == usual else (f"{path.name} is cut at {DELIMITERS[delimiter]}",)
    try:
        rows = _rows(text, delimiter, csv.QUOTE_MINIMAL)
        swallowed = delimiter == "\t" and any("\n" in field and "\t" in field for row in rows for field in row)
    except csv.Error as error:
        if delimiter != "\t":
            raise TargetError(
                f"{path} is no well-formed CSV: {error}; quotes inside a quoted field are doubled."
            ) from error
        swallowed = True
    if swallowed:  # tab-separated files often hold quotes that quote nothing
        rows = _rows(text, delimiter, csv.QUOTE_NONE)
        notes = (*notes, f"quotes in {path.name} are taken as plain characters")
    return _columns(rows, path), notes


def decode(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 where it begins with that mark.

    Raises:
        TargetError: It is neither.
    """
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
    header = text.lstrip().partition("\n")[0]
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
            f"{path} has {'no rows below its header' if rows else 'no content'}; expected a header and rows."
        )
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise TargetError(
                f"{path}: row {number} below the header has {len(row)} fields where the header has {len(header)}; put "
                "double quotes around fields that hold the delimiter."
            )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise TargetError(f"{path} has several columns named `{twice}`; give each its own name.")
    return {name: list(column) for name, column in zip(header, zip(*rows[1:], strict=True), strict=True)}
