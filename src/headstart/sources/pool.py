"""`auto`: models without naming any, from what is on this machine and what a hub lists."""

from collections.abc import Sequence
from contextlib import suppress

from headstart.errors import HeadstartError, ModelNameError
from headstart.records import Kind, ModelCard
from headstart.sources import facts
from headstart.sources.adapters import ADAPTERS, Candidate

AUTO = "auto"


def pool(kind: Kind) -> list[Candidate]:
    """The zoo, every model in the hub's cache and, where the hub answers, those that are worth a download.

    Raises:
        ModelNameError: There is none for this kind of data.
    """
    from headstart.sources import hub

    online = hub.reachable()
    listed = [one for one in ADAPTERS.values() if one.listed and one.network and one.installed and kind in one.media]
    if not (online or hub.cached_repositories() or hub.cached_urls()):
        listed = []  # none of their models is here
    known = [(adapter, card) for adapter in listed for card in map(adapter.card, adapter.names())]
    found = [*_zoo(kind), *_cached(kind), *(adapter.candidate_of(card) for adapter, card in known if card.local)]
    if online:
        worth = {card.name for card in front([card for _, card in known if not card.local])}
        found += [adapter.candidate_of(card) for adapter, card in known if card.name in worth]
        for name in facts.table()["auto"].get(kind, ()):
            with suppress(HeadstartError):
                found += next(one for one in ADAPTERS.values() if one.serves(name)).find(name, kind)
    if not found:
        raise ModelNameError(
            f"`auto` found no model for {kind} data: none is on this machine, and the hub does not answer. Connect, "
            "install an extra (`headstart models` lists them), or name models."
        )
    return list({one.name: one for one in found}.values())


def front(cards: Sequence[ModelCard]) -> list[ModelCard]:
    """The cards that no other of the same training data beats in accuracy, parameters and products at once.

    A card that lacks one of these facts is left out.

    Example:
        >>> cards = [ModelCard(n, "image", parameters=p, products=1e9, imagenet_top1=a)
        ...     for n, p, a in (("small", 5, 0.70), ("large", 50, 0.80), ("worse", 60, 0.79))]
        >>> [card.name for card in front(cards)]
        ['small', 'large']
    """
    known = [(card, facts_) for card in cards if (facts_ := _facts(card))]
    return [
        card
        for card, own in known
        if not any(
            other.trained_on == card.trained_on
            and theirs != own
            and all(t >= o for t, o in zip(theirs, own, strict=True))
            for other, theirs in known
        )
    ]


def _facts(card: ModelCard) -> tuple[float, float, float] | None:
    """Accuracy, and how small and fast; more is better."""
    if card.imagenet_top1 is None or card.parameters is None or card.products is None:
        return None
    return card.imagenet_top1, -card.parameters, -card.products


def _zoo(kind: Kind) -> list[Candidate]:
    with suppress(HeadstartError):  # not installed
        return [one for one in ADAPTERS["zoo"].find("zoo", kind) if one.card.reads(kind)]
    return []


def _cached(kind: Kind) -> list[Candidate]:
    """Models of transformers and sentence-transformers whose weights are in the hub's cache."""
    from headstart.sources import hub

    found = []
    for repo in hub.cached_repositories():
        if not hub.cached_file(repo, hub.WEIGHTS):
            continue
        adapter = ADAPTERS["st" if hub.cached_file(repo, ("modules.json",)) else "hf"]
        if adapter.installed and kind in adapter.media:
            with suppress(HeadstartError, OSError, ValueError):  # not a model that headstart can read
                found += [one for one in adapter.find(adapter.prefix + repo, kind) if one.card.local]
    return [one for one in found if one.card.reads(kind)]
