"""What a long search reports while it runs; who shows it, and how, is the caller's affair."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["start", "round", "load", "forward", "score", "done", "failed"]


@dataclass(frozen=True)
class Event:
    """Where the search stands.

    "start" comes once, before the first source. A search in rounds gives "round" before each, with its number as
    `index` and its examples as `total`. Each source then gives "load", "forward" as batches come in, "score", and at
    its end "done" or "failed".
    """

    stage: Stage
    source: str = ""
    index: int = 0  # of the source, or of the round, from 0
    sources: int = 0
    done: int = 0  # examples of this source that are through
    total: int = 0
    reason: str = ""  # of a failure


Progress = Callable[[Event], None]
"""Called from the thread that called `rank`."""


def silent(event: Event) -> None:
    """Show nothing."""
