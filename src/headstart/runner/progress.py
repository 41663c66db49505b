"""What a long call reports while it runs: one kind of event, and a plain display of it."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO, TypeVar

from headstart.errors import InputError

_Item = TypeVar("_Item")
SECONDS = 0.1  # between two redraws


@dataclass(frozen=True)
class Event:
    """A counter of a long call has moved; it is finished when `done` reaches `total`, and may start again."""

    what: str  # the counter: "models", "training", the name of a model
    done: int
    total: int
    message: str = ""  # a line worth keeping in a log; most events have none


class Stopped(Exception):  # noqa: N818  (not an error: the call keeps what it has)
    """Raised by a progress function to end the call that reports to it."""


Progress = Callable[[Event], None]
"""Called with each event, from the thread of the long call; an exception that it raises ends that call."""


def silent(event: Event) -> None:
    """Show nothing."""


def listener(progress: Progress | bool | None) -> Progress:
    """The function to call with each event, for this value of a long call's option `progress`.

    Args:
        progress: A function is called with every event. None shows one line on standard error if that is a terminal or
            a notebook; True always shows it; False shows nothing.

    Raises:
        InputError: `progress` is something else.
    """
    if callable(progress):
        return progress
    if progress is not None and not isinstance(progress, bool):
        raise InputError(f"`progress` must be True, False or a function of an event; got {progress!r}.")
    shown = progress or (progress is None and _seen_by_a_person(sys.stderr))
    return _Line(sys.stderr) if shown else silent


def counted(items: Sequence[_Item], what: str, tell: Progress) -> Iterator[_Item]:
    """The items, one by one, with an event for each that is done.

    >>> [item for item in counted("ab", "letters", lambda event: print(event.done, event.total))]
    0 2
    1 2
    2 2
    ['a', 'b']
    """
    tell(Event(what, 0, len(items)))
    for done, item in enumerate(items, start=1):
        yield item
        tell(Event(what, done, len(items)))


def _seen_by_a_person(stream: TextIO | None) -> bool:
    notebook = sys.modules.get("ipykernel.iostream")
    return stream is not None and (stream.isatty() or (notebook is not None and isinstance(stream, notebook.OutStream)))


class _Line:
    """One line with every unfinished counter, redrawn in place and cleared at the end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.open: dict[str, str] = {}
        self.width = 0  # characters of the line as it stands
        self.drawn = 0.0

    def __call__(self, event: Event) -> None:
        if event.done < event.total:
            self.open[event.what] = f"{event.what} {event.done:,}/{event.total:,}"
        else:
            self.open.pop(event.what, None)
        if not self.open:
            self._draw("")
        elif time.monotonic() - self.drawn >= SECONDS:
            self._draw(", ".join(self.open.values())[: shutil.get_terminal_size().columns - 1])

    def _draw(self, text: str) -> None:
        blank = " " * (self.width - len(text))
        self.stream.write(f"\r{text}{blank}" if text else f"\r{blank}\r")
        self.stream.flush()
        self.width, self.drawn = len(text), time.monotonic()
