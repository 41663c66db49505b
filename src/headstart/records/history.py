"""A folder that keeps rankings and outcomes, so that forecasts can learn from them; nothing is kept without one."""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from headstart.errors import InputError
from headstart.records.files import JsonRecord, check_destination, write_atomically
from headstart.records.outcome import Outcome
from headstart.records.ranking import Ranking

KINDS: dict[type, str] = {Ranking: "rankings", Outcome: "outcomes"}
Kept = TypeVar("Kept", Ranking, Outcome)


class History:
    """The records in one folder, each kept once.

    Args:
        folder: Made when something is kept.

    Raises:
        InputError: There is a file in its place, or no right to write.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        check_destination(folder, folder=True)
        self.folder = Path(folder)

    def keep(self, record: JsonRecord) -> Path:
        """Write a ranking or an outcome; the same one again changes nothing."""
        content = record.to_json().encode()
        name = blake2b(content, digest_size=8).hexdigest()
        path = self.folder / KINDS[type(record)] / f"{name}.json"
        if not path.exists():
            write_atomically(path, content)
        return path

    def read(self, kind: type[Kept]) -> Iterator[Kept]:
        """All records of a kind, in the order of their names.

        Raises:
            InputError: The folder is not there, or a file in it is no such record.
        """
        if not self.folder.is_dir():
            raise InputError(
                f"there is no history in {self.folder}. `headstart rank`, `transfer` and `run` write one with "
                f"`--history {self.folder}`."
            )
        for path in sorted((self.folder / KINDS[kind]).glob("*.json")):
            yield kind.from_json(path.read_bytes(), origin=path)
