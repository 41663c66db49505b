"""A results file: one line of JSON per finished task, safe against a kill and shared by processes.

The first line holds the settings, whose hash every later run must match. A row is appended under a lock and synced, so
a killed run loses at most the task it was at; a half-written last line is dropped with a note. Several processes may
work on one file: each sees the rows of the others, and of two rows with one key the first is kept.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock

from headstart.errors import InputError
from headstart.records import check_destination, write_atomically, writing
from headstart_paper.paper import ROWS, SELECTION

KIND = "headstart results"
KEY = "key"

Row = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """What a results file holds."""

    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    path: Path | None = None
    length: int = 0  # bytes of the file without a last line that was cut short


class _Header(msgspec.Struct):
    kind: str
    hash: str
    settings: dict[str, Any]


class Results:
    """An open results file; also a store of rows by key for `headstart.runner.map`.

    Args:
        path: Created with its first line if it does not exist.
        settings: Everything that decides the numbers of the rows: hyper-parameters and seed. Neither the number of
            tasks nor of workers: a larger run continues a smaller one.

    Raises:
        InputError: The file holds results of other settings, or is not a results file.
        WriteError: The file cannot be created.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
        >>> results = Results(path, {"rate": 0.01})
        >>> results.append("task 0", {"accuracy": 0.5}), results.append("task 0", {"accuracy": 0.7})
        (True, False)
        >>> Results(path, {"rate": 0.01}).rows
        ({'key': 'task 0', 'accuracy': 0.5},)
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.settings = msgspec.json.decode(_encode(settings))  # as it will be read back
        self.notes: list[str] = []
        self._rows: dict[str, Row] = {}
        self._last: tuple[tuple[int, ...], Stored] | None = None  # the file as last read, and when that was
        check_destination(self.path, folder=False)
        place = self.path.resolve()  # one lock for a file and a link to it
        self._lock = FileLock(place.with_name(f".{place.name}.lock"))
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                if not self.path.exists() or self.path.stat().st_size == 0:
                    write_atomically(self.path, _header(self.settings))
                self._load()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows as last read, in the order in which they were written."""
        return tuple(self._rows.values())

    @property
    def done(self) -> set[str]:
        """The keys as last read."""
        return set(self._rows)

    def refresh(self) -> set[str]:
        """Read what other processes have written since; returns the keys."""
        with writing(self.path), self._lock:
            self._load()
        return self.done

    def __getitem__(self, key: str) -> Row:
        self.refresh()
        return self._rows[key]

    def __setitem__(self, key: str, row: Mapping[str, Any]) -> None:
        self.append(key, row)

    def append(
        self, key: str, row: Mapping[str, Any], *, check: Callable[[tuple[Row, ...]], None] | None = None
    ) -> bool:
        """Write one row; False where the key has one already, from this or another process, which stays.

        Numpy numbers and arrays are written as plain ones, nan and infinity as null.

        Args:
            check: Is called with the rows of the file, those of other processes too; what it raises leaves the file as
                it was.
        """
        line = _encode({KEY: key, **row})
        with writing(self.path), self._lock:
            stored = self._load()
            if check is not None:
                check(self.rows)
            if key in self._rows:
                return False
            with self.path.open("r+b") as file:
                file.truncate(stored.length)
                file.seek(stored.length)
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._rows[key] = msgspec.json.decode(line)
        return True

    def amend(self, keys: Collection[str], change: Callable[[Row], Row]) -> None:
        """Replace the rows of these keys, all of them or none; settings, order and every other row stay.

        Args:
            change: From a row as the file holds it now to its replacement; what it raises leaves the file as it was.
        """
        with writing(self.path), self._lock:
            self._load()
            rows = [change(row) if key in keys else row for key, row in self._rows.items()]
            if rows != [*self._rows.values()]:
                lines = b"".join(_encode(row) + b"\n" for row in rows)
                write_atomically(self.path, _header(self.settings) + lines)
                self._load()

    def _load(self) -> Stored:
        about = self.path.stat()  # raises what `writing` puts into words where the file is gone
        stamp = about.st_ino, about.st_mtime_ns, about.st_size
        if self._last is not None and self._last[0] == stamp:
            return self._last[1]
        stored = read_results(self.path)
        self._last = stamp, stored
        _check_settings(self.path, stored.settings, self.settings)
        self._rows = {row[KEY]: row for row in stored.rows}
        self.notes += [note for note in stored.notes if note not in self.notes]
        return stored


def read_results(path: str | os.PathLike[str]) -> Stored:
    """The settings and rows of a results file, which is not changed.

    Raises:
        InputError: There is none, or it is not a results file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Name a results file.") from error
    first, newline, rest = content.partition(b"\n")
    try:
        header = msgspec.json.decode(first, type=_Header)
    except msgspec.MsgspecError:
        header = None
    if not newline or header is None or header.kind != KIND:
        raise InputError(f"{path} is not a results file: its first line holds no settings. Name another file.")
    if header.hash != settings_hash(header.settings):
        raise InputError(f"{path}: the settings in its first line were edited by hand. Name another file.")
    whole, newline, tail = rest.rpartition(b"\n")
    once: dict[str, Row] = {}
    for number, line in enumerate(whole.split(b"\n") if newline else [], start=2):
        row = _row(path, number, line)
        once.setdefault(row[KEY], row)
    notes = (f"{path}: the last line is incomplete and is dropped; its task will run again",) if tail else ()
    return Stored(header.settings, tuple(once.values()), notes, path, len(content) - len(tail))


def settings_hash(settings: Mapping[str, Any]) -> str:
    """16 hex digits of the settings, whatever the order of their names.

    Example:
        >>> settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
        True
    """
    return blake2b(_encode(settings, order="sorted"), digest_size=8).hexdigest()


def _header(settings: Mapping[str, Any]) -> bytes:
    return _encode({"kind": KIND, "version": 1, "hash": settings_hash(settings), "settings": settings}) + b"\n"


def _row(path: Path, number: int, line: bytes) -> Row:
    try:
        row = msgspec.json.decode(line)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: line {number} is not JSON ({error}). Remove that line.") from error
    if not isinstance(row, dict) or not isinstance(row.get(KEY), str):
        raise InputError(f"{path}: line {number} has no `{KEY}`. Remove that line.")
    return row


def _check_settings(path: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    names = [name for name in sorted({*stored, *asked}) if stored.get(name) != asked.get(name)]
    if names:
        differences = "; ".join(f"`{name}` is {stored.get(name)} there and {asked.get(name)} now" for name in names)
        raise InputError(
            f"{path} holds results of other settings ({differences}). Results are never mixed: name another file with "
            "`--out`, or repeat the settings of this file."
        )


def _encode(value: object, order: Literal["sorted"] | None = None) -> bytes:
    return msgspec.json.encode(value, enc_hook=_plain, order=order)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # a numpy number or array
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a results row holds numbers, text, lists and dictionaries; got {type(value).__name__}")


# Rows of one name are of one model and one data set: others are refused, never mixed.

OTHER = {  # field of a row -> what a difference in it means
    "fingerprint": "another model",
    "data_hash": "other data",
    "meta_hash": "another meta-training",
}


def refuse_other(rows: Iterable[Row], now: Mapping[str, Any], path: Path | None) -> None:
    """Compare a row, or what is about to run, with the rows of a file; a field that one of them lacks is not compared.

    Raises:
        InputError: A row of the same name was made with another model or other data.
    """
    names = names_of(now)
    for row in rows:
        theirs = names_of(row)
        for field, difference in OTHER.items():
            if field in row and field in now and theirs.get(field) == names.get(field) and row[field] != now[field]:
                raise InputError(
                    f"{path} holds rows of {names[field]} made with {difference} ({row['model']} on {row['data']}). "
                    "Results are never mixed: name another file with `--out`."
                )


def names_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Which name stands for the model of a row, and which for its data: in the table one for both.

    Example:
        >>> names_of({"kind": "selection", "key": "selection/mnist/zoo/tiny_digits", "model": "zoo/tiny_digits"})
        {'fingerprint': 'zoo/tiny_digits', 'data_hash': 'mnist'}
    """
    if row.get("kind") == SELECTION:
        return {"fingerprint": str(row["model"]), "data_hash": asked_of(row)}
    return dict.fromkeys(OTHER, str(row["row"])) if "row" in row else {}


def asked_of(row: Mapping[str, Any]) -> str:
    """The name by which a selection's data were asked for; it and the model's name may hold slashes."""
    asked = str(row[KEY]).removeprefix(f"{SELECTION}/").removesuffix(f"/{row.get('method')}")
    return asked.removesuffix(f"/{row['model']}")


# The fields that tables and figures need are looked for before anything is shown.


class _Choice(msgspec.Struct):
    """A source on a target."""

    key: str
    model: str
    data: str
    n: int
    accuracy: float
    scores: dict[str, float | None]


class _Task(_Choice):
    """A task of a row of the table."""

    row: str
    method: str
    number: int
    outcome_seed: int
    classes: int
    f1: float | None  # None: a curve has none
    seconds: float
    curve: list[float] | None = None
    by_epoch: dict[str, float] | None = None


def check_fields(stored: Stored) -> None:
    """Look through the rows of a file that may have been edited or put together by hand.

    Raises:
        InputError: A row lacks a field, or holds something else there; or no table or figure has such rows; or rows of
            one name were made with two models or with two states of the data.
    """
    first: dict[tuple[str, str], Row] = {}
    for row in stored.rows:
        wrong = _wrong(row)
        if wrong:
            raise InputError(f"{stored.path}: row {row[KEY]}: {wrong}. Remove that line; the same command redoes it.")
        for field, name in names_of(row).items():
            if field in row and (other := first.setdefault((field, name), row))[field] != row[field]:
                raise InputError(
                    f"{stored.path}: row {row[KEY]} was made with {OTHER[field]} than row {other[KEY]}, and both are "
                    f"of {name}. Remove the rows of one of them."
                )


def _wrong(row: Row) -> str | None:
    of_table = row.get("kind") != SELECTION
    if of_table and row.get("row") not in ROWS:
        return f"`{row.get('row')}` is not a row of Table 1"
    try:
        found = msgspec.convert(row, _Task if of_table else _Choice)
    except msgspec.ValidationError as error:
        return str(error)
    if found.scores.get("leep") is None:
        return "it has no `leep` among its scores"
    if isinstance(found, _Task) and found.f1 is None and found.curve is None:
        return "its `f1` is null, which only curves may have"
    return None
