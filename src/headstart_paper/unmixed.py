"""Rows of one name are of one model and one data set; what is of another is refused, never mixed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headstart.errors import InputError
from headstart_paper.results import Row, Stored

KIND = "selection"  # of rows that are pairs of a source and a target, not tasks of the table
OTHER = {  # field of a row -> what a difference in it means
    "fingerprint": "another model",
    "data_hash": "other data",
    "meta_hash": "another meta-training",
}


def refuse_other(rows: Iterable[Row], now: Mapping[str, Any], path: Path) -> None:
    """Compare what is to be written, or to be run, with the rows that are there.

    A field that one of them lacks is not compared: choices among sources were once kept without the hash of their data.

    Args:
        rows: Of the file.
        now: A row, or of one its names and the fields to compare.
        path: The file.

    Raises:
        InputError: A row of the same name was made with another model or other data.
    """
    for row in rows:
        for field in differing(row, now):
            raise InputError(
                f"{path} holds rows of {names_of(now)[field]} made with {OTHER[field]} ({row['model']} on "
                f"{row['data']}). Results are never mixed: name another file with `--out`."
            )


def check_unmixed(stored: Stored) -> None:
    """Look through a file that was written by hand, or put together from others.

    Raises:
        InputError: It holds rows of one name that were made with two models or with two states of the data.
    """
    first: dict[tuple[str, str], Row] = {}
    for row in stored.rows:
        for field, name in names_of(row).items():
            if field in row and first.setdefault((field, name), row)[field] != row[field]:
                raise InputError(
                    f"{stored.path or 'the results file'}: row {row['key']} was made with {OTHER[field]} than row "
                    f"{first[field, name]['key']}, and both are of {name}. Remove the rows of one of them."
                )


def differing(row: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The fields in which two rows differ though they have the name that stands for it."""
    mine, theirs = names_of(row), names_of(other)
    return [
        field
        for field in OTHER
        if field in row and field in other and mine.get(field) == theirs.get(field) and row[field] != other[field]
    ]


def names_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Which name stands for the model of a row, and which for its data: in the table one for both.

    Example:
        >>> names_of({"kind": KIND, "key": "selection/mnist/zoo/tiny_digits", "model": "zoo/tiny_digits"})
        {'fingerprint': 'zoo/tiny_digits', 'data_hash': 'mnist'}
    """
    if row.get("kind") == KIND:
        return {"fingerprint": str(row["model"]), "data_hash": asked_of(row)}
    return dict.fromkeys(OTHER, str(row["row"])) if "row" in row else {}


def asked_of(row: Mapping[str, Any]) -> str:
    """The name by which a choice's data were asked for; it and the model's name may hold slashes, as their paths do."""
    return str(row["key"]).removeprefix(f"{KIND}/").removesuffix(f"/{row['model']}")
