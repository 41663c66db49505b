"""The data sets of the experiments, by name or by path, each with a training and a test part over the same classes."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.data import Target, open_target
from headstart.errors import InputError, TargetError, did_you_mean
from headstart.transfers import hold_out

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # where the package dataset-fashion-mnist puts its files
TEST_SHARE, SPLIT_SEED = 0.25, 0


@dataclass(frozen=True)
class Known:
    """A data set that the experiments call by name."""

    title: str
    brings: str  # the command or the package that brings it
    places: tuple[str, ...] = ()  # tried in order where the user gives no path
    classes: int = 10


KNOWN = {
    "fashion-mnist": Known(
        "Fashion-MNIST",
        "`apt-get install dataset-fashion-mnist` (Debian, Ubuntu), or "
        "`python -c \"import torchvision; torchvision.datasets.FashionMNIST('data', download=True)\"`",
        (str(DEBIAN_FASHION), "torchvision/FashionMNIST"),
    ),
    "cifar10": Known(
        "CIFAR-10",
        "`python -c \"import torchvision; torchvision.datasets.CIFAR10('data', download=True)\"`, or pass a Parquet "
        "file or a folder of them as `--data cifar10=PATH`",
        ("torchvision/CIFAR10",),
    ),
    "cifar100": Known(
        "CIFAR-100",
        "`python -c \"import torchvision; torchvision.datasets.CIFAR100('data', download=True)\"`",
        ("torchvision/CIFAR100",),
        100,
    ),
    "mnist": Known(
        "MNIST",
        "`python -c \"import torchvision; torchvision.datasets.MNIST('data', download=True)\"`, or pass an .npz as "
        "`--data mnist=PATH`",
        ("torchvision/MNIST",),
    ),
    "notmnist": Known("notMNIST", "an .npz with `image` and `label`, passed as `--data notmnist=PATH`"),
    "grocery-store": Known(
        "Grocery Store",
        "`git clone https://github.com/marcusklasson/GroceryStoreDataset`; pass a folder or zip of class folders as "
        "`--data grocery-store=PATH`",
        classes=81,
    ),
    "trashnet": Known(
        "TrashNet",
        "`git clone https://github.com/garythung/trashnet`; pass its folder or zip as `--data trashnet=PATH`",
        classes=6,
    ),
    "sign-digits": Known(
        "Sign Language Digits",
        "`git clone https://github.com/ardamavi/Sign-Language-Digits-Dataset`; pass its folder or zip as "
        "`--data sign-digits=PATH`",
    ),
}


@dataclass(frozen=True, eq=False)
class DataSet:
    """A training and a test part over the same classes, and what they really are."""

    name: str  # as it was asked for
    title: str  # for a table
    train: Target
    test: Target
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    def limited(self, *, train_each: int | None = None, test_each: int | None = None, seed: int = 0) -> "DataSet":
        """At most so many examples of a class in each part, for runs that are scaled down; the choice is seeded."""
        return replace(
            self, train=_at_most(self.train, train_each, seed), test=_at_most(self.test, test_each, seed + 1)
        )


def parse_places(specs: Sequence[str]) -> dict[str, str]:
    """`--data` options to places by name: `NAME=PATH`, or a bare path, whose name is that of the file or folder.

    Example:
        >>> parse_places(["cifar10=photos.parquet", "some/trashnet.zip"])
        {'cifar10': 'photos.parquet', 'trashnet': 'some/trashnet.zip'}
    """
    places: dict[str, str] = {}
    for spec in specs:
        name, equals, place = spec.partition("=")
        if not equals or os.path.exists(spec):
            name, place = Path(spec).stem, spec
        if name in places:
            raise InputError(f"`--data` names `{name}` twice: {places[name]} and {place}.")
        places[name] = place
    return places


def open_data_set(
    name: str | os.PathLike[str], *, places: Mapping[str, str] | None = None, root: str = "data"
) -> DataSet:
    """Open a data set by its name, or any labelled data by path.

    Data that come without a test part get one: a stratified quarter, always the same.

    Args:
        name: One of `KNOWN`, a name out of `places`, or whatever `headstart.data.open_target` reads.
        places: Where data sets lie, by name; what a user says goes before what is looked for.
        root: Where torchvision keeps its data sets.

    Raises:
        TargetError: It is not on this machine; the text names the command or the package that brings it.
    """
    name = os.fspath(name)
    places = places or {}
    if name in places:
        return _open(name, places[name], root)
    known = KNOWN.get(name)
    if known is None:
        if not os.path.exists(name) and "/" not in name:
            raise TargetError(
                f"no data set is called `{name}`.{did_you_mean(name, [*KNOWN, *places])} Known: {', '.join(KNOWN)}; or "
                "pass a path, or `--data NAME=PATH`."
            )
        return _open(name, name, root)
    looked = []
    for place in known.places:
        if place.startswith("torchvision/"):
            try:
                return _open(name, place, root)
            except TargetError as error:
                reason = str(error).partition(";")[0].rstrip(".")  # what follows is said below, in this command's words
                looked.append(f"{reason} (`--root DIR`)")
        elif os.path.exists(place):
            return _open(name, place, root)
        else:
            looked.append(f"{place} does not exist")
    place = f"`--data {name}=PATH`"
    elsewhere = "" if place in known.brings else f" If it lies elsewhere, pass {place}."
    raise TargetError(
        f"{known.title} is not on this machine{': ' if looked else ''}{'; '.join(looked)}. It is brought by "
        f"{known.brings}.{elsewhere}"
    )


def _open(name: str, place: str, root: str) -> DataSet:
    train = open_target(place, root=root)
    if train.task != "classification":
        raise TargetError(f"{place} is a {train.task} data set; the experiments need classes.")
    test = None if train.split is None else open_target(place, root=root, split="test")
    notes: tuple[str, ...] = ()
    if test is None:
        train, test = hold_out(train, TEST_SHARE, SPLIT_SEED)
        if test is None:
            raise TargetError(f"{place} has too few examples to hold out a test part.")
        notes = (f"{len(test)} examples held out as test part, stratified: the data come without one",)
    train, test, aligned = _same_classes(train, test)
    known = KNOWN.get(name)
    if known is not None and len(train.classes) != known.classes:
        raise TargetError(
            f"{known.title} has {known.classes} classes, and {place} holds {len(train.classes)}. To use other data "
            f"in its place, say so with `--stand-in {name}=NAME`."
        )
    title = known.title if known is not None else Path(place).stem
    return DataSet(name, title, train, test, (*notes, *aligned))


def _same_classes(train: Target, test: Target) -> tuple[Target, Target, tuple[str, ...]]:
    """The test part's codes into the training part's; examples of classes that one lacks are left out, and said."""
    if train.classes == test.classes:
        return train, test, ()
    codes = {label: code for code, label in enumerate(train.classes)}
    new = np.array([codes.get(test.classes[code], -1) for code in test.labels], dtype=np.int64)
    kept = np.flatnonzero(new >= 0)
    dropped = len(new) - len(kept)
    notes = (f"{dropped} test examples left out: the training part has none of their classes",) if dropped else ()
    return train, replace(test.subset(kept), labels=new[kept], classes=train.classes), notes


def _at_most(target: Target, each: int | None, seed: int) -> Target:
    if each is None:
        return target
    order = np.random.default_rng(seed).permutation(len(target))
    labels = target.labels[order]
    rank = np.empty(len(order), dtype=np.int64)  # how many of its class come before it
    for code in np.unique(labels):
        places = np.flatnonzero(labels == code)
        rank[places] = np.arange(len(places))
    return target.subset(np.sort(order[rank < each]))
