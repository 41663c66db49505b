"""Registries that fill themselves: a module in a package registers an entry, and no list names it."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar

from headstart.errors import InputError, did_you_mean


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name. The modules of the package are imported, and register them, on first use.

    Args:
        package: Dotted name of the package whose modules hold the entries.
        noun: What an entry is called in errors: "task", "score".
        key: Order of the entries, as for `sorted`; by name if None.

    Example:
        >>> from headstart.data.media import MEDIA
        >>> list(MEDIA), MEDIA["image"].name
        (['arrays', 'image', 'text'], 'image')
    """

    def __init__(self, package: str, noun: str, *, key: Callable[[Entry], Any] | None = None) -> None:
        self._package, self._noun, self._key = package, noun, key
        self._entries: dict[str, Entry] = {}
        self._scanned, self._lock = False, RLock()

    def add(self, entry: Entry) -> Entry:
        """Register an entry and return it.

        Raises:
            ValueError: Another entry has its name.
        """
        if self._entries.setdefault(entry.name, entry) is not entry:
            raise ValueError(f"two entries register the {self._noun} {entry.name!r}; rename one of them.")
        return entry

    def find(self, name: object, error: type[InputError] = InputError) -> Entry:
        """The entry called `name`.

        Raises:
            InputError: No entry has that name; the text suggests the nearest. `error` is a subclass to raise.
        """
        if isinstance(name, str) and name in self:
            return self[name]
        near = did_you_mean(str(name), self)
        raise error(f"unknown {self._noun} {name!r}.{near} Available: {', '.join(self)}.")

    def __getitem__(self, name: str) -> Entry:
        return self._filled()[name]

    def __iter__(self) -> Iterator[str]:
        entries = self._filled()
        key = self._key
        return iter(sorted(entries, key=None if key is None else lambda name: key(entries[name])))

    def __len__(self) -> int:
        return len(self._filled())

    def _filled(self) -> dict[str, Entry]:
        with self._lock:
            if not self._scanned:
                self._scanned = True  # first, because the modules may look here themselves
                for module in iter_modules(import_module(self._package).__path__):
                    if not module.name.startswith("_"):
                        import_module(f"{self._package}.{module.name}")
        return self._entries
