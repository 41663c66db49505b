"""From the names a user types to candidates; no weights are loaded here."""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from torch import nn

from headstart.errors import InputError, MissingExtra, ModelError, ModelNameError, did_you_mean, require
from headstart.records import Kind, ModelCard
from headstart.sources import module as modules
from headstart.sources.candidate import Candidate
from headstart.sources.names import is_glob, matching
from headstart.sources.source import Source

Model = str | nn.Module | Source | Candidate

# prefix -> the file that serves it, imported only when asked for: timm alone takes seconds
ROOMS = {
    "zoo": "zoo",
    "timm": "timm_models",
    "torchvision": "torchvision_models",
    "hf": "transformers_models",
    "st": "sentence",
    "local-dir": "local_dir",
}
LISTED = ("zoo", "timm", "torchvision")
LIBRARIES = ("timm", "torchvision")  # without which the room of that name cannot be entered


def find(models: Model | Sequence[Model], *, kind: Kind | None = None) -> list[Candidate]:
    """The candidates that `models` names, in order, each once.

    Args:
        models: Names (`zoo`, `zoo/NAME`, `timm/NAME`, `torchvision/NAME`, `hf/ID`, `st/ID`, `local-dir:PATH`; `*`, `?`
            and `[...]` are wildcards in the first three), modules, sources made by `from_module`, or candidates.
        kind: What the target holds. `zoo` and wildcards then give only models that read it; a model that was named
            outright and does not fit fails on loading, with that reason.

    Raises:
        ModelError: A name does not exist; the text suggests the nearest.
        MissingExtra: A name needs a package that is not installed.

    Example:
        >>> [candidate.name for candidate in find("zoo/efficientnet_lite0")]
        ['zoo/efficientnet_lite0']
    """
    asked = [models] if isinstance(models, str | nn.Module | Source | Candidate) else list(models)
    if not asked:
        raise InputError("`models` is empty. Name at least one model, for example `zoo`.")
    found: dict[str, Candidate] = {}
    for model in asked:
        for candidate in _candidates(model, kind):
            if isinstance(model, str):
                found.setdefault(candidate.name, _fitting(candidate, kind))
            else:
                name = _free_name(candidate.name, found)
                found[name] = _fitting(_renamed(candidate, name), kind)
    return list(found.values())


def list_models(pattern: str = "*") -> list[ModelCard]:
    """Cards of the zoo, timm's pretrained models and torchvision's, those that fit a glob; `local` needs no network.

    Raises:
        ModelError: Nothing fits.

    Example:
        >>> [card.name for card in list_models("zoo/efficientnet_lite*")]
        ['zoo/efficientnet_lite0', 'zoo/efficientnet_lite1', 'zoo/efficientnet_lite2']
    """
    rooms = [room for room in _listed() if _may_hold(room, pattern)]
    cards = []
    for room in rooms:
        wanted = matching(room + "/*" if pattern == room else pattern, _room(room).names())
        cards += [_room(room).card(name) for name in wanted]
    if not cards:
        names = [name for room in rooms or _listed() for name in _room(room).names()]
        raise ModelNameError(f"no model fits `{pattern}`.{did_you_mean(pattern, names)}")
    return cards


def _candidates(model: Model, kind: Kind | None) -> list[Candidate]:
    if isinstance(model, Candidate):
        return [model]
    if isinstance(model, Source):
        return [Candidate(model.card, partial(_given, model))]
    if isinstance(model, nn.Module):
        return [modules.candidate(model, f"module/{type(model).__name__}")]
    if not isinstance(model, str):
        raise InputError(f"a model must be a name, a module or a source; {type(model).__name__} came.")
    candidates = _found(model, kind)
    if kind is None or not (model == "zoo" or is_glob(model)):
        return candidates
    fitting = [candidate for candidate in candidates if candidate.card.kind == kind]
    if not fitting:
        raise ModelNameError(f"no model of `{model}` reads {kind} data. `headstart models` lists the models there are.")
    return fitting


def _found(name: str, kind: Kind | None) -> list[Candidate]:
    """What the room of a name finds; a model that cannot be opened becomes a candidate whose loading says why."""
    room = _room(_prefix(name))
    try:
        found: list[Candidate] = room.find(name, kind)
        return found
    except (ModelNameError, MissingExtra):
        raise
    except ModelError as error:
        broken = error
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as error:
        broken = ModelError(f"{name} cannot be opened: {error}")
        broken.__cause__ = error
    return [Candidate(ModelCard(name=name, kind=kind or "image"), partial(_raise, broken))]


def _raise(error: ModelError, trust_pickle: bool) -> Source:
    raise error


def _prefix(name: str) -> str:
    for prefix in ROOMS:
        separator = ":" if prefix == "local-dir" else "/"
        if name.startswith(prefix + separator) or name == "zoo":
            return prefix
    known = [full for room in _listed() for full in _room(room).names()]
    bare: dict[str, str] = {}  # a name without its prefix, with and without its tag -> the full one
    for full in known:
        bare.setdefault(full.split("/", 1)[1], full)
        bare.setdefault(full.split("/", 1)[1].split(".")[0], full.split(".")[0])
    hint = f" Did you mean `{bare[name]}`?" if name in bare else did_you_mean(name, known)
    prefixes = ", ".join(f"`{prefix}/`" for prefix in ROOMS if prefix != "local-dir")
    raise ModelNameError(f"no model is called `{name}`.{hint} A name starts with {prefixes} or `local-dir:`.")


def _listed() -> list[str]:
    """The rooms that know the names of their models, as far as their libraries are installed."""
    return [room for room in LISTED if room not in LIBRARIES or importlib.util.find_spec(room)]


def _room(prefix: str) -> Any:
    if prefix in LIBRARIES:
        require(prefix, f"a model of `{prefix}/`", "image")
    return import_module(f"headstart.sources.{ROOMS[prefix]}")


def _may_hold(room: str, pattern: str) -> bool:
    head = pattern.split("/", 1)[0]
    return is_glob(head) or head == room


def _free_name(name: str, taken: dict[str, Candidate]) -> str:
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{name}-{count}"
    return free


def _renamed(candidate: Candidate, name: str) -> Candidate:
    if candidate.name == name:
        return candidate
    return Candidate(replace(candidate.card, name=name), partial(_load_renamed, candidate, name))


def _given(source: Source, trust_pickle: bool) -> Source:
    return source


def _load_renamed(candidate: Candidate, name: str, trust_pickle: bool) -> Source:
    source = candidate.load(trust_pickle)
    return replace(source, card=replace(source.card, name=name))


def _fitting(candidate: Candidate, kind: Kind | None) -> Candidate:
    """The candidate itself, or one whose loading says that it reads another kind of data."""
    if kind is None or candidate.card.kind == kind:
        return candidate
    return Candidate(candidate.card, partial(_refuse, candidate.card, kind))


def _refuse(card: ModelCard, kind: Kind, trust_pickle: bool) -> Source:
    raise ModelError(f"{card.name} reads {card.kind} data, but the target holds {kind} data.")
