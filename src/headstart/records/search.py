"""How sources were searched: what it cost, and why it ended."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["all", "race", "halving"]
Ending = Literal["whole", "one left", "margin", "budget", "time"]


@dataclass(frozen=True)
class Round:
    """One round: every source still in it was scored on the same examples."""

    examples: int
    sources: int  # that were scored
    dropped: tuple[str, ...] = ()  # after it


@dataclass(frozen=True)
class Search:
    """A search over sources, round by round.

    `passes` counts examples that sources went through, each once, whether the network ran or the cache had them.
    """

    method: Method
    whole: int  # examples there are
    passes: int
    full: int  # what all sources on all examples would take
    rounds: tuple[Round, ...]  # those that were finished
    ended: Ending  # "whole": on all examples; "margin": those left differ too little; "budget": of a halving
    error: float | None = None  # a race: probability of losing the best source, over all rounds and comparisons
    margin: float | None = None  # a race: a difference that is not worth more passes
    time_budget: float | None = None  # seconds
    seconds: float | None = None  # that the search took
    unreached: tuple[str, ...] = ()  # sources that the time did not suffice for

    @property
    def share(self) -> float:
        """Share of the forward passes of a full search that were spent."""
        return self.passes / self.full if self.full else 0.0

    @property
    def partial(self) -> bool:
        """Whether any source was spared any example."""
        return self.method != "all" or self.ended == "time" or bool(self.unreached)
