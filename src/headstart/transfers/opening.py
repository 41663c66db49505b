"""From a caller's arguments to a `Setting`: data divided, source loaded, method chosen, options checked."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from torch import nn

from headstart.data import Reading
from headstart.data.media import MEDIA
from headstart.data.provenance import digests, mark, marked
from headstart.data.reading import reading_of
from headstart.errors import InputError
from headstart.extract.device import pick_device
from headstart.records import CurvePoint, Outcome, Ranking, check_destination
from headstart.records.options import options_of
from headstart.runner.progress import listener
from headstart.sources import candidates
from headstart.sources.source import Source
from headstart.store import folder_of
from headstart.tasks import task_of
from headstart.train.training import Training, precision_on
from headstart.transfers.carry_out import train_once
from headstart.transfers.method import METHODS, Method, methods_for
from headstart.transfers.methods.head import Head
from headstart.transfers.parts import Parts, split_target
from headstart.transfers.recommend import CHOICES, recommend
from headstart.transfers.setting import (
    Setting,
    effective,
    given,
    method_of,
    methods_before,
    refuse_without_effect,
    training_of,
)

if TYPE_CHECKING:
    from headstart.transfers.run import Run


READ = {each.name for each in fields(Reading)}
Model = str | os.PathLike[str] | nn.Module | Source | Ranking


def open_setting(again: "Callable[..., Run]", asked: Mapping[str, Any]) -> Setting:
    """Open everything that a call of `transfer` asks for.

    Args:
        again: `transfer` itself, which `via` and `source_data` call for.
        asked: Its arguments by name, `options` among them.
    """
    ask = SimpleNamespace(**asked)
    place, tell = pick_device(ask.device), listener(ask.progress)
    folder = None if ask.out is None else Path(ask.out)
    check_destination(folder, folder=True)
    settings = {name: value for name, value in ask.options.items() if name not in READ}
    settings = given(settings, signature(again).parameters)
    first = methods_before(asked)
    if ask.method != "auto":
        refuse_without_effect(settings, [class_of(ask.method, settings)], first)
    parts, _ = open_parts(ask.target, {**asked, **ask.options})
    parts = aware(parts, ask.model)
    MEDIA[parts.train.kind].augment(settings.get("augment", "none"))
    task = task_of(parts.train.task)
    task.metric(settings.get("metric"))
    for name in ("smoothing", "class_weights", "balanced_sampling"):
        if name in settings and not task.single_class and not first:
            raise InputError(
                f"`{name}` is for class labels; the task of {parts.train.name} is {task.name}. Leave it out."
            )
    loaded = open_source(ask.model, parts, trust_pickle=ask.trust_pickle)
    for made, data in first.items():
        loaded = _through(again, loaded, made, data, asked, settings)
    usual = Setting(
        *(parts, loaded, Head(), Training(seed=ask.seed), ask.seed, place, folder_of(ask.cache), folder),
        *(ask.command or "", tell, ask.model if isinstance(ask.model, Source | nn.Module) else None),
        against=_curve_of(ask.against, parts),
    )
    if ask.method != "auto":
        return _settled(ask.method, usual, settings, ask.limit)
    choices = {name: _settled(name, usual, settings, ask.limit) for name in CHOICES}
    advice = recommend(choices, train_once)
    settings |= {"layer": advice.layer} if advice.layer else {}
    own = {name: value for name, value in settings.items() if name not in options_of(Training)}
    refuse_without_effect(own, [METHODS.find(advice.method)])  # settings of a training may be meant for another choice
    chosen = _settled(advice.method, usual, settings, ask.limit)
    return replace(chosen, reason=advice.reason, opened={"trials": advice.trials})


def _curve_of(against: Outcome | None, parts: Parts) -> tuple[CurvePoint, ...]:
    """The curve of the run that a training is compared with while it runs.

    Raises:
        InputError: The two cannot be compared.
    """
    if against is None:
        return ()
    if against.split != parts.split or against.metric != "accuracy" or not against.n_valid:
        raise InputError(
            "`against` must be the outcome of a training on the same parts, judged by accuracy on validation examples; "
            f"got a run of {against.method} on {against.target}, judged by {against.metric} on {against.n_valid}."
        )
    return against.curve


def _settled(method: str | Method, usual: Setting, settings: Mapping[str, Any], limit: int | None) -> Setting:
    """The setting of a method, with those of the settings that are its own.

    Raises:
        InputError: It is not for the target's kind of data, or its options do not fit.
    """
    made, train, seed = class_of(method), usual.parts.train, usual.seed
    if train.kind not in made.kinds:
        raise InputError(
            f"method `{made.name}` is for {' and '.join(made.kinds)} data, and {train.name} holds {train.kind} "
            f"examples. Methods for those: {', '.join(methods_for(train.kind))}."
        )
    settings = {name: settings[name] for name in effective(made, settings).intersection(settings)}
    training = training_of(made, settings, seed)
    training = replace(training, precision=precision_on(usual.device, training.precision))
    chosen = method if isinstance(method, Method) else method_of(made, settings)
    source = chosen.view(usual.source)
    few = "" if limit is None else f", limit={limit}"
    command = f"headstart.transfer({train.name!r}, {source.name!r}, method={made.name!r}, seed={seed}{few})"
    return replace(usual, source=source, method=chosen, training=training, command=usual.command or command, opened={})


def open_parts(target: object, arguments: Mapping[str, Any]) -> tuple[Parts, dict[str, Any]]:
    """A target's parts, opened once for all the runs of a command, and the arguments that do not decide them.

    Parts that are open already stay as they are.

    Raises:
        InputError: `reading` is not a `Reading`; and what `split_target` raises.
    """
    own = {"test", "limit", "split_seed", "reading"} | READ
    left = {name: value for name, value in arguments.items() if name not in own}
    if isinstance(target, Parts):
        return target, left
    flat = {name: value for name, value in arguments.items() if name in READ and value is not None}
    how = reading_of(arguments.get("reading"), flat, split_target)
    test, limit, seed = (arguments.get(name) for name in ("test", "limit", "split_seed"))
    return split_target(target, test=test, most=limit, split_seed=seed or 0, reading=how), left


def aware(parts: Parts, model: Model) -> Parts:
    """The parts, with a note where a ranking chose the model on examples of the test part."""
    ranking = _ranking_of(model)
    if ranking is None or parts.test is None or not ranking.seen:
        return parts
    known = marked(ranking.seen)
    count = sum(mark(digest) in known for digest in digests(parts.test))
    if not count:
        return parts
    note = (
        f"{count} of {len(parts.test)} test examples are among those on which the ranking chose the model, so the "
        "result may be optimistic: rank on the training part alone, as `headstart run` does"
    )
    return replace(parts, notes=(*parts.notes, note))


def _ranking_of(model: Model) -> Ranking | None:
    if isinstance(model, str | os.PathLike) and (Path(model) / "ranking.json").is_file():
        return Ranking.load(model)
    return model if isinstance(model, Ranking) else None


def open_source(model: Model, parts: Parts, *, trust_pickle: bool = False) -> Source:
    """The source that is adapted: by name, as it is, or the best of a ranking.

    Raises:
        InputError: It is something else; ModelError: it cannot be found or loaded.
    """
    if (ranking := _ranking_of(model)) is not None:
        model = ranking.best
    if not isinstance(model, str | os.PathLike | nn.Module | Source):
        raise InputError(
            f"`model` must be a name, a module, a source or a ranking; got {model!r} ({type(model).__name__})."
        )
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    return candidates(name, kind=parts.train.kind)[0].load(trust_pickle)


def class_of(method: str | Method, settings: Iterable[str] = ()) -> type[Method]:
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


def _through(
    again: "Callable[..., Run]",
    source: Source,
    made: type[Method],
    data: object,
    asked: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Source:
    """The source after a training on other data: its body, with a new name."""
    shared = {name: asked[name] for name in ("seed", "device", "cache", "progress", "overwrite")}
    training = {name: settings[name] for name in effective(made, settings).intersection(settings, options_of(Training))}
    bad = asked["options"].get("max_bad", (asked["reading"] or Reading()).max_bad)
    out = None if asked["out"] is None else Path(asked["out"]) / f"first-{made.name}"
    run = again(data, source, method=made.name, out=out, max_bad=bad, **shared, **training)
    return run.as_source(f"{source.name} via {run.outcome.target}")
