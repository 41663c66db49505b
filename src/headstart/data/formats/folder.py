"""A folder of class folders, or a zip of one: the names of the files say what the labels are."""

import contextlib
import os
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from headstart.data.build import make_target
from headstart.data.formats import Format, Unlabelled, check_kind, data_format
from headstart.data.pixels import SUFFIXES
from headstart.data.reading import Reading
from headstart.data.splits import choose_split, refuse_split, role_of, role_of_word
from headstart.data.stored import ImageFiles, ZipImages
from headstart.data.target import Target
from headstart.errors import InputError, TargetError
from headstart.tasks.amounts import natural_key

JUNK = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}  # left by operating systems
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
    """Everything under a folder."""

    files: tuple[Parts, ...]
    folders: frozenset[Parts]
    notes: tuple[str, ...] = ()

    def holds(self, suffixes: Collection[str]) -> bool:
        """Whether a file ends in one of `suffixes`."""
        return any(os.path.splitext(parts[-1])[1].casefold() in suffixes for parts in self.files)


@data_format
class Folder(Format):
    """A folder of class folders; images in deeper folders belong to the class folder they lie under."""

    name = "folder"
    title = "a folder of class folders"
    turn = 9  # after the formats that keep several files in a folder

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.is_dir()

    def open(self, spec: Path, reading: Reading) -> Target:
        reading.refuse_columns(str(spec))
        listing = list_folder(spec)
        arranged = arrange(listing.files, listing.folders, split=reading.split, where=f"{spec}{os.sep}")
        examples = ImageFiles(tuple(spec.joinpath(*parts) for parts in arranged.examples))
        return _target(spec.resolve().name, examples, arranged, listing.notes, reading.task, f"{spec}{os.sep}")

    def unlabelled(self, spec: Path, kind: str, reading: Reading) -> Unlabelled:
        """Every image in whatever folders; those of one split if it is named."""
        if reading.split is not None:
            return super().unlabelled(spec, kind, reading)
        check_kind("image", kind, f"the folder {spec}")
        files = sorted(path for path in spec.rglob("*") if path.suffix.casefold() in SUFFIXES)
        if not files:
            raise InputError(f"{spec} holds no images; they end in {', '.join(sorted(SUFFIXES))}.")
        return Unlabelled(ImageFiles(tuple(files)), [str(file.relative_to(spec)) for file in files])


@data_format
class Zip(Format):
    """A zip of class folders, read in place."""

    name = "zip"
    title = ".zip of class folders"

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() == ".zip"

    def open(self, spec: Path, reading: Reading) -> Target:
        reading.refuse_columns(str(spec))
        members = _members(spec)
        files = [parts for parts, info in members.items() if not info.is_dir()]
        folders = {parent for parts in members for parent in _above(parts)}
        folders |= {parts for parts, info in members.items() if info.is_dir()}
        arranged = arrange(files, folders, split=reading.split, where=str(spec))
        examples = ZipImages(spec, tuple(members[parts] for parts in arranged.examples))
        return _target(spec.stem, examples, arranged, (), reading.task, str(spec))

    def unlabelled(self, spec: Path, kind: str, reading: Reading) -> Unlabelled:
        """Every image in whatever folders; those of one split if it is named."""
        if reading.split is not None:
            return super().unlabelled(spec, kind, reading)
        check_kind("image", kind, str(spec))
        members = {
            "/".join(parts): info
            for parts, info in sorted(_members(spec).items())
            if not info.is_dir() and PurePosixPath(parts[-1]).suffix.casefold() in SUFFIXES
            if not any(_is_junk(part) for part in parts)
        }
        if not members:
            raise InputError(f"{spec} holds no images; they end in {', '.join(sorted(SUFFIXES))}.")
        return Unlabelled(ZipImages(spec, tuple(members.values())), list(members))


@data_format
class SingleImage(Format):
    """One image: something to predict, but no labelled data."""

    name = "image"
    title = ""

    def takes(self, spec: Any) -> bool:
        return isinstance(spec, Path) and spec.suffix.casefold() in SUFFIXES and spec.is_file()

    def open(self, spec: Path, reading: Reading) -> Target:
        raise TargetError(f"{spec} is a single image; pass the folder that holds the class folders.")

    def unlabelled(self, spec: Path, kind: str, reading: Reading) -> Unlabelled:
        check_kind("image", kind, str(spec))
        return Unlabelled(ImageFiles((spec,)), [spec.name])


def _members(path: Path) -> dict[Parts, zipfile.ZipInfo]:
    """What lies in a zip, by its place; of equal names the last counts, as in zipfile."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {_parts(info): info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise TargetError(f"{path} is no readable zip: {str(error).rstrip('.')}; make or fetch it again.") from error
    if any(info.flag_bits & 1 for info in members.values()):
        raise TargetError(f"{path} is locked with a password; unpack it and pass the folder.")
    return members


def list_folder(folder: Path) -> Listing:
    """All files and folders under `folder`; links are followed, but never round in a circle."""
    files: list[Parts] = []
    folders: set[Parts] = set()
    loops: list[str] = []
    waiting: list[tuple[Path, Parts, frozenset[str]]] = [(folder, (), frozenset({os.path.realpath(folder)}))]
    while waiting:
        here, parts, above = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise TargetError(f"{here} cannot be read: {error.strerror}; check its permissions.") from error
        for entry in entries:
            inner = (*parts, entry.name)
            if not entry.is_dir():
                files.append(inner)
            elif (real := os.path.realpath(entry.path)) in above:
                loops.append("/".join(inner))
            else:
                folders.add(inner)
                waiting.append((Path(entry.path), inner, above | {real}))
    notes = (f"links that lead back to a folder above them are not followed: {_some(loops)}",) if loops else ()
    return Listing(tuple(files), frozenset(folders), notes)


def arrange(files: Sequence[Parts], folders: Collection[Parts], *, split: str | None, where: str) -> Arranged:
    """Decide which files are examples of which class, from their names alone.

    Args:
        files: Every file, as the parts of its path.
        folders: Every folder, empty ones too.
        split: The user's choice of split.
        where: The folder's name for the texts.

    Raises:
        TargetError: No class folders with images, or which split is meant is not clear.

    Example:
        >>> files = [("train", "cat", "1.jpg"), ("train", "dog", "1.jpg"), ("test", "cat", "2.jpg"), ("readme.txt",)]
        >>> arranged = arrange(files, set(), split=None, where="pets/")
        >>> arranged.labels, arranged.split
        (('cat', 'dog'), 'train')
    """
    seen = [parts for parts in files if not any(map(_is_junk, parts))]
    images = [parts for parts in seen if PurePosixPath(parts[-1]).suffix.casefold() in SUFFIXES]
    others = sorted("/".join(parts) for parts in set(seen) - set(images))
    if not images:
        raise TargetError(_no_images(where, others))
    notes = (
        [f"{len(others)} file{'s are' if len(others) > 1 else ' is'} no image, set aside: {_some(others)}"]
        if others
        else []
    )
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
        raise TargetError(_no_class_folders(where, len(inside), others))
    if chosen is None:
        chosen, examples, split_notes = _choose_below_classes(examples, len(root), split, where, split_notes)
    notes += split_notes + _set_aside(images, examples, folders, root)
    examples.sort(key=lambda parts: [natural_key(part) for part in parts])
    return Arranged(tuple(examples), tuple(parts[len(root)] for parts in examples), chosen, tuple(notes))


def _target(
    name: str,
    examples: ImageFiles | ZipImages,
    arranged: Arranged,
    notes: tuple[str, ...],
    task: str | None,
    where: str,
) -> Target:
    return make_target(
        name=name,
        kind="image",
        examples=examples,
        raw=arranged.labels,
        ids=["/".join(parts) for parts in arranged.examples],
        where=where,
        task=task or "classification",  # folders named 1.5 and 2.5 are still classes
        split=arranged.split,
        notes=(*notes, *arranged.notes),
    )


def _under(images: Sequence[Parts], root: Parts) -> list[Parts]:
    return [parts for parts in images if parts[: len(root)] == root]


def _root_of_classes(images: Sequence[Parts], root: Parts) -> Parts:
    """Step down from `root` through lone wrapper folders: a zip often holds one folder that holds everything.

    The folder of a split is no wrapper, but inside it one of the same name is (`train/train/cat`).
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
    """The folder of the split to score, None where the folders are classes, and sentences on what is set aside."""
    below = [parts[len(root) :] for parts in images]
    sizes = Counter(parts[0] for parts in below if len(parts) > 1)
    splits = {name: sizes[name] for name in sorted(sizes) if _looks_like_split(name, below, wanted)}
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
            f"the folders {_some(sorted(splits))} are taken as classes because {_some(strangers)} lie beside them"
        ]
    chosen, note = choose_split(splits, wanted, where)
    notes = [note]
    if bare:
        notes.append(f"splits without class folders, set aside: {_some(bare)}")
    if others := [name for name in strangers if name not in bare]:
        notes.append(f"folders that are no split, set aside: {_some(others)}")
    return chosen, notes


def _choose_below_classes(
    examples: list[Parts], depth: int, wanted: str | None, where: str, notes: list[str]
) -> tuple[str | None, list[Parts], list[str]]:
    """The split to score and its examples where each class folder holds splits (`cat/train/1.jpg`), else all."""
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


def _looks_like_split(name: str, below: Sequence[Parts], wanted: str | None) -> bool:
    """A folder named like a split, or the one that the user names, with folders of images inside."""
    return (role_of(name) is not None or name == wanted) and any(len(parts) > 2 for parts in below if parts[0] == name)


def _are_splits(below: Sequence[Parts], splits: Collection[str], strangers: Collection[str]) -> bool:
    """Whether folders named like splits are splits although `strangers` lie beside them.

    They are where two roles are there or two splits share a class. One alone may be a class called `train`, unless it
    holds more class folders than there are strangers, and those hold images only (`docs`, `samples`).
    """
    if len({role_of(name) for name in (*splits, *strangers)} - {None}) > 1 or _share_classes(below, splits):
        return True
    folders = {parts[:2] for parts in below if len(parts) > 2}
    return len(strangers) < len(folders) and not any(name in strangers for name, _ in folders)


def _share_classes(below: Sequence[Parts], splits: Collection[str]) -> bool:
    inside = [{parts[1] for parts in below if parts[0] == name} for name in splits]
    return len(inside) > 1 and any(one & other for i, one in enumerate(inside) for other in inside[:i])


def _set_aside(
    images: Sequence[Parts], examples: Sequence[Parts], folders: Collection[Parts], root: Parts
) -> list[str]:
    notes = []
    stray = sorted("/".join(parts) for parts in images if parts[:-1] == root[: len(parts) - 1])
    if stray:
        notes.append(f"{len(stray)} images lie outside the class folders, set aside: {_some(stray)}")
    classes = {parts[len(root)] for parts in examples}
    level = {parts[len(root)] for parts in folders if parts[: len(root)] == root and len(parts) > len(root)}
    empty = sorted(name for name in level - classes if not _is_junk(name))
    if empty and (root or not any(role_of(name) for name in empty)):
        notes.append(f"class folders without images, left out: {_some(empty)}")
    return notes


def _no_images(where: str, others: Sequence[str]) -> str:
    want = "expected one folder of images per class, as in cat/1.jpg and dog/2.jpg"
    if not others:
        return f"{where} is empty: {want}."
    tables = [name for name in others if PurePosixPath(name).suffix.casefold() in (".csv", ".tsv", ".parquet")]
    step = f"; to read a table, pass it itself, for example {tables[0]}" if tables else ""
    kinds = Counter(PurePosixPath(name).suffix or "no suffix" for name in others)
    found = ", ".join(f"{count} {suffix}" for suffix, count in kinds.most_common(4))
    return f"{where} holds {len(others)} files but no image ({found}): {want}{step}."


def _no_class_folders(where: str, images: int, others: Sequence[str]) -> str:
    tables = [name for name in others if PurePosixPath(name).suffix.casefold() in (".csv", ".tsv", ".parquet")]
    table = f" (there is {tables[0]})" if tables else ""
    return f"the {images} images of {where} lie in no class folders; {_USE_FOLDERS}{table}."


def _parts(info: zipfile.ZipInfo) -> Parts:
    name = info.filename
    if not info.flag_bits & UTF8_NAME and not name.isascii():
        # Without the flag zipfile reads a name as cp437, but many programs write UTF-8 there.
        with contextlib.suppress(UnicodeError):  # then it was cp437 after all
            name = name.encode("cp437").decode("utf-8")
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _above(parts: Parts) -> Iterator[Parts]:
    return (parts[:depth] for depth in range(1, len(parts)))


def _is_junk(part: str) -> bool:
    return part.startswith(".") or part.casefold() in JUNK


def _some(names: Sequence[str], show: int = 5) -> str:
    return ", ".join(f"`{name}`" for name in names[:show]) + (
        f" and {len(names) - show} more" if len(names) > show else ""
    )
