"""From a caller's arguments to a `Setting`: data divided, source loaded, method chosen, options checked."""

import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from headstart.data import Reading
from headstart.data.media import MEDIA
from headstart.data.reading import reading_of
from headstart.errors import InputError
from headstart.extract import extract
from headstart.extract.device import pick_device
from headstart.records import Ranking, check_destination
from headstart.records.options import options_of
from headstart.runner.progress import Progress, listener
from headstart.sources import candidates
from headstart.sources.source import Source
from headstart.store import folder_of
from headstart.tasks import task_of
from headstart.train.training import Training, precision_on
from headstart.transfers.method import METHODS, Method, methods_for
from headstart.transfers.network import transferable
from headstart.transfers.parts import Parts, split_target
from headstart.transfers.recommend import Advice, recommend
from headstart.transfers.setting import (
    Setting,
    check_via,
    effective,
    given,
    method_of,
    refuse_without_effect,
    training_of,
)
from headstart.transfers.taps import output_modules

if TYPE_CHECKING:
    from headstart.transfers.run import Run


Model = str | os.PathLike[str] | nn.Module | Source | Ranking


def open_setting(
    target: object,
    model: Model,
    *,
    again: "Callable[..., Run]",
    method: str | Method,
    seed: int,
    options: Mapping[str, Any],
    test: object = None,
    via: object = None,
    via_method: str | None = None,
    source_data: object = None,
    limit: int | None = None,
    split_seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    device: str = "auto",
    cache: str | os.PathLike[str] | bool | None = True,
    trust_pickle: bool = False,
    reading: Reading | None = None,
    progress: Progress | bool | None = None,
    command: str | None = None,
) -> Setting:
    """Open everything that `transfer` was given; see there for the arguments.

    Args:
        again: Carries out a transfer: what `via` and `source_data` call for.
    """
    place = pick_device(device)
    folder = None if out is None else Path(out)
    check_destination(folder, folder=True)
    tell = listener(progress)
    check_via(via, via_method)
    read = {each.name for each in fields(Reading)}
    settings = given({name: value for name, value in options.items() if name not in read}, signature(again).parameters)
    after_another = via is not None or source_data is not None
    if method != "auto":
        refuse_without_effect(settings, [_class_of(method, settings)], after_another=after_another)
    read_so = {"test": test, "limit": limit, "split_seed": split_seed, "reading": reading}
    parts, _ = open_parts(target, read_so | {name: value for name, value in options.items() if name in read})
    _check_fit(parts, settings, after_another)
    loaded = open_source(model, parts, trust_pickle=trust_pickle)
    bad = (reading or Reading()).max_bad
    shared = {"seed": seed, "device": device, "cache": cache, "max_bad": options.get("max_bad", bad), "progress": tell}
    shared["overwrite"] = overwrite
    for data, how in ((source_data, "scratch"), (via, via_method or "fine-tune")):
        if data is not None:
            loaded = _through(again, loaded, data, how, folder, shared, settings)
    kept = folder_of(cache)
    reason = ""
    if method == "auto":
        advice = _advice(parts, loaded, kept, place, tell)
        method, reason = advice.method, advice.reason
        settings |= {"layer": advice.layer} if advice.layer else {}
        own = {name: value for name, value in settings.items() if name not in options_of(Training)}
        refuse_without_effect(own, [METHODS.find(method)])  # settings of a training may be meant for another choice
    made = _class_of(method, {})
    if parts.train.kind not in made.kinds:
        raise InputError(
            f"method `{made.name}` is for {' and '.join(made.kinds)} data, and {parts.train.name} holds "
            f"{parts.train.kind} examples. Methods for those: {', '.join(methods_for(parts.train.kind))}."
        )
    training = training_of(made, settings, seed)
    training = replace(training, precision=precision_on(place, training.precision))
    chosen = method if isinstance(method, Method) else method_of(made, settings)
    loaded = chosen.view(loaded)
    return Setting(
        parts, loaded, chosen, training, seed, place, kept, folder,
        command or f"headstart.transfer({parts.train.name!r}, {loaded.name!r}, method={made.name!r}, seed={seed})",
        tell, model if isinstance(model, Source | nn.Module) else None, reason,
    )  # fmt: skip


def open_parts(target: object, arguments: Mapping[str, Any]) -> tuple[Parts, dict[str, Any]]:
    """A target's parts, opened once for all the runs of a command, and the arguments that do not decide them.

    Parts that are open already stay as they are.

    Raises:
        InputError: `reading` is not a `Reading`; and what `split_target` raises.
    """
    read = {each.name for each in fields(Reading)}
    own = {"test", "limit", "split_seed", "reading"} | read
    left = {name: value for name, value in arguments.items() if name not in own}
    if isinstance(target, Parts):
        return target, left
    flat = {name: value for name, value in arguments.items() if name in read and value is not None}
    how = reading_of(arguments.get("reading"), flat, split_target)
    test, limit, seed = (arguments.get(name) for name in ("test", "limit", "split_seed"))
    return split_target(target, test=test, most=limit, split_seed=seed or 0, reading=how), left


def open_source(model: Model, parts: Parts, *, trust_pickle: bool = False) -> Source:
    """The source that is adapted: by name, as it is, or the best of a ranking.

    Raises:
        InputError: It is something else; ModelError: it cannot be found or loaded.
    """
    if isinstance(model, str | os.PathLike) and (Path(model) / "ranking.json").is_file():
        model = Ranking.load(model)
    if isinstance(model, Ranking):
        model = model.best
    if not isinstance(model, str | os.PathLike | nn.Module | Source):
        raise InputError(
            f"`model` must be a name, a module, a source or a ranking; got {model!r} ({type(model).__name__})."
        )
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    return candidates(name, kind=parts.train.kind)[0].load(trust_pickle)


def _class_of(method: str | Method, settings: Mapping[str, Any]) -> type[Method]:
    """The class of a method; InputError for an unknown one, or one whose options are among the settings too."""
    if isinstance(method, str):
        return METHODS.find(method)
    if not isinstance(method, Method):
        raise InputError(f"`method` must be a name or a method such as FineTune(rate=0.01); got {method!r}.")
    twice = [name for name in settings if name in options_of(type(method))]
    if twice:
        raise InputError(
            f"`{twice[0]}` is an option of the method itself: write {type(method).__name__}({twice[0]}=...)."
        )
    return type(method)


def _check_fit(parts: Parts, settings: Mapping[str, Any], after_another: bool) -> None:
    """Raises InputError where a setting does not suit the examples or their task."""
    train = parts.train
    MEDIA[train.kind].augment(settings.get("augment", "none"))
    if "smoothing" in settings and not task_of(train.task).single_class and not after_another:
        raise InputError(f"`smoothing` is for class labels; the task of {train.name} is {train.task}. Leave it out.")


def _through(
    again: "Callable[..., Run]",
    source: Source,
    data: object,
    how: str,
    out: Path | None,
    shared: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Source:
    """The source after a training on other data: its body, with a new name."""
    made = METHODS.find(how)
    if not made.trains or made.inserts:
        raise InputError(f"`via_method` must train the network itself, as `fine-tune` does; `{how}` does not.")
    training = {name: settings[name] for name in effective(made, settings).intersection(settings, options_of(Training))}
    place = None if out is None else out / f"first-{how}"
    run = again(data, source, method=how, out=place, **shared, **training)
    return run.as_source(f"{source.name} via {run.outcome.target}")


def _advice(parts: Parts, source: Source, cache: Path | None, device: torch.device, tell: Progress) -> Advice:
    extraction = extract(parts.train, source, cache=cache, device=str(device), progress=tell)
    model = transferable(source, 2, seed=0)
    return recommend(extraction, parts.train.task, tuple(output_modules(model)))
