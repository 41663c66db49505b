"""Records on disk: whole files or none, numbers that JSON can hold, and rows as CSV."""

import csv
import io
import math
import os
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from headstart.errors import InputError, WriteError
from headstart.wording import URL, printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a formula of a spreadsheet can begin with
Kept = TypeVar("Kept")
SHOWN = 20  # characters of the name in that of the unfinished file, which so has at most 114 bytes of the 255 allowed


def as_json(value: object) -> str:
    """Records, or lists and dictionaries of them, as indented JSON text."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a name of a file that is not UTF-8
        encoded = msgspec.json.encode(_printable(msgspec.to_builtins(value)))
    return msgspec.json.format(encoded, indent=2).decode()


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV; a cell of text that a spreadsheet would take for a formula begins with an apostrophe.

    >>> as_csv([["id", "x"], ["=1+1", -1.0], ["b", None]])
    "id,x\\n'=1+1,-1.0\\nb,\\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if str(cell)[:1] in FORMULA and isinstance(cell, str) else cell for cell in row])
    return printable(text.getvalue())


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list | tuple) else value


class JsonRecord:
    """A frozen dataclass that is written as JSON text and read back."""

    def to_json(self) -> str:
        """The whole record as JSON text."""
        return as_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, *, origin: str | os.PathLike[str] = "") -> Self:
        """Read what `to_json` wrote.

        Args:
            text: The JSON.
            origin: The file that holds it, for the error.

        Raises:
            InputError: The text is not such a record; says which field is wrong and what was expected.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            name = cls.__name__.lower()
            record = f"{'an' if name[0] in 'aeiou' else 'a'} {name} that headstart wrote"
            where = f"{os.fspath(origin)} is not" if origin else "this text is not"
            raise InputError(f"{where} {record}: {str(error).replace('`$.', '`')}.") from error

    @classmethod
    def read(cls, path: Path, made_by: str) -> Self:
        """The record in a file.

        Args:
            path: A regular file: a pipe could be waited for without end.
            made_by: What writes such a file, for the error.

        Raises:
            InputError: There is no such file, or it is not such a record.
        """
        try:
            reason = "" if stat.S_ISREG(path.stat().st_mode) else "not a file"
            content = b"" if reason else path.read_bytes()
        except OSError as error:
            reason = error.strerror or str(error)
        if reason:
            raise InputError(f"cannot read {path}: {reason}. {made_by} writes one.")
        return cls.from_json(content, origin=path)


class SavedRecord(JsonRecord):
    """A record with a file of its own in a folder of results."""

    FILE: ClassVar[str]
    MADE_BY: ClassVar[str]  # what writes the file

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the record's file into `folder` (made if need be) and return its path; all or nothing."""
        path = Path(folder) / self.FILE
        write_atomically(path, self.to_json().encode())
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record from its file, or from the folder that holds it."""
        return cls.read(Path(path) / cls.FILE if os.path.isdir(path) else Path(path), cls.MADE_BY)


def finite_or_none(value: float | None) -> float | None:
    """JSON has no nan: a number that is not finite becomes None."""
    return None if value is None or not math.isfinite(value) else float(value)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write into an error that names the file and the next step.

    Raises:
        WriteError: Any OSError inside the block.
    """
    try:
        yield
    except WriteError:  # reported already
        raise
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror or error}. Name another place, or free some space there."
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or none of it: a reader never sees half, a kill or a full disk leaves the old one.

    A link stays, and the file it points to is written. What is no file (a device, a pipe) cannot be replaced by one: it
    is written to as it stands.

    Raises:
        WriteError: There is no place for it, no right to write, or no room.
    """
    with writing(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        place = Path(os.path.realpath(path))
        unfinished = place.with_name(f".{place.name[:SHOWN]}.{uuid.uuid4().hex}")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, place)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def remember(place: Path | None, key: str, value: object) -> None:
    """Keep what can be computed again, in JSON, under a key of all that decides it; nothing without a place."""
    if place is not None:
        write_atomically(place, msgspec.json.encode({"key": key, "value": value}))


def remembered(place: Path | None, key: str, kind: type[Kept]) -> Kept | None:
    """What is kept under that key; None where there is nothing, or it is of another key or damaged."""
    with suppress(OSError, msgspec.MsgspecError, KeyError, TypeError):
        held = None if place is None else msgspec.json.decode(place.read_bytes())
        return None if held is None or held["key"] != key else msgspec.convert(held["value"], kind)
    return None


def check_destination(path: str | os.PathLike[str] | None, *, folder: bool) -> None:
    """Say at once that a result could not be written where it is wanted.

    Raises:
        InputError: There is a file where a folder is wanted, or the other way round, or no right to write; or it is
            named `-`, as standard output is.
        WriteError: No file can have the name.
    """
    if path is None:
        return
    path = Path(path)
    if path == Path("-"):
        raise InputError(
            f"`-` means standard output, which cannot hold this; name {'a folder' if folder else 'a file'}."
        )
    if URL.match(str(path).replace(":/", "://", 1)):  # a path holds one of the slashes
        raise InputError(f"{path} is a URL, but results are written to this machine. Name a place here and copy it.")
    with writing(path):  # a name too long is an error even to `exists`
        standing = next(parent for parent in (path, *Path(os.path.realpath(path)).parents) if parent.exists())
    if standing == path and path.is_dir() != folder:
        kind, there = ("a folder", "a file") if folder else ("a file", "a folder")
        raise InputError(f"{path} is {there}, but {kind} is to be written there. Name another place.")
    if not standing.is_dir() and standing != path:
        raise InputError(f"{path} cannot be written: {standing} is a file. Name another place.")
    if not os.access(standing, os.W_OK):
        raise InputError(f"{path} cannot be written: no permission to write to {standing}. Name another place.")
