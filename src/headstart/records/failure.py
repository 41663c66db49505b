"""Sources and runs that failed, and how their reasons are shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from headstart.errors import HeadstartError
from headstart.records.table import Prose
from headstart.wording import listing, one_line, plural


@dataclass(frozen=True)
class Failure:
    """A source that could not be scored; the others are unharmed."""

    source: str
    reason: str  # without the source's name, so that alike failures are told together

    @classmethod
    def of(cls, source: str, error: BaseException) -> Self:
        """What an error says of a source."""
        text = error.reason if isinstance(error, HeadstartError) else str(error)
        return cls(source, one_line(text) or type(error).__name__)


def told(failures: Iterable[Failure], noun: str = "model") -> list[str]:
    """Each reason once, with the sources that it ended.

    >>> told([Failure("a", "no network"), Failure("b", "too large"), Failure("c", "no network")])
    ['2 models failed (a and c): no network', 'b failed: too large']
    """
    by_reason: dict[str, list[str]] = {}
    for one in failures:
        by_reason.setdefault(one.reason, []).append(one.source)
    return [
        f"{sources[0]} failed: {reason}"
        if len(sources) == 1
        else f"{plural(len(sources), noun)} failed ({listing(sources)}): {reason}"
        for reason, sources in by_reason.items()
    ]


def in_prose(failures: Iterable[Failure], noun: str = "model") -> list[Prose]:
    """The same as the last part of a view; nothing without failures."""
    sentences = tuple(told(failures, noun))
    return [Prose(sentences, "failure")] if sentences else []
