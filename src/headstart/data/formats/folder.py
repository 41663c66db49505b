"""A folder of class folders, or a zip of one: the labels are the names of the folders."""

import contextlib
import os
import re
import zipfile
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from headstart.data.formats import Format, data_format
from headstart.data.formats.delimited import SUFFIXES as TABLES
from headstart.data.formats.delimited import delimited_table
from headstart.data.media import MEDIA
from headstart.data.pixels import SUFFIXES, holds_image_paths, names_an_image
from headstart.data.reading import Reading
from headstart.data.roles import Table
from headstart.data.splits import choose_split, refuse_split, role_of, role_of_word
from headstart.data.stored import ImageFiles, ZipImages
from headstart.data.tables import read_table
from headstart.data.target import Found
from headstart.errors import TargetError
from headstart.tasks.values import natural_key
from headstart.wording import plural, printable

JUNK = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}  # left by operating systems
LISTS = ("metadata", "labels")  # tables that list the images beside them, as Hugging Face's imagefolder has them
COPIES = re.compile(r"((fold|cv|split)[-_ ]?\d+|originals?|aug(mented|mentations?)?)([-_ ](images?|data))?")
CHANGED = re.compile(r"[-_ ]?(aug(mented)?|flip(ped)?|rot(ated)?|mirror(ed)?|copy)([-_ ]?\d+)*$")  # at a name's end
UTF8_NAME = 0x800  # the zip flag that a name is UTF-8

_USE_FOLDERS = "put each image into a folder named by its class, or pass a table (CSV) of paths and labels"

Parts = tuple[str, ...]  # a path inside the folder or zip


@dataclass(frozen=True)
class Arranged:
    """Which files are examples, and of which class."""

    examples: tuple[Parts, ...]
    labels: tuple[str, ...]
    split: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """Everything under a folder or in a zip, except what operating systems and programs leave behind."""

    files: dict[Parts, Any]  # the `Path` or `ZipInfo` of each
    folders: frozenset[Parts]
    notes: tuple[str, ...] = ()


@data_format
class Folder(Format):
    """A folder or zip of class folders; images in deeper folders belong to the class folder above them."""

    name = "folder"
    title = "a folder or .zip of class folders"
    turn = 9  # after the formats that keep several files in a folder

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and (spec.is_dir() or spec.suffix.casefold() == ".zip")

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        if not spec.is_dir():
            return _read(spec, spec.stem, str(spec), _list_zip(spec), reading, kind)
        listing = list_folder(spec)
        table = _list_of_images(listing) if kind is None else None
        if table is not None:
            return read_table(table, reading, kind)
        return _read(spec, spec.resolve().name, f"{spec}{os.sep}", listing, reading, kind)


@data_format
class SingleImage(Format):
    """One image: something to predict, but no labelled data."""

    name = "image"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() in SUFFIXES and spec.is_file()

    def read(self, spec: Path, reading: Reading, kind: str | None) -> Found:
        if kind is None:
            raise TargetError(f"{spec} is a single image; pass the folder that holds the class folders.")
        return Found(spec.name, "image", ImageFiles((spec,)), [spec.name], str(spec))


def _read(spec: Path, name: str, where: str, listing: Listing, reading: Reading, kind: str | None) -> Found:
    """Class folders; to predict, the images in all folders unless a split is named."""
    reading.refuse_columns(str(spec))
    if kind is not None and reading.split is None:
        images = sorted(parts for parts in listing.files if names_an_image(parts[-1]))
        if not images and MEDIA[kind].pictures:
            raise TargetError(f"{where} holds no images, which are files ending in {', '.join(sorted(SUFFIXES))}.")
        arranged = Arranged(tuple(images), (), None, ())
    else:
        arranged = arrange(tuple(listing.files), listing.folders, split=reading.split, where=where)
    places = tuple(listing.files[parts] for parts in arranged.examples)
    return Found(
        name=name,
        kind="image",
        examples=ImageFiles(places) if spec.is_dir() else ZipImages(spec, places),
        ids=["/".join(parts) for parts in arranged.examples],
        where=where,
        labels=arranged.labels,
        task=reading.task or "classification",  # folders named 1.5 and 2.5 are still classes
        split=arranged.split,
        notes=(*listing.notes, *arranged.notes),
    )


def _list_of_images(listing: Listing) -> Table | None:
    """A table such as metadata.csv that names the images of the folder: it holds the labels, the folders do not."""
    for parts, path in sorted(listing.files.items()):
        stem, ending = os.path.splitext(parts[-1].casefold())
        if stem not in LISTS or ending not in TABLES:
            continue
        table = delimited_table(path)
        images = next((name for name in table.kinds if holds_image_paths(table.read(name))), None)
        if images is None or not (path.parent / str(table.read(images)[0])).is_file():
            continue
        if len(parts) > 1:
            raise TargetError(f"{path} lists images with their labels; pass this table itself.")
        return replace(table, notes=(*table.notes, f"labels are those of {parts[0]}, which lists the images"))
    return None


def _list_zip(path: Path) -> Listing:
    """What a zip holds; of equal names the last counts, as in zipfile."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {_parts(info): info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise TargetError(f"cannot read {path} as a zip: {str(error).rstrip('.')}; make or fetch it again.") from error
    if any(info.flag_bits & 1 for info in members.values()):
        raise TargetError(f"{path} is locked with a password; unpack it and pass the folder.")
    members = {parts: info for parts, info in members.items() if not any(map(_is_junk, parts))}
    folders = {parts[:depth] for parts in members for depth in range(1, len(parts))}
    folders |= {parts for parts, info in members.items() if info.is_dir()}
    return Listing({parts: info for parts, info in members.items() if not info.is_dir()}, frozenset(folders))


def list_folder(folder: Path) -> Listing:
    """All regular files and folders under `folder`; links are followed, and each folder is visited once."""
    files: dict[Parts, Any] = {}
    folders: set[Parts] = set()
    again: list[str] = []
    special: list[str] = []
    visited = {os.path.realpath(folder)}
    waiting: deque[tuple[Path, Parts]] = deque([(folder, ())])
    while waiting:
        here, parts = waiting.popleft()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            raise TargetError(f"{here} cannot be read: {error.strerror}; check its permissions.") from error
        for entry in entries:
            inner, path = (*parts, printable(entry.name)), Path(entry.path)
            if _is_junk(entry.name):
                continue
            if entry.is_file() or not path.exists():  # a broken link is an example that cannot be read
                files[inner] = path
            elif not entry.is_dir():
                special.append("/".join(inner))
            elif (real := os.path.realpath(path)) in visited:
                again.append("/".join(inner))
            else:
                visited.add(real)
                folders.add(inner)
                waiting.append((path, inner))
    notes = [f"links to folders that are read already are not followed: {_some(again)}"] if again else []
    notes += [f"pipes, sockets and devices, set aside: {_some(special)}"] if special else []
    return Listing(files, frozenset(folders), tuple(notes))


def arrange(files: Sequence[Parts], folders: Collection[Parts], *, split: str | None, where: str) -> Arranged:
    """Decide by names alone which files are examples, and of which class; `folders` are all, empty ones too.

    Example:
        >>> files = [("train", "cat", "1.jpg"), ("train", "dog", "1.jpg"), ("test", "cat", "2.jpg"), ("readme.txt",)]
        >>> arranged = arrange(files, set(), split=None, where="pets/")
        >>> arranged.labels, arranged.split
        (('cat', 'dog'), 'train')
    """
    images = [parts for parts in files if names_an_image(parts[-1])]
    others = sorted("/".join(parts) for parts in set(files) - set(images))
    if not images:
        raise TargetError(_no_images(where, others))
    notes = [f"{plural(len(others), 'file')} without an image ending, set aside: {_some(others)}"] if others else []
    top = root = _root_of_classes(images, ())
    chosen, split_notes = _choose_split(images, top, split, where)
    if chosen is not None:
        root = _root_of_classes(_under(images, (*top, chosen)), (*top, chosen))
    wrapped = root if len(root) > len(top) + 1 else top
    if wrapped:
        notes.append(f"the class folders are those under `{'/'.join(wrapped)}`")
    inside = _under(images, root)
    examples = [parts for parts in inside if len(parts) > len(root) + 1]
    if not examples:
        table = _table_among(others, " ({} may be one)")
        raise TargetError(
            f"the {plural(len(inside), 'image')} in {where} are not in class folders; {_USE_FOLDERS}{table}."
        )
    if chosen is None:
        chosen, examples, split_notes = _choose_below_classes(examples, len(root), split, where, split_notes)
    if chosen is None:
        notes += _same_below_classes(examples, len(root), where)
    notes += _augmented(examples)
    notes += split_notes + _set_aside(images, examples, folders, root)
    examples.sort(key=lambda parts: [natural_key(part) for part in parts])
    return Arranged(tuple(examples), tuple(parts[len(root)] for parts in examples), chosen, tuple(notes))


def _under(images: Sequence[Parts], root: Parts) -> list[Parts]:
    return [parts for parts in images if parts[: len(root)] == root]


def _root_of_classes(images: Sequence[Parts], root: Parts) -> Parts:
    """Step down from `root` through lone folders around everything, but not into the folder of a split.

    Inside a split, a folder of the same name is only a wrapper: `train/train/cat`.
    """
    role = role_of(root[-1]) if root else None
    while True:
        below = [parts[len(root) :] for parts in images]
        first = {parts[0] for parts in below}
        lone = len(first) == 1 and all(len(parts) > 2 for parts in below)
        if not lone or role_of_word(below[0][0]) not in (None, role):
            return root
        root = (*root, below[0][0])


def _choose_split(images: Sequence[Parts], root: Parts, wanted: str | None, where: str) -> tuple[str | None, list[str]]:
    """The folder of the split to read, None where the folders are classes, and notes on what is set aside."""
    below = [parts[len(root) :] for parts in images]
    sizes = Counter(parts[0] for parts in below if len(parts) > 1)
    deep = {parts[0] for parts in below if len(parts) > 2}
    splits = {name: sizes[name] for name in sorted(deep) if role_of(name) is not None or name == wanted}
    strangers = sorted(set(sizes) - set(splits))
    bare = [name for name in strangers if role_of(name)]
    if not splits:
        if len(sizes) > 1 and len(bare) == len(sizes):
            raise TargetError(f"the splits {_some(bare)} of {where} hold no class folders; {_USE_FOLDERS}.")
        return None, []
    if wanted in bare:
        raise TargetError(f"the split `{wanted}` of {where} holds no class folders; {_USE_FOLDERS}.")
    if strangers and wanted is None and not _are_splits(below, splits, strangers):
        return None, [
            f"the folders {_some(sorted(splits))} are read as classes because {_some(strangers)} are beside them"
        ]
    chosen, note = choose_split(splits, wanted, where)
    notes = [note]
    if bare:
        notes.append(f"splits without class folders, set aside: {_some(bare)}")
    if others := [name for name in strangers if name not in bare]:
        notes.append(f"folders that are not splits, set aside: {_some(others)}")
    return chosen, notes


def _choose_below_classes(
    examples: list[Parts], depth: int, wanted: str | None, where: str, notes: list[str]
) -> tuple[str | None, list[Parts], list[str]]:
    """The split to read and its examples where each class folder holds splits (`cat/train/1.jpg`), otherwise all."""
    deep = [parts for parts in examples if len(parts) > depth + 2]
    sizes = Counter(parts[depth + 1] for parts in deep)
    everywhere = {parts[depth] for parts in examples} == {parts[depth] for parts in deep}
    if not (len(sizes) > 1 and everywhere and all(map(role_of, sizes))):
        refuse_split(wanted, where)
        return None, examples, notes
    chosen, note = choose_split(dict(sorted(sizes.items())), wanted, where)
    notes = [*notes, note]
    if stray := ["/".join(parts) for parts in examples if len(parts) == depth + 2]:
        notes.append(f"images outside the splits of their class, set aside: {_some(sorted(stray))}")
    return chosen, [parts for parts in deep if parts[depth + 1] == chosen], notes


def _same_below_classes(examples: Sequence[Parts], depth: int, where: str) -> list[str]:
    """Note, or refuse, class folders that all hold the same folders, which may be the classes (`Original/cat`)."""
    inner: dict[str, set[str]] = {}
    for parts in examples:
        inner.setdefault(parts[depth], set()).update(parts[depth + 1 : -1][:1])
    outer, shared = sorted(inner), sorted(set.intersection(*inner.values()))
    copies = len(outer) > 1 and all(COPIES.fullmatch(name.strip().casefold()) for name in outer)
    if len(outer) < 2 or (len(shared) < 2 and not copies):
        return []
    unclear = "so which are the classes is unclear; pass one of them, or a table of paths and labels"
    if not shared:
        raise TargetError(f"the folders {_some(outer)} of {where} look like parts of one data set, {unclear}.")
    both = f"each of {_some(outer)} in {where} holds the folders {_some(shared)}"
    if copies or len(shared) > len(outer):
        raise TargetError(f"{both}, {unclear}.")
    alike = all(below == set(shared) for below in inner.values())
    return [f"{both}; if those are the classes, pass one of the outer folders"] if alike else []


def _augmented(examples: Sequence[Parts]) -> list[str]:
    """A note on files whose names are those of others with a word such as `aug` or `flipped`."""
    whole = {(*parts[:-1], os.path.splitext(parts[-1])[0].casefold()) for parts in examples}
    copies = []
    for parts in examples:
        stem = os.path.splitext(parts[-1])[0].casefold()
        bare = CHANGED.sub("", stem)
        if bare != stem and (*parts[:-1], bare) in whole:
            copies.append("/".join(parts))
    if not copies:
        return []
    found = f"{plural(len(copies), 'file')} may be augmented copies of others: {_some(copies)}"
    return [f"{found}; copies in both training and test part make results too good"]


def _are_splits(below: Sequence[Parts], splits: Collection[str], strangers: Collection[str]) -> bool:
    """Whether folders named like splits are splits although `strangers` are beside them.

    They are if there are two roles or two splits share a class. One alone may be a class called `train`, unless it
    holds more class folders than there are strangers, and those hold images only (`docs`, `samples`).
    """
    inside = [{parts[1] for parts in below if parts[0] == name} for name in splits]
    share = len(inside) > 1 and any(one & other for i, one in enumerate(inside) for other in inside[:i])
    if share or len({role_of(name) for name in (*splits, *strangers)} - {None}) > 1:
        return True
    folders = {parts[:2] for parts in below if len(parts) > 2}
    return len(strangers) < len(folders) and not any(name in strangers for name, _ in folders)


def _set_aside(
    images: Sequence[Parts], examples: Sequence[Parts], folders: Collection[Parts], root: Parts
) -> list[str]:
    notes = []
    if stray := sorted("/".join(parts) for parts in images if parts[:-1] == root[: len(parts) - 1]):
        notes.append(f"{plural(len(stray), 'image')} outside the class folders, set aside: {_some(stray)}")
    classes = {parts[len(root)] for parts in examples}
    level = {parts[len(root)] for parts in folders if parts[: len(root)] == root and len(parts) > len(root)}
    empty = sorted(level - classes)
    if empty and (root or not any(role_of(name) for name in empty)):
        notes.append(f"class folders without images, left out: {_some(empty)}")
    return notes


def _no_images(where: str, others: Sequence[str]) -> str:
    expected = "expected one folder of images per class, as in cat/1.jpg and dog/2.jpg"
    if not others:
        return f"{where} is empty: {expected}."
    kinds = Counter(PurePosixPath(name).suffix or "without suffix" for name in others)
    found = ", ".join(f"{count} {suffix}" for suffix, count in kinds.most_common(4))
    step = _table_among(others, "; to read a table, pass it itself, for example {}")
    return f"{where} holds {plural(len(others), 'file')} but no image ({found}): {expected}{step}."


def _table_among(names: Sequence[str], text: str) -> str:
    tables = [name for name in names if PurePosixPath(name).suffix.casefold() in (*TABLES, ".parquet")]
    return text.format(tables[0]) if tables else ""


def _parts(info: zipfile.ZipInfo) -> Parts:
    name = info.filename
    if not info.flag_bits & UTF8_NAME and not name.isascii():
        # Without the flag zipfile reads a name as cp437, but many programs write UTF-8 there.
        with contextlib.suppress(UnicodeError):  # then it was cp437 after all
            name = name.encode("cp437").decode("utf-8")
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _is_junk(part: str) -> bool:
    return part.startswith(".") or part.casefold() in JUNK


def _some(names: Sequence[str], show: int = 5) -> str:
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(f"`{name}`" for name in names[:show]) + more
