"""WebDataset shards: tar files in which the files of one name before its first dot are one example."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
Spot = tuple[int, int, int]  # the shard, and where in it the content starts and how long it is


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
        shards, split, notes = _of_split(spec, reading.split, every=kind is not None)
        samples: dict[tuple[int, str], dict[str, Spot]] = {}
        for number, shard in enumerate(shards):
            for key, ending, spot in _members(shard, number):
                if ending in samples.setdefault((number, key), {}):
                    raise TargetError(f"{shard} holds {key}.{ending} twice; give each file its own name.")
                samples[number, key][ending] = spot
        found = {key: (example, parts) for key, parts in sorted(samples.items()) if (example := _example(parts))}
        if not found:
            raise TargetError(f"{spec} holds no images or texts (.txt) beside their labels (.cls, .json).")
        picture = all(ending != "txt" for (ending, _), _ in found.values())
        spots = [spot for (_, spot), _ in found.values()]
        examples: Examples = TarImages(shards, np.array(spots, dtype=np.int64))
        if not picture:
            examples = Texts([content_of(shards, spot).decode(errors="replace") for spot in spots])
        labels = [_label(key, parts, shards) for (_, key), (_, parts) in found.items()] if kind is None else ()
        ids, media = [key for _, key in found], "image" if picture else "text"
        if len(set(ids)) < len(ids):  # each shard counts anew
            ids = [f"{shards[number].stem}/{key}" for number, key in found]
        return Found(spec.stem, media, examples, ids, str(spec), labels, task=reading.task, split=split, notes=notes)


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


def _of_split(spec: Path, wanted: str | None, *, every: bool) -> tuple[tuple[Path, ...], str | None, tuple[str, ...]]:
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


def _members(shard: Path, number: int) -> Iterator[tuple[str, str, Spot]]:
    """Key, ending and place of each regular file of a shard."""
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                key, _, ending = name.partition(".")
                place = (number, member.offset_data, member.size)
                if member.isreg() and key:
                    yield f"{folder}/{key}" if folder else key, ending.casefold(), place
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; a million would fill the memory
    except (tarfile.TarError, OSError) as error:
        raise TargetError(
            f"cannot read {shard} as an uncompressed tar file: {error}; make or fetch it again."
        ) from error


def _example(parts: dict[str, Spot]) -> tuple[str, Spot] | None:
    images = [(ending, spot) for ending, spot in parts.items() if f".{ending.rpartition('.')[2]}" in SUFFIXES]
    return images[0] if images else ("txt", parts["txt"]) if "txt" in parts else None


def _label(key: str, parts: dict[str, Spot], shards: tuple[Path, ...]) -> object:
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
