"""What is known of a source, kept beside its cached rows: with all rows cached, no network is loaded.

See `known.py` for what it is kept by.
"""

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from headstart.errors import ModelError, WriteError
from headstart.records.files import remember, remembered
from headstart.sources.adapters import Candidate
from headstart.sources.known import Facts, place_of_facts
from headstart.sources.source import Source


class Recalled(Source):
    """A source whose network is loaded when it is first needed."""

    def __init__(self, facts: Facts, candidate: Candidate, trust_pickle: bool) -> None:
        known: dict[str, Any] = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
        vars(self).update(known, code="", facts=facts, candidate=candidate, trust_pickle=trust_pickle)

    @cached_property
    def loaded(self) -> Source:
        """The source itself; ModelError if it has changed, so that its rows are not mixed with those in the cache."""
        source: Source = vars(self)["candidate"].load(vars(self)["trust_pickle"])
        if source.cache_key != self.fingerprint:
            raise ModelError.of(self.name, "it has changed since its rows were cached. Run again with `--no-cache`.")
        return source

    def check_unchanged(self) -> None:
        """Check the weights, if they were loaded."""
        if "loaded" in vars(self):
            self.loaded.check_unchanged()


def _of_the_loaded(name: str) -> property:
    return property(lambda self: getattr(self.loaded, name))


for _name in ("module", "network", "prepare", "collate", "head", "channels_last", "snapshot"):
    setattr(Recalled, _name, _of_the_loaded(_name))


def load_or_recall(candidate: Candidate, trust_pickle: bool, cache: Path | None) -> Source:
    """The candidate's source; one that `cache` knows is not loaded before its network is needed."""
    place = None if cache is None else place_of_facts(candidate, trust_pickle, cache)
    if cache is None or place is None:
        return candidate.load(trust_pickle)
    if facts := remembered(place, place.stem, Facts):
        return Recalled(facts, candidate, trust_pickle)
    source = candidate.load(trust_pickle)
    if not source.code and place == place_of_facts(candidate, trust_pickle, cache):
        facts = Facts(source.card, source.layer, source.fingerprint, source.classes, source.notes)
        with suppress(WriteError):  # a cache that cannot be written to only costs time
            remember(place, place.stem, facts)
    return source
