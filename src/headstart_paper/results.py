"""A results file: one line of JSON per finished task, safe against a kill and against a second process.

The first line holds the settings, whose hash every later run must match. A row is appended under a lock and synced, so
a killed run loses at most the task it was at; a half-written last line is dropped, and said, and one that lacks only
its end is kept. Two processes may work on one file: each sees the rows of the other, and a key that is there already is
not written twice. Rows may be amended: the whole file is then written anew and put in the place of the old one, with a
revision in its first line by which other processes notice.
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

KIND = "headstart results"
KEY = "key"

Row = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """What a results file holds."""

    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    revision: int = 0  # how often the file was written anew because rows were amended
    path: Path | None = None


class Results:
    """An open results file.

    Args:
        path: Made with its header if it is not there.
        settings: Everything that decides the numbers of the rows: data, models, hyper-parameters, seed. Not the number
            of tasks, nor of processes: a larger run goes on where a smaller one stopped.

    Raises:
        InputError: The file holds results of other settings, or is no results file.
        WriteError: The file cannot be made.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
        >>> results = Results(path, {"rate": 0.01})
        >>> results.append("task 0", {"accuracy": 0.5}), results.append("task 0", {"accuracy": 0.7})
        (True, False)
        >>> Results(path, {"rate": 0.01}).rows
        ({'key': 'task 0', 'accuracy': 0.5},)
    """

    def __init__(self, path: str | os.PathLike, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.settings = msgspec.json.decode(_encode(settings))  # as it will be read back
        self.notes: list[str] = []
        self._rows: dict[str, Row] = {}
        self._read = 0  # bytes of the file's whole lines that `_rows` stands for
        self._line = 1  # the number of the line after them
        self._revision = 0
        check_destination(self.path, folder=False)
        place = self.path.resolve()  # one lock for a file and a link to it
        self._lock = FileLock(place.with_name(f".{place.name}.lock"))
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._open()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows as last seen, in the order in which they were written."""
        return tuple(self._rows.values())

    @property
    def done(self) -> set[str]:
        """The keys as last seen."""
        return set(self._rows)

    def refresh(self) -> set[str]:
        """See what other processes have written since; returns the keys."""
        with writing(self.path), self._lock:
            self._catch_up()
        return self.done

    def pending(self, keys: Iterable[str]) -> list[str]:
        """Those keys that have no row yet, in their order, after a look at the file."""
        done = self.refresh()
        return [key for key in keys if key not in done]

    def append(
        self, key: str, row: Mapping[str, Any], *, check: Callable[[tuple[Row, ...]], None] | None = None
    ) -> bool:
        """Write one row for good; False where the key has one already (of this or another process), which stays.

        Numpy numbers and arrays are written as plain ones, nan and infinity as null.

        Args:
            check: Looks at the rows as they are, those of other processes too, before this one joins them; what it
                raises leaves the file as it was.
        """
        line = _encode({KEY: key, **row})
        with writing(self.path), self._lock:
            self._catch_up()
            if check is not None:
                check(self.rows)
            if key in self._rows:
                return False
            with self.path.open("r+b") as file:
                file.seek(self._read)
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._read = file.tell()
                self._line += 1
        self._rows[key] = msgspec.json.decode(line)
        return True

    def amend(self, keys: Collection[str], change: Callable[[Row], Row]) -> None:
        """Write the rows of these keys anew, all of them or none; settings, order and every other row stay.

        Where nothing changes the file is not touched.

        Args:
            change: From a row as the file holds it now to the row that takes its place; what it raises leaves the file
                as it was.
        """
        with writing(self.path), self._lock:
            self._catch_up()
            rows = [change(row) if key in keys else row for key, row in self._rows.items()]
            if rows == [*self._rows.values()]:
                return
            lines = [_header(self.settings, self._revision + 1), *map(_encode, rows)]
            write_atomically(self.path, b"".join(line + b"\n" for line in lines))
            self._load()

    def _open(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            with self.path.open("wb") as file:
                file.write(_header(self.settings) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self._load()

    def _load(self) -> None:
        """The whole file from its start."""
        stored, self._read, self._line = _parse(self.path)
        _check_settings(self.path, dict(stored.settings), self.settings)
        self._rows, self._revision = {}, stored.revision
        self._take(stored.rows, stored.notes)

    def _catch_up(self) -> None:
        """Rows from `_read` on; a tail without a line's end is of a killed process: completed if whole, else cut."""
        with self.path.open("rb") as file:
            amended = _revision_of(_decoded(file.readline())) != self._revision
        if amended:  # by another process: every place in the file has moved
            self._load()
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size < self._read:
                raise InputError(f"{self.path} has become shorter while it was in use; start again with another file.")
            file.seek(self._read)
            content = file.read()
            if content and not content.endswith(b"\n") and _row(content.rpartition(b"\n")[2]) is not None:
                file.write(b"\n")
                content += b"\n"
            rows, length, notes = _lines(self.path, content, self._line)
            if self._read + length < size:
                file.truncate(self._read + length)
        self._read += length
        self._line += content.count(b"\n")
        self._take(rows, notes)

    def _take(self, rows: Iterable[Row], notes: Iterable[str]) -> None:
        for row in rows:
            self._rows.setdefault(row[KEY], row)
        self.notes += [note for note in notes if note not in self.notes]


def read_results(path: str | os.PathLike) -> Stored:
    """The settings and rows of a results file; it is not changed.

    Raises:
        InputError: There is none, or it is no results file.
    """
    return _parse(Path(path))[0]


def settings_hash(settings: Mapping[str, Any]) -> str:
    """16 hex digits that stand for the settings, whatever the order of their names.

    Example:
        >>> settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
        True
    """
    return blake2b(_encode(settings, order="sorted"), digest_size=8).hexdigest()


def _parse(path: Path) -> tuple[Stored, int, int]:
    """The file's content, how many of its bytes are whole lines, and the number of the line after them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Name a results file.") from error
    first, newline, rest = content.partition(b"\n")
    header = _decoded(first) if newline else None
    if not isinstance(header, dict) or header.get("kind") != KIND or not isinstance(header.get("settings"), dict):
        raise InputError(
            f"{path} is no results file of headstart: its first line holds no settings. Name another file."
        )
    if header.get("hash") != settings_hash(header["settings"]):
        raise InputError(f"{path}: the settings in its first line were edited by hand. Name another file.")
    rows, length, notes = _lines(path, rest, 2)
    once: dict[str, Row] = {}  # of rows of one key the first counts, as where the file is written
    for row in rows:
        once.setdefault(row[KEY], row)
    stored = Stored(header["settings"], tuple(once.values()), tuple(notes), _revision_of(header), path)
    return stored, len(first) + 1 + length, 2 + rest.count(b"\n")


def _header(settings: Mapping[str, Any], revision: int = 0) -> bytes:
    header = {"kind": KIND, "version": 1, "hash": settings_hash(settings), "settings": settings}
    return _encode(header | ({"revision": revision} if revision else {}))


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return None


def _revision_of(header: Any) -> int:
    found = header.get("revision") if isinstance(header, dict) else None
    return found if isinstance(found, int) else 0


def _lines(path: Path, content: bytes, number: int) -> tuple[list[Row], int, list[str]]:
    """The rows, how many bytes their whole lines are, and what is to be said; `number` is that of the first line.

    A last row that lacks nothing but the line's end is a row, though no whole line.
    """
    whole, newline, tail = content.rpartition(b"\n")
    rows = []
    for place, line in enumerate(whole.split(b"\n") if newline else [], start=number):
        try:
            row = msgspec.json.decode(line)
        except msgspec.MsgspecError as error:
            raise InputError(f"{path}: line {place} is not JSON ({error}). Remove that line.") from error
        if not _is_row(row):
            raise InputError(f"{path}: line {place} has no `{KEY}`. Remove that line.")
        rows.append(row)
    last = _row(tail)
    cut = bool(tail) and last is None
    notes = [f"{path}: the last line was cut short by a kill and is dropped; its task runs again"] if cut else []
    return rows + ([last] if last is not None else []), len(whole) + len(newline), notes


def _row(line: bytes) -> Row | None:
    """The row that a line holds, if it holds one."""
    row = _decoded(line)
    return row if _is_row(row) else None


def _is_row(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get(KEY), str)


def _check_settings(path: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if settings_hash(stored) == settings_hash(asked):
        return
    names = [name for name in sorted({*stored, *asked}) if stored.get(name) != asked.get(name)]
    differences = "; ".join(
        f"`{name}` {_short(stored.get(name))} there, {_short(asked.get(name))} now" for name in names
    )
    raise InputError(
        f"{path} holds results of other settings ({differences}). Results are never mixed: name another file with "
        "`--out`, or repeat the settings of this one."
    )


def _short(value: object, most: int = 60) -> str:
    text = _encode(value).decode()
    return text if len(text) <= most else text[: most - 3] + "..."


def _encode(value: object, order: Literal["sorted"] | None = None) -> bytes:
    return msgspec.json.encode(value, enc_hook=_plain, order=order)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # a numpy number or array
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a results row holds numbers, text, lists and dictionaries; {type(value).__name__} came")
