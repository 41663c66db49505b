"""The fields of a results row that tables and figures need, looked for before anything is shown."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from headstart.errors import InputError
from headstart_paper import paper
from headstart_paper.results import SELECTION, Row

Scores = dict[str, float | None]
NAMES = tuple(row.name for row in (*paper.ROWS, *paper.BEYOND))


class _Choice(msgspec.Struct):
    """A source on a target."""

    key: str
    model: str
    data: str
    n: int
    accuracy: float
    scores: Scores


class _Task(_Choice):
    """A task of a row of the table."""

    method: str
    number: int
    outcome_seed: int
    classes: int
    f1: float | None  # None: a curve has none
    seconds: float
    curve: list[float] | None = None


def check_fields(rows: Iterable[Row], path: Path) -> None:
    """Look through the rows of a file that may have been edited by hand.

    Raises:
        InputError: A row lacks a field, or holds something else there; or no table or figure has such rows.
    """
    for row in rows:
        wrong = _wrong(row)
        if wrong:
            raise InputError(f"{path}: row {row['key']}: {wrong}. Remove that line; the same command makes it anew.")


def _wrong(row: Row) -> str | None:
    of_table = row.get("kind") != SELECTION
    if of_table and row.get("row") not in NAMES:
        return f"`{row.get('row')}` is no row of Table 1"
    try:
        found = msgspec.convert(row, _Task if of_table else _Choice)
    except msgspec.ValidationError as error:
        return str(error)
    if found.scores.get("leep") is None:
        return "it has no `leep` among its scores"
    if isinstance(found, _Task) and found.f1 is None and found.curve is None:
        return "its `f1` is null, and only curves have none"
    return None
