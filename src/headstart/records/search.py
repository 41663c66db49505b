"""How sources were searched, and what a search that spared passes says: its certainty, its cost, who left when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headstart.wording import NOUNS, duration, listing, plural, spelled

if TYPE_CHECKING:
    from headstart.records.ranking import Ranking

UNREACHED = "not reached: the time was up"
TITLES = {"all": "Growing parts", "race": "Race", "halving": "Successive halving"}
LEVEL = 0.95  # of rank intervals
Method = Literal["all", "race", "halving"]
Ending = Literal["whole", "one left", "margin", "budget", "time"]


@dataclass(frozen=True)
class Round:
    """One round: every source still in it was scored on the same examples."""

    examples: int
    sources: int  # that were scored
    dropped: tuple[str, ...] = ()  # after it


@dataclass(frozen=True)
class LeftOut:
    """Models that were named, but not ranked, for one reason that is known without running them."""

    why: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class FineTuned:
    """One training of a race by fine-tuning: how far it came, and what it reached on the examples set aside."""

    source: str
    ratio: float  # how many times more slowly the body trained than the head
    epochs: int  # after which it stopped
    quality: float  # the best so far: accuracy, R2, ...
    loss: float  # at that epoch
    judged: int  # examples set aside
    seconds: float

    @property
    def standing(self) -> tuple[int, float, float]:
        """What orders trainings: those that went on longer first, then the better ones."""
        return self.epochs, self.quality, -self.loss


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


def sureness(ranking: "Ranking", search: Search) -> str | None:
    """Which source is the best, how surely, and which others may be."""
    rows = [row for row in ranking.rows if row.rank is not None]
    if not rows:
        return None
    best, rivals = rows[0].source, [row.source for row in rows[1:] if row.rank_low == 1]
    among = " of those reached" if search.unreached else ""
    prize = f"the best{among}"
    if len(rows) == 1:
        return f"{best} is {prize}: no other model was ranked."
    level = f"{100 * (LEVEL if search.error is None else 1 - search.error):g} %"
    seen = plural(rows[0].examples or search.whole, NOUNS[ranking.target.kind])
    if not rivals:
        return f"{best} is {prize} by {ranking.sort} at {level}, on {seen}."
    apart = f"{listing(rivals)} cannot be told apart from it on the {NOUNS[ranking.target.kind]}s that both saw."
    if search.ended == "margin":
        return f"{best} is {prize} by {ranking.sort} at {level}, or within {search.margin:g} of it; {apart}"
    return f"{best} comes first{among}, but at {level} {apart}"


def cost(search: Search, noun: str) -> str:
    """What the search cost, and why it ended.

    >>> from headstart.records import Round, Search
    >>> cost(Search("race", 2000, 5600, 40000, (Round(80, 20), Round(160, 9)), "one left", error=0.05), "image")
    'Race over 80 to 160 of 2,000 images: 14 % of the forward passes of a full search. It ended with one source left.'
    """
    text = (
        f"{TITLES[search.method]} over {_span(search, noun)}: {_percent(search)} of the forward passes of a full search"
    )
    if search.time_budget is not None and search.seconds is not None:
        text += f", in {duration(search.seconds)} of {duration(search.time_budget)} allowed"
    return f"{text}. It ended {_ending(search)}."


def _span(search: Search, noun: str) -> str:
    sizes = sorted({round_.examples for round_ in search.rounds})
    whole = plural(search.whole, noun)
    if not sizes:
        return f"none of {whole}"
    if sizes == [search.whole]:
        return f"all {whole}"
    return f"{sizes[0]:,} of {whole}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} of {whole}"


def _percent(search: Search) -> str:
    return f"{100 * search.share:.0f} %" if search.share >= 0.01 or not search.passes else "less than 1 %"


def _ending(search: Search) -> str:
    return {
        "whole": "on all examples",
        "one left": "with one source left",
        "margin": f"when no other source could be more than {search.margin or 0:g} better",
        "budget": "when its budget was spent",
        "time": "because the time was up",
    }[search.ended]


def departures(search: Search, noun: str) -> list[str]:
    """Who left after which round, in one sentence.

    >>> from headstart.records import Round, Search
    >>> departures(Search("race", 200, 0, 0, (Round(80, 3, ("a",)), Round(160, 2, ("b",))), "one left"), "image")
    ['Dropped after 80 images: a; after 160: b.']
    """
    left = [(round_.examples, round_.dropped) for round_ in search.rounds if round_.dropped]
    parts = [
        f"after {plural(examples, noun) if place == 0 else format(examples, ',')}: {listing(names, most=6)}"
        for place, (examples, names) in enumerate(left)
    ]
    return [f"Dropped {'; '.join(parts)}."] if parts else []


def spared(left: Sequence[LeftOut]) -> list[str]:
    """What a shortlist spared, in a sentence a reason."""
    return [
        f"Left out without a pass: {plural(len(one.sources), 'model')} ({listing(one.sources)}): {one.why}."
        for one in left
    ]


def unreached(search: Search) -> list[str]:
    """The sources that the time did not suffice for, in a sentence."""
    if not search.unreached:
        return []
    names = search.unreached
    was = "was" if len(names) == 1 else "were"
    count = spelled(len(names)).capitalize()
    return [
        f"{count} {'source' if len(names) == 1 else 'sources'} {was} not reached in time: {listing(names, most=6)}."
    ]
