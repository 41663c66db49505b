"""WebDataset shards: tar files in which the files of one name before its first dot are one example."""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from headstart.data.formats import Format, data_format
from headstart.data.pixels import SUFFIXES
from headstart.data.reading import Reading
from headstart.data.roles import LABEL_NAMES
from headstart.data.splits import choose_split, refuse_split, role_of_word
from headstart.data.stored import EncodedImages, Texts
from headstart.data.target import Examples, Found
from headstart.errors import ExampleError, TargetError

LABELS = ("cls", "label", "cls.txt", "label.txt")
Key = tuple[int, str]  # the shard, and the name of an example in it
Spot = tuple[int, int, int]  # the shard, and where in it the content starts and how long it is


class Entry(NamedTuple):
    """One example: its shard, name, ending and place, and its label."""

    number: int
    key: str
    ending: str
    spot: Spot
    label: object


@dataclass(frozen=True, eq=False)
class TarImages(EncodedImages):
    """Images inside tar files, read in place."""

    shards: tuple[Path, ...]
    spots: np.ndarray  # (n, 3) int64, rows as in `Spot`

    def __len__(self) -> int:
        return len(self.spots)

    def read(self, index: int) -> bytes:
        return content_of(self.shards, self.spots[index])


@data_format
class Tars(Format):
    """A tar file, or a folder of them. Only positions, names and labels are held in memory."""

    name = "tar"
    title = ".tar (WebDataset)"
    turn = 8  # it looks into a folder

    def takes(self, spec: Any) -> bool:
        if not isinstance(spec, Path):
            return False
        return bool(_shards(spec)) if spec.is_dir() else spec.suffix.casefold() == ".tar"

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        reading.refuse_columns(str(spec))
        shards, split, notes = shards_of(spec, reading.split, every=kind is not None)
        samples: dict[Key, dict[str, Spot]] = {}
        for key, parts in groups(shards):
            known = samples.setdefault(key, {})
            if twice := known.keys() & parts.keys():
                raise TargetError(f"{shards[key[0]]} holds {key[1]}.{min(twice)} twice; give each file its own name.")
            known |= parts
        found = [
            Entry(*key, *example, label_of(key[1], parts, shards) if kind is None else None)
            for key, parts in sorted(samples.items())
            if (example := example_of(parts))
        ]
        if not found:
            raise TargetError(f"{spec} holds no images or texts (.txt) beside their labels (.cls, .json).")
        return found_of(spec, shards, found, reading.task, split, notes, labelled=kind is None)


def found_of(
    spec: Path,
    shards: tuple[Path, ...],
    entries: Sequence[Entry],
    task: str | None,
    split: str | None,
    notes: tuple[str, ...],
    *,
    labelled: bool,
) -> Found:
    """Examples of some shards, with their labels."""
    picture = all(one.ending != "txt" for one in entries)
    examples: Examples = TarImages(shards, np.array([(one.number, *one.spot[1:]) for one in entries], dtype=np.int64))
    if not picture:
        examples = Texts([content_of(shards, one.spot).decode(errors="replace") for one in entries])
    ids, media = [one.key for one in entries], "image" if picture else "text"
    if len(set(ids)) < len(ids):  # each shard counts anew
        ids = [f"{shards[one.number].stem}/{one.key}" for one in entries]
    labels = [one.label for one in entries] if labelled else ()
    return Found(spec.stem, media, examples, ids, str(spec), labels, task=task, split=split, notes=notes)


def groups(shards: Sequence[Path]) -> Iterator[tuple[Key, dict[str, Spot]]]:
    """The files of one name that follow each other, by their endings: in a WebDataset, one example."""
    members = chain.from_iterable(_members(shard, number) for number, shard in enumerate(shards))
    for key, files in groupby(members, key=itemgetter(0)):
        parts: dict[str, Spot] = {}
        for _, ending, spot in files:
            if ending in parts:
                raise TargetError(f"{shards[key[0]]} holds {key[1]}.{ending} twice; give each file its own name.")
            parts[ending] = spot
        yield key, parts


def content_of(shards: tuple[Path, ...], spot: Any) -> bytes:
    """The bytes of one file inside a shard."""
    number, start, size = (int(value) for value in spot)
    try:
        with shards[number].open("rb") as file:
            file.seek(start)
            return file.read(size)
    except OSError as error:
        raise ExampleError(f"it cannot be read from {shards[number].name}: {error.strerror}.") from error


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.casefold() == ".tar" and path.is_file())


def shards_of(spec: Path, wanted: str | None, *, every: bool) -> tuple[tuple[Path, ...], str | None, tuple[str, ...]]:
    """The shards of one split, by the first word of their names (`train-0000.tar`)."""
    shards = _shards(spec) if spec.is_dir() else [spec]
    by_split: dict[str, list[Path]] = {}
    for shard in shards:
        by_split.setdefault(shard.stem.replace("_", "-").split("-")[0], []).append(shard)
    if (every and wanted is None) or not all(map(role_of_word, by_split)) or not spec.is_dir():
        refuse_split(wanted, str(spec))
        return tuple(shards), None, ()
    chosen, note = choose_split({name: len(files) for name, files in by_split.items()}, wanted, str(spec))
    return tuple(by_split[chosen]), chosen, (note.replace(" examples)", " shards)"),)


def _members(shard: Path, number: int) -> Iterator[tuple[Key, str, Spot]]:
    """Name, ending and place of each regular file of a shard."""
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                key, _, ending = name.partition(".")
                place = (number, member.offset_data, member.size)
                if member.isreg() and key:
                    yield (number, f"{folder}/{key}" if folder else key), ending.casefold(), place
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; a million would fill the memory
    except (tarfile.TarError, OSError) as error:
        raise TargetError(
            f"cannot read {shard} as an uncompressed tar file: {error}; make or fetch it again."
        ) from error


def example_of(parts: dict[str, Spot]) -> tuple[str, Spot] | None:
    """Ending and place of the image, or of the text, among the files of one name."""
    images = [(ending, spot) for ending, spot in parts.items() if f".{ending.rpartition('.')[2]}" in SUFFIXES]
    return images[0] if images else ("txt", parts["txt"]) if "txt" in parts else None


def label_of(key: str, parts: dict[str, Spot], shards: tuple[Path, ...]) -> object:
    """The text of `KEY.cls`, or the label in `KEY.json`; None where there is none."""
    for ending in LABELS:
        if ending in parts:
            return content_of(shards, parts[ending]).decode(errors="replace").strip()
    if "json" not in parts:
        return None
    try:
        held = json.loads(content_of(shards, parts["json"]))
    except ValueError as error:
        raise TargetError(f"{key}.json is not JSON: {error}; correct it or leave the example out.") from error
    known = {name.casefold(): value for name, value in held.items()} if isinstance(held, dict) else {"label": held}
    return next((known[name] for name in LABEL_NAMES if name in known), None)
