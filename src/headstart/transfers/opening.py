"""From a caller's arguments to a `Setting`: data divided, source loaded, method chosen, options checked."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from headstart.errors import InputError
from headstart.extract import extract
from headstart.extract.device import pick_device
from headstart.records import check_destination
from headstart.runner.progress import Progress, listener
from headstart.sources import find as find_sources
from headstart.sources.source import Source
from headstart.store import folder_of
from headstart.train.training import SETTINGS, precision_on
from headstart.transfers.augment import check_augment
from headstart.transfers.network import transferable
from headstart.transfers.options import refuse_unused
from headstart.transfers.parts import Parts, split_target
from headstart.transfers.recommend import Advice, recommend
from headstart.transfers.setting import (
    Setting,
    check_via,
    read_settings,
    settings_given,
)
from headstart.transfers.table import find, methods_for
from headstart.transfers.taps import at_layer, output_modules

if TYPE_CHECKING:
    from headstart.transfers.run import Run

SGD_RATE = 1e-2  # of plain SGD where none is given, as in the LEEP paper; the strategies' own rates are AdamW's


def open_setting(
    target: object,
    source: str | nn.Module | Source,
    *,
    again: "Callable[..., Run]",
    method: str,
    seed: int,
    settings: Mapping[str, Any],
    test: object = None,
    via: object = None,
    via_method: str | None = None,
    source_data: object = None,
    limit: int | None = None,
    split_seed: int = 0,
    augment: str = "none",
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    device: str = "auto",
    cache: str | os.PathLike | bool | None = True,
    max_bad: float = 0.01,
    trust_pickle: bool = False,
    reading: Mapping[str, Any] | None = None,
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
    options, training = read_settings(settings, seed)
    check_augment(augment)
    given = settings_given({**settings, "augment": augment})
    after_another = via is not None or source_data is not None
    if method != "auto":
        refuse_unused(given, find(method).takes(settings, after_another=after_another), method)
    training = replace(training, precision=precision_on(place, training.precision))
    parts = split_target(target, test=test, most=limit, split_seed=split_seed, max_bad=max_bad, **dict(reading or {}))
    if augment != "none" and parts.train.kind != "image":
        raise InputError(f"`augment` is for images, and {parts.train.name} holds {parts.train.kind} examples.")
    if "smoothing" in given and parts.train.task != "classification" and not after_another:
        raise InputError(
            f"`smoothing` is of class labels, and the task of {parts.train.name} is {parts.train.task}; leave it out."
        )
    loaded = find_sources(source, kind=parts.train.kind)[0].load(trust_pickle)
    shared = {"seed": seed, "device": device, "cache": cache, "max_bad": max_bad, "progress": tell}
    shared["overwrite"] = overwrite
    for data, how in ((source_data, "scratch"), (via, via_method or "fine-tune")):
        if data is not None:
            loaded = _through(again, loaded, data, how, folder, shared, settings)
    kept = folder_of(cache)
    reason = ""
    if method == "auto":
        advice = _advice(parts, loaded, kept, place, tell)
        method, reason = advice.method, advice.reason
        options = replace(options, layer=options.layer or advice.layer)
    strategy = find(method)
    if parts.train.kind not in strategy.kinds:
        raise InputError(
            f"{method} is for {' and '.join(strategy.kinds)} data, and {parts.train.name} holds {parts.train.kind} "
            f"examples. Methods for those: {', '.join(methods_for(parts.train.kind))}."
        )
    if reason:  # settings of a training were meant for another choice
        refuse_unused(given, strategy.uses | {*SETTINGS, "augment", "layer"}, method)
    for name, value in strategy.defaults.items():
        if name not in given:
            training = replace(training, **{name: value})
    if training.optimizer == "sgd" and options.rate is None and strategy.plan is not None:
        options = replace(options, rate=SGD_RATE)
    if options.layer is not None:
        loaded = at_layer(loaded, options.layer)
    return Setting(
        parts, loaded, strategy, options, training, augment, seed, place, kept, folder,
        command or f"headstart.transfer({parts.train.name!r}, {loaded.name!r}, method={method!r}, seed={seed})",
        tell, reason,
    )  # fmt: skip


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
    strategy = find(how)
    if strategy.plan is None or strategy.inserts:
        raise InputError(f"`via_method` must train the network itself, as fine-tune does; {how} does not.")
    training = {name: settings[name] for name in strategy.takes(settings).intersection(settings, SETTINGS)}
    place = None if out is None else out / f"first-{how}"
    run = again(data, source, method=how, out=place, **shared, **training)
    return run.as_source(f"{source.name} via {run.outcome.target}")


def _advice(parts: Parts, source: Source, cache: Path | None, device: torch.device, tell: Progress) -> Advice:
    extraction = extract(parts.train, source, cache=cache, device=str(device), progress=tell)
    model = transferable(source, 2, seed=0)
    return recommend(extraction, parts.train.task, tuple(output_modules(model)))
