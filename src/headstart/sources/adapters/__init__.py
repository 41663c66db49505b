"""Adapters: ways to name a pretrained model, one file each. Importing them imports no torch."""

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from headstart.errors import ModelError, ModelNameError, about, did_you_mean, require
from headstart.records import Kind, ModelCard
from headstart.registry import Registry

if TYPE_CHECKING:
    from headstart.sources.source import Source


@dataclass(frozen=True)
class Candidate:
    """A model that can be loaded.

    `load(trust_pickle)` reads the weights. It raises ModelError where that fails, OfflineError where a network is
    missing, and refuses a checkpoint that runs code on loading unless `trust_pickle` is true. A candidate can be
    sent to a worker process if its model can be pickled.
    """

    card: ModelCard
    load: "Callable[[bool], Source]"
    files: Callable[[], tuple[Path, ...]] | None = None  # what decides its numbers, all of it; None: not known
    classes: Callable[[], tuple[str, ...]] | None = None  # names of its classes, as far as they are known unloaded
    fetch: Callable[[], None] | None = None  # downloads its files, so that loading finds them

    @property
    def name(self) -> str:
        return self.card.name


class Adapter(ABC):
    """Models whose names start with one prefix. A subclass fills in the attributes and writes `load`."""

    name: ClassVar[str]  # as in "timm"
    separator: ClassVar[str] = "/"
    placeholder: ClassVar[str] = "NAME"  # stands for the rest of a name in help texts
    about: ClassVar[str]  # one line of help
    example: ClassVar[str]  # how the user names one of its models
    library: ClassVar[str | None] = None  # the module that it needs
    extra: ClassVar[str] = "image"  # the extra of headstart that brings the library
    network: ClassVar[bool] = False  # whether loading a model may download it
    media: ClassVar[tuple[str, ...]] = ("image",)  # kinds of data that its models read
    listed: ClassVar[bool] = False  # whether `names` knows all of its models
    typed: ClassVar[bool] = True  # whether its models have names for the command line

    @property
    def prefix(self) -> str:
        """How the names start, as in "timm/"."""
        return self.name + self.separator

    @property
    def usage(self) -> str:
        """How a model is named, as in "timm/NAME"."""
        return self.prefix + self.placeholder

    @property
    def installed(self) -> bool:
        """Whether the library that it needs can be imported."""
        return self.library is None or importlib.util.find_spec(self.library) is not None

    def serves(self, model: object) -> bool:
        """Whether this adapter is the one for a name or an object."""
        return isinstance(model, str) and model.startswith(self.prefix)

    def check_installed(self) -> None:
        """Raise MissingExtra, with the `pip install` line, if the library that the adapter needs is not installed."""
        if self.library is not None and not self.installed:
            require(self.library, f"`{self.usage}`", self.extra)

    def names(self) -> Sequence[str]:
        """The full names of its models, if it is `listed`."""
        return ()

    def card(self, name: str) -> ModelCard:
        """What is known of a model without loading it."""
        return ModelCard(name=name, kind=self.media[0], local=not self.network)

    @abstractmethod
    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """Load the model of a card that `card` made; `trust_pickle` lets its checkpoint run code.

        Raises:
            ModelError: The model does not exist or cannot be loaded.
            OfflineError: It is not on this machine and there is no network.
        """

    def candidate(self, name: str) -> Candidate:
        """The candidate for one full name; nothing is loaded."""
        return self.candidate_of(self.card(name))

    def candidate_of(self, card: ModelCard) -> Candidate:
        """The candidate whose loading loads the model of a card."""
        return Candidate(
            card,
            partial(_load, self, card),
            files=partial(self.files, card),
            classes=partial(self.classes, card),
            fetch=partial(_fetch, self, card),
        )

    def files(self, card: ModelCard) -> tuple[Path, ...]:
        """All files that decide what `load` returns, apart from code; empty if that cannot be told without loading."""
        return ()

    def fetch(self, card: ModelCard) -> None:
        """Download the model's files, where its library can be asked to without loading it; here: do nothing.

        Raises:
            MissingExtra: The library is not installed.
        """
        self.check_installed()

    def folder(self, name: str) -> Path | None:
        """The folder of a model's files on this machine, if it has one of its own."""
        return None

    def classes(self, card: ModelCard) -> tuple[str, ...]:
        """Names of the model's classes, known without loading it; empty if they are not."""
        return ()

    def find(self, model: Any, kind: Kind | None) -> list[Candidate]:
        """The candidates for a name, a glob, or an object that this adapter `serves`.

        `kind` is what the target holds, if that is known.

        Raises:
            ModelNameError: There is no such model; the text suggests the nearest.
            MissingExtra: A library is missing.
        """
        self.check_installed()
        if not self.listed:
            return [self.candidate(model)]
        found = matching(model, self.names())
        if not found:
            raise ModelNameError(f"{self.name} has no model `{model}`.{did_you_mean(model, self.names())}")
        return [self.candidate(name) for name in found]


def _load(adapter: Adapter, card: ModelCard, trust_pickle: bool) -> "Source":
    import headstart.torchvision_ops  # noqa: F401  says how to install torch, and makes torchvision load beside it

    with about(card.name):
        return adapter.load(card, trust_pickle)


def _fetch(adapter: Adapter, card: ModelCard) -> None:
    with about(card.name):
        adapter.fetch(card)


def files_in(folder: Path) -> tuple[Path, ...]:
    """Every file of a folder, sorted; a folder that several links lead to is visited once.

    Raises:
        ModelError: Something in it is neither a file nor a folder: reading it may never end.
    """
    found: list[Path] = []
    seen = {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, followlinks=True):
        for name in sorted(folders):
            real = os.path.realpath(Path(place, name))
            if real in seen:
                folders.remove(name)
            seen.add(real)
        for path in (Path(place, name) for name in names):
            if path.is_file():
                found.append(path)
            elif path.exists():
                raise ModelError(
                    f"{path.relative_to(folder)} is not an ordinary file (a pipe, a device or a socket). Remove it "
                    "from the folder."
                )
    return tuple(sorted(found))


def broken(name: str, kind: Kind | None, error: ModelError) -> Candidate:
    """A model that cannot be opened: a candidate whose loading raises the reason."""
    error.model = error.model or name
    return Candidate(ModelCard(name=name, kind=kind or "image"), partial(_raise, error))


def _raise(error: ModelError, trust_pickle: bool) -> "Source":
    raise error


def is_glob(name: str) -> bool:
    """Whether the name holds a wildcard."""
    return any(character in name for character in "*?[")


def matching(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that fit a glob, in their order.

    Example:
        >>> matching("zoo/tiny_*", ["zoo/tiny_letters", "zoo/efficientnet_lite0"])
        ['zoo/tiny_letters']
    """
    return [name for name in names if fnmatchcase(name, pattern)]


ADAPTERS: Registry[Adapter] = Registry(__name__, "adapter", key=lambda one: (one.network, one.name))
_Class = TypeVar("_Class", bound=type[Adapter])


def adapter(kind: _Class) -> _Class:
    """Register an adapter (class decorator)."""
    ADAPTERS.add(kind())
    return kind
