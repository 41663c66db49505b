"""Shell completion of the names of models, scores and methods."""

from collections.abc import Iterable

from headstart.errors import HeadstartError


def complete_models(incomplete: str) -> list[str]:
    """Names of models that begin like this; timm's 1,800 names only after `timm/`."""
    from headstart.sources import ADAPTERS, list_models

    if "/" not in incomplete:
        return [
            name
            for name in ("zoo", *(one.prefix for one in ADAPTERS.values() if one.typed))
            if name.startswith(incomplete)
        ]
    if not any(incomplete.startswith(one.prefix) for one in ADAPTERS.values() if one.listed):
        return []
    try:
        return [card.name for card in list_models(f"{incomplete}*")]
    except HeadstartError:  # no model is called so, or the library of the models is not installed
        return []


def complete_scores(incomplete: str) -> list[str]:
    """Names of scores, also after a comma."""
    from headstart.scores import SCORES

    return _after_comma(incomplete, SCORES)


def complete_methods(incomplete: str) -> list[str]:
    """Names of methods, also after a comma."""
    from headstart.transfers import METHODS

    return _after_comma(incomplete, ["auto", *METHODS])


def _after_comma(incomplete: str, names: Iterable[str]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in names if name.startswith(last)]
