"""From the names a user types to candidates; no weights are loaded here."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from headstart.errors import InputError, MissingExtra, ModelError, ModelNameError, did_you_mean
from headstart.records import Kind, ModelCard
from headstart.sources.adapters import ADAPTERS, Adapter, Candidate, broken, is_glob, matching
from headstart.sources.pool import AUTO, pool

if TYPE_CHECKING:
    from torch import nn

    from headstart.sources.source import Source

    Model = str | nn.Module | Source | Candidate


def candidates(models: "Model | Sequence[Model]", *, kind: Kind | None = None) -> list[Candidate]:
    """The candidates that `models` names, in order, each once.

    Args:
        models: Names (`headstart models` lists their kinds), globs, modules, sources or candidates; "auto" stands for
            those on this machine and, with a network, the best of timm for their size.
        kind: What the target holds. `zoo` and globs give only models that read it; another model that was named
            fails on loading, with the reason.

    Raises:
        ModelNameError: A name does not exist; the text suggests the nearest.
        MissingExtra: A name needs a package that is not installed.

    Example:
        >>> [candidate.name for candidate in candidates("zoo/efficientnet_lite0")]
        ['zoo/efficientnet_lite0']
    """
    asked = list(models) if isinstance(models, list | tuple | set | frozenset) else [models]
    if not asked:
        raise InputError("`models` is empty. Name at least one model, for example `zoo`.")
    found: dict[str, Candidate] = {}
    for model in asked:
        for candidate in _fitting(model, kind):
            if isinstance(model, str):
                found.setdefault(candidate.name, candidate)
            else:
                name = _free_name(candidate.name, found)
                found[name] = candidate if name == candidate.name else _renamed(candidate, name)
    return list(found.values())


def list_models(pattern: str = "*") -> list[ModelCard]:
    """Cards of the models whose names are known (the zoo, timm, torchvision) and fit a glob.

    A card's `local` tells whether the model can be loaded without a network.

    Raises:
        ModelNameError: Nothing fits.
        MissingExtra: The library of these models is not installed.

    Example:
        >>> [card.name for card in list_models("zoo/efficientnet_lite*")]
        ['zoo/efficientnet_lite0', 'zoo/efficientnet_lite1', 'zoo/efficientnet_lite2']
    """
    family = pattern.split("/")[0]
    families = [ADAPTERS[family]] if family in ADAPTERS and ADAPTERS[family].listed else _listed()
    for adapter in families:
        adapter.check_installed()
    wanted = f"{pattern}/*" if pattern == family and family in ADAPTERS else pattern
    cards = [adapter.card(name) for adapter in families for name in matching(wanted, adapter.names())]
    if not cards:
        names = [name for adapter in families for name in adapter.names()]
        raise ModelNameError(f"no model fits `{pattern}`.{did_you_mean(pattern, names)}")
    return cards


def _fitting(model: object, kind: Kind | None) -> list[Candidate]:
    """The candidates for one name or object; those that read another kind of data refuse to load."""
    if isinstance(model, str) and model == AUTO:
        return pool(kind or "image")
    found = _found(model, kind)
    if kind is None:
        return found
    if isinstance(model, str) and (model in ADAPTERS or is_glob(model)):
        found = [candidate for candidate in found if candidate.card.reads(kind)]
        if not found:
            raise ModelNameError(f"no model of `{model}` reads {kind} data. `headstart models` lists the models.")
    return [
        candidate if candidate.card.reads(kind) else Candidate(candidate.card, partial(_refuse, candidate.card, kind))
        for candidate in found
    ]


def _found(model: object, kind: Kind | None) -> list[Candidate]:
    """What the adapter finds; a model that cannot be opened becomes a candidate whose loading raises the reason."""
    if isinstance(model, Candidate):
        return [model]
    adapter = next((adapter for adapter in ADAPTERS.values() if adapter.serves(model)), None)
    if adapter is None:
        raise _unknown(model)
    try:
        return adapter.find(model, kind)
    except (ModelNameError, MissingExtra):
        raise
    except ModelError as error:
        reason = error
    except Exception as error:  # a library that reads foreign files may raise anything
        reason = ModelError(f"it cannot be opened: {type(error).__name__}: {error}")
        reason.__cause__ = error
    return [broken(str(model), kind, reason)]


def _unknown(model: object) -> InputError:
    if not isinstance(model, str):
        return InputError(f"`models` must hold names, modules or sources; got {type(model).__name__}.")
    known = [name for adapter in _listed() for name in adapter.names()]
    bare: dict[str, str] = {}  # a name without its prefix, with and without its tag -> the full one
    for full in known:
        bare.setdefault(full.split("/", 1)[1], full)
        bare.setdefault(full.split("/", 1)[1].split(".")[0], full.split(".")[0])
    hint = f" Did you mean `{bare[model]}`?" if model in bare else did_you_mean(model, known)
    prefixes = ", ".join(f"`{adapter.prefix}`" for adapter in ADAPTERS.values() if adapter.typed)
    return ModelNameError(f"no model is called `{model}`.{hint} Names start with one of {prefixes}.")


def _listed() -> list[Adapter]:
    """The adapters that know the names of their models, as far as their libraries are installed."""
    return [adapter for adapter in ADAPTERS.values() if adapter.listed and adapter.installed]


def _free_name(name: str, taken: dict[str, Candidate]) -> str:
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name}-{count}"
    return free


def _renamed(candidate: Candidate, name: str) -> Candidate:
    return Candidate(replace(candidate.card, name=name), partial(_load_renamed, candidate, name))


def _load_renamed(candidate: Candidate, name: str, trust_pickle: bool) -> "Source":
    source = candidate.load(trust_pickle)
    return replace(source, card=replace(source.card, name=name))


def _refuse(card: ModelCard, kind: Kind, trust_pickle: bool) -> "Source":
    raise ModelError(f"it reads {card.kind} data, but the target holds {kind} data. Choose a model for {kind} data.")
