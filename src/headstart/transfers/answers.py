"""Predictions as CSV or JSON."""

import json
from pathlib import Path
from typing import Literal

from headstart.errors import InputError
from headstart.records import as_csv, write_atomically
from headstart.transfers.run import Answers

DIGITS = 7  # as many as the network computes in
Form = Literal["csv", "json"]


def as_text(answers: Answers, form: Form) -> str:
    """One line (or object) per input: its name, the class where there are classes, and every number."""
    columns, rows = _rows(answers)
    if form == "json":
        return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2) + "\n"
    return as_csv([columns, *rows])


def write_answers(answers: Answers, path: Path) -> None:
    """Write them as the file's ending says.

    Raises:
        InputError: It ends in neither .csv nor .json.
    """
    write_atomically(path, as_text(answers, form_of(path)).encode())


def form_of(path: Path) -> Form:
    """The form that a file's ending names.

    Raises:
        InputError: It ends in neither .csv nor .json.
    """
    form = path.suffix.casefold().removeprefix(".")
    if form not in ("csv", "json"):
        raise InputError(f"{path} must end in .csv or .json.")
    return form  # type: ignore[return-value]  # checked above


def _rows(answers: Answers) -> tuple[list[str], list[list[str | float]]]:
    if answers.classes:
        columns = ["id", "label", *(f"p({name})" for name in answers.classes)]
        starts: list[list[str | float]] = [[i, label] for i, label in zip(answers.ids, answers.labels, strict=True)]
    else:
        width = answers.outputs.shape[1]
        columns = ["id", *(["value"] if width == 1 else [f"value {k + 1}" for k in range(width)])]
        starts = [[name] for name in answers.ids]
    values = [[float(f"{value:.{DIGITS}g}") for value in row] for row in answers.outputs.tolist()]
    return columns, [[*start, *row] for start, row in zip(starts, values, strict=True)]
