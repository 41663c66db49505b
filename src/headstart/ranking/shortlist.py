"""A shortlist: which of many models to rank, by what is known of them before any forward pass."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.remembered import total_memory
from headstart.data.target import Target
from headstart.errors import HeadstartError, InputError, check_whole
from headstart.ranking.cost import gigabytes_of, processors, seconds_of_pass
from headstart.ranking.methods import FIRST
from headstart.records import LeftOut, ModelCard
from headstart.wording import listing

if TYPE_CHECKING:
    from headstart.sources import Candidate
    from headstart.sources.lookup import Model

Names = str | Sequence[str] | None
FOR_FAMILIES = 0.6  # share of the places of a shortlist for the first race; the rest is for the winner's family
AUTOMATIC = 24  # places, where nothing was named
COPIES = 3  # of the weights in memory while a model loads and runs
UNKNOWN = 0.25  # quantile of the published accuracies that a model without one is given
WORDS = re.compile(r"[^\W\d_]{3,}")
EVENLY = 500  # names of a long list of classes that are compared beside those that share a word with the target's


@dataclass(frozen=True)
class Wishes:
    """What a user says of the pool: how many, and which not.

    Raises:
        InputError: `shortlist` is not a whole number of at least 2.
    """

    shortlist: int | None = None
    exclude: Names = None
    licence: Names = None

    def __post_init__(self) -> None:
        check_whole(2, shortlist=self.shortlist)

    @property
    def any(self) -> bool:
        """Whether anything was said."""
        return (self.shortlist, self.exclude, self.licence) != (None, None, None)


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The models to rank first, and those that may follow."""

    first: "tuple[Candidate, ...]"
    waiting: "tuple[Candidate, ...]"  # by merit
    refused: tuple[LeftOut, ...]
    most: int

    def relatives(self, order: Sequence[str]) -> "list[Candidate]":
        """Who follows the first race: the families of its sources, best first, while there are places."""
        families = {one.name: family_of(one.card) for one in self.first}
        ranks = {families.get(name, name): -place for place, name in enumerate(reversed(order))}
        near = [one for one in self.waiting if family_of(one.card) in ranks]
        return sorted(near, key=lambda one: ranks[family_of(one.card)])[: self.most - len(self.first)]

    def left_out(self, later: "Sequence[Candidate]" = ()) -> tuple[LeftOut, ...]:
        """Who was not ranked, and why."""
        taken = {one.name for one in later}
        rest = [one for one in self.waiting if one.name not in taken]
        shown = {family_of(one.card) for one in self.first}
        ours = tuple(one.name for one in rest if family_of(one.card) in shown)
        others = tuple(one.name for one in rest if family_of(one.card) not in shown)
        of = f"the shortlist of {self.most}"
        found = (
            LeftOut(f"others of their families had more merit, and {of} was full", ours),
            LeftOut(f"families with more merit filled {of}", others),
        )
        return (*self.refused, *(one for one in found if one.sources))


def shortlist_of(
    models: "Model | Sequence[Model] | None", target: Target, wishes: Wishes, seconds: float = math.inf
) -> Shortlist:
    """The models that `models` names, or "auto" where it is None, cut as `shortlisted` does.

    Raises:
        ModelNameError: A name does not exist.
        InputError: Nothing is left.
    """
    from headstart.sources import candidates
    from headstart.sources.pool import AUTO

    found = candidates(AUTO if models is None else models, kind=target.kind)
    automatic = models is None or (isinstance(models, str) and models == AUTO)
    return shortlisted(found, target, wishes, automatic=automatic, seconds=seconds)


def shortlisted(
    found: "Sequence[Candidate]", target: Target, wishes: Wishes, *, automatic: bool, seconds: float = math.inf
) -> Shortlist:
    """Cut a pool by what is known of its models; nothing is loaded.

    First go those that a pattern, a licence, the memory or the time exclude. Then every family sends its model of most
    merit, in order of merit, then its second, preferring training data that the family has not shown yet. Merit is the
    published ImageNet accuracy plus how near the names of the source's classes are to the target's.

    Args:
        found: The pool.
        target: What is ranked on.
        wishes: The user's.
        automatic: The user named no model, so that the pool is cut in any case.
        seconds: What there is for everything; of no account where every model was named.

    Raises:
        InputError: Nothing is left.
    """
    cut = automatic or bool(wishes.shortlist)  # models that were asked for by name are begun however long they take
    kept, refused = _allowed(found, len(target), wishes, seconds if cut else math.inf)
    if not kept:
        reasons = "; ".join(f"{listing(one.sources)}: {one.why}" for one in refused)
        raise InputError(f"`exclude`, `licence` and the limits of this machine leave no model. {reasons}.")
    most = wishes.shortlist or (AUTOMATIC if automatic else len(kept))
    if len(kept) <= most:
        return Shortlist(tuple(kept), (), refused, most)
    order = by_family(kept, merit([one.card for one in kept], nearness(target.classes, kept)))
    places = max(2, round(FOR_FAMILIES * most))
    first = {one.name for one in order[:places]}
    return Shortlist(tuple(one for one in kept if one.name in first), tuple(order[places:]), refused, most)


def _allowed(
    found: "Sequence[Candidate]", examples: int, wishes: Wishes, seconds: float
) -> "tuple[list[Candidate], tuple[LeftOut, ...]]":
    licences = [name.casefold() for name in _listed(wishes.licence)]
    room, least = total_memory() / 1e9 / COPIES, min(examples, FIRST) / processors()
    tests: list[tuple[str, Callable[[ModelCard], bool]]] = [
        *(
            (f"excluded by `{glob}`", lambda card, glob=glob: fnmatchcase(card.name, glob))
            for glob in _listed(wishes.exclude)
        ),
        (
            f"their licence is not known to be {listing(licences)}",
            lambda card: bool(licences) and _licence(card) not in licences,
        ),
        (f"they need more than {room:.0f} GB of memory", lambda card: gigabytes_of(card) > room),
        ("their first round would outlast the time budget", lambda card: least * seconds_of_pass(card) > seconds),
    ]
    out: dict[str, list[str]] = {}
    kept = []
    for one in found:
        why = next((why for why, holds in tests if holds(one.card)), None)
        kept += [one] if why is None else []
        if why is not None:
            out.setdefault(why, []).append(one.name)
    return kept, tuple(LeftOut(why, tuple(names)) for why, names in out.items())


def _listed(names: Names) -> list[str]:
    parts = [names] if isinstance(names, str) else names or ()
    return [name.strip() for part in parts for name in part.split(",") if name.strip()]


def _licence(card: ModelCard) -> str:
    """The licence of the weights: what a longer text starts with."""
    return (card.license or "").casefold().partition(" ")[0].rstrip(",;")


def family_of(card: ModelCard) -> str:
    """The model's family of architectures; one that names none is its own."""
    return card.family or card.name


def merit(cards: Sequence[ModelCard], near: dict[str, float]) -> dict[str, float]:
    """What speaks for each model before any pass: published accuracy plus nearness of its classes.

    Example:
        >>> cards = [ModelCard("a", "image", imagenet_top1=0.7), ModelCard("b", "image", imagenet_top1=0.8)]
        >>> merit(cards, {"a": 0.3, "b": 0.1})
        {'a': 1.0, 'b': 0.9}
    """
    known = [card.imagenet_top1 for card in cards if card.imagenet_top1 is not None]
    usual = float(np.quantile(known, UNKNOWN)) if known else 0.0
    nearby = float(np.median(list(near.values()))) if near else 0.0
    return {
        card.name: (usual if card.imagenet_top1 is None else card.imagenet_top1) + near.get(card.name, nearby)
        for card in cards
    }


def by_family(found: "Sequence[Candidate]", merits: dict[str, float]) -> "list[Candidate]":
    """All models: the best of each family by merit, then the second of each, and so on."""
    families: dict[str, list[Candidate]] = {}
    for one in sorted(found, key=lambda one: -merits[one.name]):
        families.setdefault(family_of(one.card), []).append(one)
    turns: dict[str, int] = {}
    for members in families.values():
        counts: dict[str | None, int] = {}
        repeats = {}
        for one in members:
            repeats[one.name] = counts[one.card.trained_on] = counts.get(one.card.trained_on, -1) + 1
        for turn, one in enumerate(sorted(members, key=lambda one: repeats[one.name])):
            turns[one.name] = turn
    return sorted(found, key=lambda one: (turns[one.name], -merits[one.name]))


def nearness(classes: Sequence[str], found: "Iterable[Candidate]") -> dict[str, float]:
    """How near each model's classes are to the target's by their names, where there are names and an encoder here.

    The mean over the target's classes of the cosine with the nearest source class; where the names hold no words, as
    those of digits and letters, the share of them that the source has too.
    """
    lists = {one.name: one.classes() for one in found if one.classes is not None}
    distinct = list(dict.fromkeys(names for names in lists.values() if names))
    words = {word.casefold() for name in classes for word in WORDS.findall(name)}
    if len(distinct) < 2:
        return {}
    from headstart.sources import candidates
    from headstart.sources.names import TEXT, clean, rank_by_names

    if not words:
        wanted = {clean(name) for name in classes}
        return {
            name: len(wanted & {clean(one) for one in names}) / max(1, len(wanted)) for name, names in lists.items()
        }

    with suppress(HeadstartError):  # the library of the encoder is not installed
        if candidates(TEXT)[0].card.local:
            short = [_worth(names, words) for names in distinct]
            cards = [ModelCard(str(place), "image") for place in range(len(short))]
            values = {one.source: one.value for one in rank_by_names(classes, list(zip(cards, short, strict=True)))}
            return {name: values[str(distinct.index(names))] for name, names in lists.items() if names}
    return {}


def _worth(names: Sequence[str], words: set[str]) -> list[str]:
    """Of a long list, the names that share a word with the target's, and others at even distances."""
    step = max(1, len(names) // EVENLY)
    return [
        name
        for place, name in enumerate(names)
        if place % step == 0 or words & {word.casefold() for word in WORDS.findall(name)}
    ]
